# SPDX-License-Identifier: MIT
"""A guest, watched from outside: by the command, by its container, and by its own shell."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from docker.models.containers import Container
from e2e.command import Done, Lab, Running, top, wait_for

from lab.core.command import Result
from lab.engines import guest, guest_folders
from lab.engines.engine import Engine
from lab.engines.ownership import ROLE

LIMIT = 1500.0
"""Seconds after which a command is given up: a guest is slow, and more so where others run beside it."""


@dataclass
class Patient(Lab):
    """The command, given the time that a guest takes."""

    def __call__(self, *words: str, wrap: tuple[str, ...] = (), **environment: str | None) -> Done:
        return self.ended(self.start(*words, wrap=wrap, **environment))

    def ended(self, running: Running) -> Done:
        """Wait for the end of a command."""
        wait_for(lambda: running.process.poll() is not None, f"the end of:\n{running.text}", LIMIT)
        return running.end()


def until_guest(host: Engine, running: Running, number: int = 0) -> guest.Guest:
    """Wait until the engine of a command's own guest answers."""
    name = f"{running.pid}-{number}"
    found: dict[str, guest.Guest] = {}

    def ready() -> bool:
        assert running.process.poll() is None, running.text
        found.update(guest.existing(host, name))
        return name in found and "guest: engine ready" in found[name].console(400)

    wait_for(ready, f"the guest {name}", LIMIT)
    return found[name]


def inside(engine: Engine, role: str) -> Container | None:
    """The container of a role inside a guest; None while there is none."""
    found = engine.client.containers.list(filters={"label": f"{ROLE}={role}"}, ignore_removed=True)
    return found[0] if found else None


def within(container: Container, *argv: str) -> str:
    """What a command says that runs in a container; it must succeed."""
    status, output = container.exec_run(list(argv))
    text = cast(bytes, output).decode()
    assert status == 0, text
    return text


def until_process(engine: Engine, running: Running, role: str, words: str) -> None:
    """Wait until a process with these words lives in the container of a role inside a guest."""

    def there() -> bool:
        assert running.process.poll() is None, running.text
        container = inside(engine, role)
        return container is not None and words in str(top(container))

    wait_for(there, words, LIMIT)


def left(host: Engine, *names: str) -> Iterator[str]:
    """What there still is of guests whose name begins with one of `names`."""
    for container in host.client.containers.list(all=True, ignore_removed=True):
        if str(container.name).removeprefix("lab-vm-").startswith(names):
            yield f"container {container.name}, {container.status}"
    base = guest_folders.directory("")
    for path in base.iterdir() if base.exists() else []:
        if path.name.startswith(names):
            yield f"directory {path}"


def type_in(there: guest.Guest, words: str) -> None:
    """Type a command into the shell of a guest, and wait for nothing."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(there.directory / "shell.sock"))
        line.sendall(f"\n{words}\n".encode())
        line.settimeout(1)
        try:
            while line.recv(65536):  # what is not read would stop the guest's terminal
                pass
        except TimeoutError:
            pass


def shell(there: guest.Guest, words: str) -> str:
    """What a command says that is typed into the shell of a guest."""
    text = b""
    deadline = time.monotonic() + 120
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(there.directory / "shell.sock"))
        line.settimeout(120)
        # The terminal repeats what is typed: only what the shell makes of it is the end.
        line.sendall(f"\necho from-$((1 + 1)); {words}; echo to-$((1 + 2))\n".encode())
        while b"to-3" not in text:
            assert time.monotonic() < deadline, text
            text += line.recv(65536)
    return text.decode(errors="replace").rpartition("from-2")[2].partition("to-3")[0].strip()


def run(engine: Engine, script: str, *words: str, **options: Any) -> Result:
    """Run a script of bash in a container of its own."""
    return engine.once("lab/base:latest", ["bash", "-c", script, "bash", *words], timeout=60, **options)


def disks(host: Engine) -> str:
    """Everything in the volume of the disks, with sizes, and times of the last change."""
    volume = {guest.VOLUME: {"bind": "/disks", "mode": "ro"}}
    return run(host, "stat --format '%n %s %y' /disks/*.disk", volumes=volume).stdout


def throughput(sample: dict[str, Any]) -> float:
    """What a sample of the throughput measured, in Mbit/s."""
    (value,) = (each["value"] for each in sample["readings"] if each["metric"] == "throughput")
    return float(value)
