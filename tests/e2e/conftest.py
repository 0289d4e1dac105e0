# SPDX-License-Identifier: MIT
"""The command in a place of its own, and after every test a count of what it left behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lab.core.paths import ROOT
from lab.engines.engine import Engine, connect
from lab.engines.ownership import NAME

from .command import Lab, left_behind, own_environment, owned_by, processes

PREFIX = "e2e-"
"""What the names of the labs that these tests bring up begin with."""

TOY = Path(__file__).parent / "toy"


@pytest.fixture(scope="session")
def engine() -> Engine:
    return connect()


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return own_environment(tmp_path_factory.mktemp("lock"), columns=200)  # wide enough for tables


@pytest.fixture(scope="session", autouse=True)
def images(engine: Engine, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every image as its folder is now."""
    Lab(engine, tmp_path_factory.mktemp("results"), environment).ok("build")


@pytest.fixture
def lab(engine: Engine, environment: dict[str, str], tmp_path: Path) -> Iterator[Lab]:
    """The command; once the test is over no container, network, volume or process of it may be there."""
    command = Lab(engine, tmp_path / "results", dict(environment))
    yield command
    check(command)


def check(command: Lab) -> None:
    """Count what is left, sweep it so that no other test finds it, and fail where there was anything."""
    owned = owned_by(*command.started)

    def mine(labels: dict[str, str]) -> bool:
        return labels[NAME].startswith(PREFIX) or owned(labels)

    alive = [name for running in command.started for name in processes(running.pid)]
    found = list(left_behind(command.engine, mine)) if command.started else []
    for running in command.started:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, 9)
        running.end()
    if found:
        command("down", "--all")
    assert not found + alive


@pytest.fixture(scope="module")
def shared(engine: Engine, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One command for all tests of a module that only look at what it left on the disk."""
    command = Lab(engine, tmp_path_factory.mktemp("shared"), dict(environment))
    yield command
    check(command)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A catalog of its own: a copy of this checkout's, with a toy VPN, its dialect and a row in the table of suites."""
    copy = tmp_path / "root"
    shutil.copytree(ROOT / "images", copy / "images")
    shutil.copytree(TOY, copy / "images" / "toy")
    shutil.copy2(ROOT / "docker-compose.yml", copy)
    table = Path("lab/catalog/suites.yaml")
    (copy / table).parent.mkdir(parents=True)
    row = (
        "- {suite: toy-rot13, title: Rot 13, encrypts: false, native: {toy: ROT13}, "
        "absent: {openssl: OpenSSL encrypts}}\n"
    )
    text = (ROOT / table).read_text().replace("\ndialects:\n", "\ndialects:\n  toy: what a toy says\n")
    (copy / table).write_text(text + row)
    return copy


@pytest.fixture
def toy(lab: Lab, root: Path) -> Iterator[Lab]:
    """The command with that catalog, the toy's image built; it is removed afterwards."""
    lab.environment["LAB_ROOT"] = str(root)
    yield lab
    for running in lab.started:
        running.end()
    if lab.engine.image_id("lab/toy:latest"):
        lab.engine.client.images.remove("lab/toy:latest", force=True)
