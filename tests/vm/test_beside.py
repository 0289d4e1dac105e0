# SPDX-License-Identifier: MIT
"""Two guests side by side; the second runs out of memory, hangs, and is killed, under the eyes of the first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from docker.errors import DockerException
from e2e.command import wait_for
from requests.exceptions import RequestException

from lab.core.errors import LabError
from lab.engines import engine as engines
from lab.engines import guest, guest_start, guest_states
from lab.engines.choice import Choice
from lab.engines.engine import Engine

from .conftest import PREFIX, Kept
from .guests import Patient, disks, left, run

pytestmark = [pytest.mark.docker, pytest.mark.vm, pytest.mark.timeout(1200)]

NAME = f"{PREFIX}other"


@pytest.fixture(scope="module")
def other(kept: Kept, host: Engine) -> Iterator[Kept]:
    """A second guest, of other options, for which /dev/kvm is tried as if never before; it is booted, from no state."""
    run(host, "rm -f /disks/kvm-*-stable", volumes={guest.VOLUME: {"bind": "/disks", "mode": "rw"}})
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guest_states, "ROOM", 10**18)
        choice = Choice(name="vm", kernel="stable", memory=1024, processors=1)
        there = guest_start.up(host, NAME, choice, said.append, keep=True)
    yield Kept(there, "\n".join(said), disks(host), there.connect())
    there.remove()


def test_nothing_is_brought_again(other: Kept, kept: Kept) -> None:
    assert "copying" not in other.text
    assert other.disks == kept.disks != ""


def test_kvm_was_tried(other: Kept, host: Engine) -> None:
    volume = {guest.VOLUME: {"bind": "/disks", "mode": "ro"}}
    verdicts = run(host, "cat /disks/kvm-*-stable", volumes=volume).stdout.split()
    if not guest.DEVICE.exists():
        assert verdicts == []
        assert ", tcg; " in other.text
        return
    (verdict,) = verdicts
    works = {"yes": ", kvm; ", "no": ", tcg, since /dev/kvm does not boot this kernel; "}
    assert works[verdict] in other.text


def test_both_answer_as_they_were_asked_for(other: Kept, kept: Kept) -> None:
    assert other.engine.facts["KernelVersion"].startswith("6.12.")
    assert other.engine.facts["NCPU"] == 1
    assert other.engine.facts["MemTotal"] < 2**30
    assert kept.engine.client.info()["NCPU"] == 2
    volume = other.engine.client.volumes.create("only-here")
    assert [each.name for each in other.engine.client.volumes.list()] == ["only-here"]
    assert not kept.engine.client.volumes.list()
    volume.remove()


def test_memory_runs_out_in_a_container(other: Kept) -> None:
    result = run(replace(other.engine, patience=2.0), "perl -e 'push @all, q(x) x 5e7 while 1'")
    assert result.status == 137, result.complaint
    assert "guest: error" not in other.guest.console(400)
    other.engine.client.ping()


def test_its_engine_does_not_answer(other: Kept, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest, "ANSWER", 3)
    other.guest.container.pause()
    try:
        with pytest.raises(LabError, match=r"the guest's engine does not answer: (?s:.*)guest: engine ready"):
            other.guest.connect()
    finally:
        other.guest.container.unpause()
    kept.engine.client.ping()


def test_it_hangs_and_is_killed(other: Kept, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs under a command is not waited for: its machine is killed when the limit is long over."""
    container = other.engine.client.containers.run("lab/base:latest", ["sleep", "infinity"], detach=True, init=True)
    hasty = replace(other.engine, patience=1.0)
    monkeypatch.setattr(engines, "GRACE", 2.0)
    other.guest.container.pause()
    began = time.monotonic()
    with pytest.raises((LabError, DockerException, RequestException)):
        hasty.execute(container, ["true"], timeout=1)
    assert 3 <= time.monotonic() - began < 60

    def gone() -> bool:
        other.guest.container.reload()
        return not other.guest.alive

    wait_for(gone, "the end of its container")
    kept.engine.client.ping()


def test_one_that_ended_is_told_of_and_taken_down(other: Kept, lab: Patient, host: Engine) -> None:
    other.guest.container.reload()
    if other.guest.alive:
        other.guest.container.kill()
    (row,) = (row for row in lab.ok("vm", "status", "--json").json() if row["guest"] == NAME)
    assert row["state"] == "exited"
    assert "guest: engine ready" in lab.ok("vm", "logs", "--name", NAME).text
    lab.ok("vm", "down", "--name", NAME)
    assert not list(left(host, PREFIX))
