# SPDX-License-Identifier: MIT
"""`lab vm`: a guest of one's own, to keep up between commands."""

from __future__ import annotations

import os
import shutil
from typing import Annotated

import typer

from lab.cli.options import DEFAULT, App, Clock, Json, Kernel, Memory, Processors, called, engine_choice
from lab.core.errors import LabError
from lab.core.terminal import answer, console, plain
from lab.engines import ownership

app = App(no_args_is_help=True, help="The guest of the vm engine: a stock kernel in QEMU, with Docker inside.")

Name = Annotated[str, typer.Option(help="The guest's name; the commands of `--engine vm` use `vm`.", callback=called)]


@app.command()
def up(
    name: Name = "vm",
    kernel: Kernel = DEFAULT.kernel,
    clock: Clock = "wall",
    processors: Processors = None,
    memory: Memory = DEFAULT.memory,
) -> None:
    """Start a guest and keep it up; images that have changed are brought to its disk first."""
    from lab.engines import engine, opening

    choice = engine_choice("vm", clock, kernel=kernel, processors=processors, memory=memory)
    opening.kept(engine.connect(), name, choice, console.print).connect()
    console.print(
        f"`lab vm shell --name {name}` is inside; `lab vm down --name {name}` takes it down.", highlight=False
    )


@app.command()
def down(
    name: Name = "vm",
    disks: Annotated[bool, typer.Option(help="Remove the disks with the images too.")] = False,
) -> None:
    """Stop a guest; what ran in it is gone."""
    from lab.engines import engine, guest
    from lab.engines import guest_disks as stored

    host = engine.connect()
    if not disks or name in guest.found(host):
        there = guest.kept(host, name)
        if ownership.state(there.container.labels.get(ownership.OWNER)) is ownership.State.HELD:
            raise LabError(f"the guest {name!r} is in use: a running command started it", "it ends with that command")
        there.remove()
        console.print(f"guest {name!r} is down", highlight=False)
    if disks:
        stored.purge(host)
        console.print("the disks are gone; the next guest brings the images over again", highlight=False)


@app.command()
def shell(name: Name = "vm") -> None:
    """A shell on the guest's console, as root; Ctrl-O leaves it."""
    from lab.engines import engine, guest

    container = guest.kept(engine.connect(), name).container
    tool = shutil.which("docker")
    if tool is None:
        raise LabError("the docker command is missing", "apt-get install docker-cli, or docker.io")
    console.print("Ctrl-O leaves; Enter shows the prompt", highlight=False)
    argv = ["socat", "STDIO,raw,echo=0,escape=0x0f", "UNIX-CONNECT:/run/guest/shell.sock"]
    os.execv(tool, [tool, "exec", "--interactive", "--tty", str(container.name), *argv])  # noqa: S606 -- it takes over


@app.command()
def logs(name: Name = "vm", lines: Annotated[int, typer.Option(min=1, help="How many of its lines.")] = 200) -> None:
    """What the guest's kernel, its engine and QEMU said."""
    from lab.engines import engine, guest

    plain(guest.kept(engine.connect(), name).console(lines))


@app.command()
def status(as_json: Json = False) -> None:
    """Show the guests that there are, also those that have ended and were not taken down."""
    from lab.engines import engine, guest

    rows = [
        {"guest": name, **each.choice.model_dump(exclude={"name"}), "state": each.container.status}
        for name, each in guest.found(engine.connect()).items()
    ]
    if as_json:
        answer(rows)
    for row in [] if as_json else rows:
        console.print("  ".join(f"{key} {value}" for key, value in row.items()), highlight=False)
    if not rows and not as_json:
        console.print("no guest is up; `lab vm up` starts one")
