# SPDX-License-Identifier: MIT
"""A command that goes on until it is told to end, without another process that tells it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from docker.models.containers import Container

from lab.core.command import Result
from lab.core.errors import LabError
from lab.engines import ownership
from lab.engines.attached import attached
from lab.engines.engine import Engine, once_name

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def container(engine: Engine) -> Iterator[Container]:
    labels = ownership.labels(once_name())
    running = engine.client.containers.run(
        "lab/base:latest", ["sleep", "infinity"], detach=True, init=True, network_mode="none", labels=labels
    )
    yield running
    running.remove(force=True)


def test_it_has_begun_and_ends_when_it_is_told(engine: Engine, container: Container) -> None:
    script = "echo begun; read -r word; echo over >&2; exit 3"
    with attached(engine, container, ["bash", "-c", script], timeout=20) as command:
        assert command.outputs[1] == b"begun\n"
        assert "read -r word" in str(container.top()["Processes"])
        assert command.end() == Result(3, "begun\n", "over\n")


def test_what_it_prints_at_once_is_not_lost(engine: Engine, container: Container) -> None:
    """An answer of the engine that has some of the output behind it must not swallow that."""
    for _ in range(10):
        with attached(engine, container, ["bash", "-c", "echo begun; echo >&2 so; read -r _"], timeout=20) as command:
            assert command.end() == Result(0, "begun\n", "so\n")


def test_one_that_is_over_at_once_says_why(engine: Engine, container: Container) -> None:
    with attached(engine, container, ["bash", "-c", "echo why >&2; exit 125"], timeout=20) as command:
        assert command.end() == Result(125, "", "why\n")


def test_without_its_input_it_ends_by_itself(engine: Engine, container: Container) -> None:
    with attached(engine, container, ["bash", "-c", "echo begun; read -r _ || touch /run/ended"], timeout=20):
        pass
    assert engine.execute(container, ["wait-until", "10", "test", "-e", "/run/ended"], timeout=15).status == 0


def test_one_that_does_not_end_is_killed_in_time(engine: Engine, container: Container) -> None:
    with attached(engine, container, ["bash", "-c", "echo begun; exec sleep infinity"], timeout=0.5) as command:
        assert command.end().status in (124, 137)


def test_a_container_that_is_not_there_is_named(engine: Engine, container: Container) -> None:
    gone = engine.client.containers.create("lab/base:latest", ["true"], labels=dict(container.labels))
    try:
        with pytest.raises(LabError, match=str(gone.name)), attached(engine, gone, ["true"], timeout=5):
            pass
    finally:
        gone.remove(force=True)
