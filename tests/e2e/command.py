# SPDX-License-Identifier: MIT
"""The command as a user starts it, watched from outside: its output, its processes and what it makes in Docker."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from lab.engines.engine import Engine
from lab.engines.ownership import NAME, OWNER, ROLE

LAB = Path(sys.executable).with_name("lab")
LIMIT = 200.0
"""Seconds after which a command is given up: far beyond what any needs."""


def wait_for(condition: Callable[[], object], what: str, limit: float = 60) -> None:
    """Poll until `condition` holds."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"waited {limit:g} s in vain for {what}"
        time.sleep(0.02)


@dataclass(frozen=True)
class Done:
    """A command that has ended; `text` holds both of its streams."""

    status: int
    text: str

    def json(self) -> Any:
        """What it printed, for a program."""
        return json.loads(self.text)


class Running:
    """A command that runs: in a session of its own, so that whatever it starts can be found."""

    def __init__(self, argv: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        self.output = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        while part := os.read(self.process.stdout.fileno(), 65536):
            self.output += part

    @property
    def text(self) -> str:
        return self.output.decode()

    @property
    def pid(self) -> int:
        return self.process.pid

    def until(self, pattern: str) -> None:
        """Wait for words in the output."""
        wait_for(lambda: re.search(pattern, self.text) or self.process.poll() is not None, pattern)
        assert re.search(pattern, self.text), f"ended without {pattern!r}:\n{self.text}"

    def interrupt(self, which: signal.Signals) -> None:
        """Ctrl-C goes to every process of the terminal, other signals to the command."""
        if which is signal.SIGINT:
            os.killpg(self.pid, which)
        else:
            self.process.send_signal(which)

    def end(self) -> Done:
        """Wait for its end."""
        try:
            status = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            raise
        self._reader.join(LIMIT)
        return Done(status, self.text)


@dataclass
class Lab:
    """The command, with its own folder of runs; remembers what it started."""

    engine: Engine
    results: Path
    environment: dict[str, str]
    started: list[Running] = field(default_factory=list)
    program: tuple[str, ...] = (str(LAB),)

    def start(self, *words: str, wrap: tuple[str, ...] = (), **environment: str | None) -> Running:
        """Start `lab` with these words, behind the words of `wrap`; None takes a variable away."""
        variables = {**self.environment, "LAB_RESULTS": str(self.results), **environment}
        known = {name: value for name, value in variables.items() if value is not None}
        self.started.append(Running([*wrap, *self.program, *words], known))
        return self.started[-1]

    def __call__(self, *words: str, wrap: tuple[str, ...] = (), **environment: str | None) -> Done:
        """Run `lab` to its end."""
        return self.start(*words, wrap=wrap, **environment).end()

    def ok(self, *words: str, **environment: str | None) -> Done:
        """Run `lab`; it must succeed."""
        done = self(*words, wrap=(), **environment)
        assert done.status == 0, f"lab {' '.join(words)}:\n{done.text}"
        return done

    def run(self) -> Path:
        """The folder of the one run there is."""
        (folder,) = (path.parent for path in self.results.glob("*/meta.json"))
        return folder

    def containers(self, running: Running) -> dict[str, Container]:
        """The containers that a command holds, by role."""
        held = self.engine.client.containers.list(filters={"label": ROLE}, ignore_removed=True)
        mine = owned_by(running)
        return {container.labels[ROLE]: container for container in held if mine(container.labels)}

    def until_container(self, running: Running, role: str, process: str = "") -> Container:
        """Wait until a container lives, and in it a process whose command line has these words."""
        found: dict[str, Container] = {}

        def there() -> bool:
            assert running.process.poll() is None, running.text
            found.update(self.containers(running))
            return role in found and process in str(top(found[role]))

        wait_for(there, f"{role} {process}")
        return found[role]


def top(container: Container) -> list[list[str]]:
    """The processes of a container; none when it is gone."""
    try:
        return list(container.top()["Processes"] or [])
    except Exception:  # noqa: BLE001 - whatever the engine says of a container that is just ending
        return []


def samples(folder: Path) -> list[dict[str, Any]]:
    """What is on the disk, line by line."""
    path = folder / "samples.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def own_environment(folder: Path, *, columns: int) -> dict[str, str]:
    """That of the tests, with lines so wide; and no test waits for a run of somebody else: the lock is in `folder`."""
    own = {"COLUMNS": str(columns), "LAB_LOCK": str(folder / "lock"), "TERM": "dumb", "NO_COLOR": "1"}
    return {name: value for name, value in os.environ.items() if not name.startswith("LAB_")} | own


def owned_by(*commands: Running) -> Callable[[dict[str, str]], bool]:
    """Whether labels say that one of these commands made the thing."""
    owners = tuple(f"{running.pid}:" for running in commands)
    return lambda labels: labels.get(OWNER, "").startswith(owners)


def left_behind(engine: Engine, mine: Callable[[dict[str, str]], bool]) -> Iterator[str]:
    """Every container, network and volume whose labels are `mine`."""
    wanted: dict[str, str | list[str] | bool] = {"label": NAME}
    for container in engine.client.containers.list(all=True, filters=wanted, ignore_removed=True):
        if mine(container.labels):
            yield f"container {container.name}"
    for network in engine.client.networks.list(filters=wanted):
        if mine(network.attrs["Labels"]):
            yield f"network {network.name}"
    for volume in engine.client.volumes.list(filters=wanted):
        if mine(volume.attrs["Labels"]):
            yield f"volume {volume.name}"


def processes(session: int) -> list[str]:
    """The processes of a session that still live."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        name, _, rest = text.partition(")")
        fields = rest.split()
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(name)
    return found
