# SPDX-License-Identifier: MIT
"""A lab for every VPN and variant, brought up by the command itself; those that this kernel cannot run are skipped."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from docker.models.containers import Container
from testinfra.backend.base import CommandResult
from testinfra.backend.docker import DockerBackend
from testinfra.host import Host

from lab.benches.vpn import requirements
from lab.catalog.catalog import Catalog
from lab.catalog.suites import Suite
from lab.catalog.vpns import Vpn
from lab.engines.engine import Engine, connect
from lab.engines.ownership import NAME
from lab.testbed import testbed

LAB = Path(sys.executable).with_name("lab")
CATALOG = Catalog()
TUNNELS = [(vpn, variant) for vpn in CATALOG.vpns.values() for variant in vpn.file.variants]
ENDS = ("server", "client")
LOADS = ("server-load", "client-load")


def lab(*words: str) -> str:
    """Run the command; it must succeed."""
    done = subprocess.run([LAB, *words], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, f"lab {' '.join(words)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def suite_of(vpn: Vpn, variant: str) -> Suite:
    """The first quick suite that a data path has, or its first."""
    spoken = [row for row in CATALOG.suites.values() if not vpn.why_not(variant, row)]
    return next((row for row in spoken if row.quick), spoken[0])


class Inside(DockerBackend):  # type: ignore[misc]
    """A container of an engine by its address, which testinfra's own has only in the environment."""

    def __init__(self, name: str, address: str) -> None:
        super().__init__(name)
        self.options = ["--host", address] if address else []

    def run(self, command: str, *args: str, **_: object) -> CommandResult:
        words = ["docker", *self.options, "exec", self.name, "/bin/sh", "-c", self.get_command(command, *args)]
        return self.run_local(" ".join(["%s"] * len(words)), *words)


@dataclass(frozen=True)
class Lab:
    """A lab that is up."""

    engine: Engine
    name: str
    vpn: Vpn
    variant: str
    suite: Suite

    def host(self, role: str) -> Host:
        """A container, for testinfra."""
        return Host(Inside(f"lab-{self.name}-{role}", self.engine.address))

    def container(self, role: str) -> Container:
        """A container, for Docker."""
        return self.engine.client.containers.get(f"lab-{self.name}-{role}")

    def environment(self, role: str) -> dict[str, str]:
        """What a container was told."""
        return dict(entry.split("=", 1) for entry in self.container(role).attrs["Config"]["Env"])

    @property
    def encrypts(self) -> bool:
        """Whether the wire must carry ciphertext."""
        return self.vpn.file.encrypts and self.suite.encrypts


def said(host: Host, command: str, *words: str) -> str:
    """What a command printed; it must succeed."""
    result = host.run(command, *words)
    assert result.rc == 0, result
    return str(result.stdout)


@contextmanager
def up(engine: Engine, lacks: dict[tuple[str, str], str], name: str, vpn: Vpn, variant: str) -> Iterator[Lab]:
    """A lab by `lab up`, taken down by `lab down`."""
    if (vpn.name, variant) in lacks:
        pytest.skip(lacks[vpn.name, variant])
    if name in testbed.labs(engine):  # left by tests that were killed
        testbed.sweep(engine, name)
    suite = suite_of(vpn, variant)
    where = ["--engine", engine.name] if engine.name != "host" else []
    lab("up", vpn.name, "--variant", variant, "--cipher", suite.suite, "--name", name, *where)
    try:
        yield Lab(engine, name, vpn, variant, suite)
    finally:
        lab("down", "--name", name, *where)
    label: dict[str, str | list[str] | bool] = {"label": f"{NAME}={name}"}
    assert not engine.client.containers.list(all=True, filters=label, ignore_removed=True)
    assert not engine.client.networks.list(filters=label)
    assert not engine.client.volumes.list(filters=label)


@pytest.fixture(scope="session")
def engine() -> Engine:
    return connect()


@pytest.fixture(scope="session")
def images(engine: Engine) -> None:
    """Every image as its folder is now."""
    lab("build")


@pytest.fixture(scope="session")
def lacks(engine: Engine, images: None) -> dict[tuple[str, str], str]:
    """The data paths that this kernel cannot run, and why."""
    return requirements.lacks(engine, list(CATALOG.vpns.values()))


@pytest.fixture(scope="session", params=TUNNELS, ids=lambda tunnel: f"{tunnel[0].name}-{tunnel[1]}")
def live(request: pytest.FixtureRequest, engine: Engine, lacks: dict[tuple[str, str], str]) -> Iterator[Lab]:
    """Each VPN and variant with its first quick suite."""
    vpn, variant = request.param
    with up(engine, lacks, f"live-{vpn.name}-{variant}", vpn, variant) as bed:
        yield bed


@pytest.fixture(scope="session")
def beside(engine: Engine, lacks: dict[tuple[str, str], str]) -> Iterator[Lab]:
    """One lab more, up at the same time as every other."""
    vpn = next(iter(CATALOG.vpns.values()))
    with up(engine, lacks, "live-beside", vpn, next(iter(vpn.file.variants))) as bed:
        yield bed
