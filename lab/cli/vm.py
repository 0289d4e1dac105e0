# SPDX-License-Identifier: MIT
"""`lab vm`: a guest that stays up between commands."""

from __future__ import annotations

import os
import shutil
from typing import Annotated

import typer

from lab.cli.app import App
from lab.cli.options import DEFAULT, Clock, Json, Kernel, Memory, Processors, called, engine_choice
from lab.cli.rows import show
from lab.core.errors import LabError
from lab.core.terminal import console, plain
from lab.engines import ownership

app = App(help="Manage the guest of `--engine vm`: QEMU with a stock kernel and a Docker engine.")

Name = Annotated[
    str, typer.Option(help="The guest's name. Commands with `--engine vm` use the guest `vm`.", callback=called)
]


@app.command()
def up(
    name: Name = "vm",
    kernel: Kernel = DEFAULT.kernel,
    clock: Clock = "wall",
    processors: Processors = None,
    memory: Memory = DEFAULT.memory,
) -> None:
    """Start a guest and keep it up. Images that have changed are copied to its disk first.

    Examples:
    - `lab vm up`
    - `lab vm up --kernel stable --memory 4096`
    """
    from lab.engines import engine, opening

    choice = engine_choice("vm", clock, kernel=kernel, processors=processors, memory=memory)
    opening.kept(engine.connect(), name, choice, console.print).connect()
    console.print(
        f"`lab vm shell --name {name}` opens a shell in it; `lab vm down --name {name}` stops it.", highlight=False
    )


@app.command()
def down(
    name: Name = "vm",
    disks: Annotated[
        bool, typer.Option("--disks", help="Also remove the guests' disks, which hold the images.")
    ] = False,
) -> None:
    """Stop a guest. Everything that ran in it is gone.

    Examples:
    - `lab vm down`
    - `lab vm down --disks`
    """
    from lab.engines import engine, guest, guest_disks

    host = engine.connect()
    if not disks or name in guest.existing(host):
        running = guest.kept(host, name)
        if ownership.state(running.container.labels.get(ownership.OWNER)) is ownership.State.HELD:
            raise LabError(
                f"the guest {name!r} is in use by the command that started it", "the command stops it when it ends"
            )
        running.remove()
        console.print(f"guest {name!r} is down", highlight=False)
    if disks:
        guest_disks.purge(host)
        console.print("the disks are removed; the next guest copies the images again", highlight=False)


@app.command()
def shell(name: Name = "vm") -> None:
    """Open a root shell on the guest's console. Ctrl-O closes it.

    Examples:
    - `lab vm shell`
    """
    from lab.engines import engine, guest

    container = guest.kept(engine.connect(), name).container
    docker = shutil.which("docker")
    if docker is None:
        raise LabError("the docker command is missing", "apt-get install docker-cli, or docker.io")
    console.print("Ctrl-O closes the shell; Enter shows the prompt", highlight=False)
    argv = ["socat", "STDIO,raw,echo=0,escape=0x0f", "UNIX-CONNECT:/run/guest/shell.sock"]
    os.execv(docker, [docker, "exec", "--interactive", "--tty", str(container.name), *argv])  # noqa: S606 -- it replaces us


@app.command()
def logs(
    name: Name = "vm", lines: Annotated[int, typer.Option(min=1, help="How many of the last lines.")] = 200
) -> None:
    """Show the output of the guest's kernel, its Docker engine and QEMU.

    Examples:
    - `lab vm logs --lines 50`
    """
    from lab.engines import engine, guest

    plain(guest.kept(engine.connect(), name).console(lines))


@app.command()
def status(as_json: Json = False) -> None:
    """Show the guests, also those that have ended.

    Examples:
    - `lab vm status`
    """
    from lab.engines import engine, guest

    rows = [
        {
            "guest": name,
            "state": each.container.status,
            "clock": each.choice.clock,
            "kernel": each.choice.kernel,
            "processors": each.choice.cores,
            "memory": each.choice.memory,
        }
        for name, each in guest.existing(engine.connect()).items()
    ]
    show(rows, as_json, "Guests (memory in MiB)", empty="no guest is up; `lab vm up` starts one")
