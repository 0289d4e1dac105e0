# SPDX-License-Identifier: MIT
"""The command and a guest that is kept up for all tests; and after each test a count of what it left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e.command import left_behind, own_environment, owned_by, processes

from lab.engines import guest
from lab.engines.engine import Engine, connect
from lab.engines.guest_disks import ready

from .guests import Patient, disks, left

PREFIX = f"test-{os.getpid()}-"
"""What the names of the guests that these tests keep up begin with."""


@dataclass
class Kept:
    """A guest that is up, what `lab vm up` said of it, and the disks as they were when it was."""

    guest: guest.Guest
    text: str
    disks: str
    engine: Engine


@pytest.fixture(scope="session")
def host() -> Engine:
    return connect()


@pytest.fixture(scope="session", autouse=True)
def disk(host: Engine) -> None:
    """The disk that guests start from: brought by whoever is first, so that no test finds another's guest at it."""
    ready(host, print)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return own_environment(tmp_path_factory.mktemp("lock"), columns=400)  # wide enough for what a guest says


@pytest.fixture
def lab(host: Engine, environment: dict[str, str], tmp_path: Path) -> Iterator[Patient]:
    """The command; once the test is over no process, guest or other container of it may be there."""
    command = Patient(host, tmp_path / "results", dict(environment))
    yield command
    check(command)


@pytest.fixture(scope="module")
def shared(host: Engine, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    """One command for all tests of a module."""
    command = Patient(host, tmp_path_factory.mktemp("shared"), dict(environment))
    yield command
    check(command)


@pytest.fixture(scope="session")
def keeper(
    host: Engine, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Patient, dict[str | None, Kept]]]:
    """Who keeps the guest that `--engine vm` uses, and what is known of each that was; none stays."""
    command, known = Patient(host, tmp_path_factory.mktemp("kept"), dict(environment)), dict[str | None, Kept]()
    yield command, known
    former = guest.existing(host).get(guest.NAME)
    if former and former.container.id in known:
        command.ok("vm", "down")
        assert not list(left(host, guest.NAME))


@pytest.fixture(scope="module")
def kept(host: Engine, keeper: tuple[Patient, dict[str | None, Kept]]) -> Kept:
    """That guest: the one that is up already, or a new one."""
    command, known = keeper
    if (former := guest.existing(host).get(guest.NAME)) is not None:
        if former.alive and former.container.id in known:
            return known[former.container.id]
        if former.alive:
            pytest.fail(f"the guest {guest.NAME!r} is not of these tests: `lab vm down` takes it down")
        former.remove()  # of tests that were killed
    text = command.ok("vm", "up").text
    there = guest.existing(host)[guest.NAME]
    known[there.container.id] = Kept(there, text, disks(host), there.connect())
    return known[there.container.id]


def check(command: Patient) -> None:
    """Count what is left, remove it so that no other test finds it, and fail where there was anything."""
    alive = [name for running in command.started for name in processes(running.pid)]
    found = list(left_behind(command.engine, owned_by(*command.started))) if command.started else []
    own = [PREFIX, *(name for running in command.started for name in (f"{running.pid}-", f"state-{running.pid}"))]
    found += left(command.engine, *own)
    for running in command.started:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, 9)
    for name, each in guest.existing(command.engine).items():
        if name.startswith(tuple(own)):
            each.remove()
    assert not found + alive
