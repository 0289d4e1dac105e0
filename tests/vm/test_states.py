# SPDX-License-Identifier: MIT
"""The states that guests go on from: made once, the same for all, with nothing that two guests must not share."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest
from e2e.command import wait_for

from lab.engines import guest, guest_disks, guest_folders, guest_start, guest_states
from lab.engines.choice import Choice, Clock
from lab.engines.engine import Engine
from lab.engines.guest import Guest

from .conftest import PREFIX
from .guests import left, run, shell

pytestmark = [pytest.mark.docker, pytest.mark.vm, pytest.mark.timeout(1200)]

STATES: dict[Clock, Choice] = {
    "wall": Choice(name="vm", kernel="stable"),
    "instructions": Choice(name="vm", kernel="stable", clock="instructions"),
}
Pair = tuple[Guest, Guest, list[str]]


@pytest.fixture(scope="module", params=STATES)
def two(host: Engine, request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Two guests of one state, and what was said about the second."""
    choice = STATES[request.param]
    if choice.clock == "wall" and "yes" in in_disks(host, "cat /disks/kvm-*-stable 2>/dev/null || :"):
        pytest.skip("KVM boots the kernel of a guest here: it keeps no state")
    said: list[str] = []
    guests: list[Guest] = []
    try:
        guests.append(guest_start.up(host, f"{PREFIX}one", choice, print))
        guests.append(guest_start.up(host, f"{PREFIX}two", choice, said.append))
        yield guests[0], guests[1], said
    finally:
        for each in guests:
            each.remove()
    assert not list(left(host, PREFIX))


def in_disks(host: Engine, script: str) -> str:
    return run(host, script, volumes={guest.VOLUME: {"bind": "/disks", "mode": "rw"}}).stdout


def test_it_is_not_booted(two: Pair) -> None:
    one, other, said = two
    assert not [line for line in said if "booted" in line]
    for each in (one, other):
        assert "guest: kernel" not in each.console(400)
        assert "guest: engine ready" in each.console(400)


def test_no_two_share_random_numbers(two: Pair) -> None:
    numbers = [shell(each, "cat /proc/sys/kernel/random/uuid; openssl rand -hex 8 2>/dev/null") for each in two[:2]]
    assert not set(numbers[0].split()) & set(numbers[1].split())
    assert "crng reseeded due to virtual machine fork" in shell(two[0], "dmesg | grep crng")


def test_its_engine_waits_while_a_load_runs(two: Pair) -> None:
    """What it does by itself, as collecting its garbage, would be counted with the load."""
    group = "/sys/fs/cgroup/engine"
    said = shell(two[1], f"cat {group}/cpu.idle; for p in $(cat {group}/cgroup.procs); do cat /proc/$p/comm; done")
    idle, *names = said.split()
    assert idle == "1"
    assert {"containerd", "dockerd"} <= set(names)
    assert "engine" not in run(two[1].connect(), "cat /proc/self/cgroup").stdout


def test_its_date_is_now(two: Pair) -> None:
    """On the instruction clock idle time is jumped over: it is ahead, and never behind."""
    behind, ahead = 10, 10 if two[0].choice.clock == "wall" else 10**7
    before = time.time()
    told = float(shell(two[1], "date +%s"))
    assert before - behind < told < time.time() + ahead


def test_what_one_writes_the_other_does_not_see(two: Pair) -> None:
    one, other, _ = two
    one.connect().client.volumes.create("only-here")
    assert other.connect().client.volumes.list() == []


def test_a_state_whose_disk_is_gone_goes_and_the_last_ones_stay(host: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = f"{PREFIX}{os.getpid()}-states"
    for module in (guest_disks, guest):
        monkeypatch.setattr(module, "VOLUME", volume)
    host.client.volumes.create(volume)
    try:
        made = "\n".join(
            f'mkdir /disks/{name}.state; touch -a -d "{age} minutes ago" /disks/{name}.state/memory'
            for age, name in enumerate(["aa-new", "aa-old", "bb-any", "aa-older"])
        )
        in_disks(
            host, f"touch /disks/aa.disk; {made}; mkdir /disks/aa-now.state.part; touch /disks/aa-now.state.part/memory"
        )
        keep = ["sh", "-ec", guest_states.KEEP, "sh", "/disks/aa-now.state.part", "/disks/aa-now.state", "3"]
        guest_disks.in_volume(host, keep, check=True)
        assert in_disks(host, "ls /disks").split() == ["aa-new.state", "aa-now.state", "aa-old.state", "aa.disk"]
    finally:
        host.client.volumes.get(volume).remove(force=True)


def test_no_room_means_that_it_is_booted(host: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_states, "ROOM", 10**18)
    unlike = Choice(name="vm", kernel="stable", memory=1025)
    assert guest_states.ready(host, unlike, guest_disks.path(host), print) == ""


def test_who_waits_says_for_what(host: Engine) -> None:
    said: list[str] = []

    def wait() -> None:
        with guest_folders.locked("test", said.append, "it is made"):
            said.append("mine")

    with guest_folders.locked("test"):
        thread = threading.Thread(target=wait)
        thread.start()
        wait_for(lambda: said, "a word")
        assert said == ["guest: waiting: it is made"]
    thread.join(10)
    wait()
    assert said[1:] == ["mine", "mine"], "nobody waits where it is free"
