# SPDX-License-Identifier: MIT
"""The meter agrees with what the ends see themselves, and its CPU counters grow by what is spent, where it is spent.

It is asked as a run asks it, by a load at the gate, and once by itself.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest

from lab.benches.vpn.around import snapshots, wire_seen
from lab.benches.vpn.cpu_ledger import Bracket
from lab.benches.vpn.tunnel import METER_FAILED

from .conftest import ENDS, LOADS, Lab, said

pytestmark = pytest.mark.docker

ROLES = (*ENDS, *LOADS)
ONCE = ("meter", "python3 /usr/local/lib/meter")
SPIN = "for ((i = 0; i < 200000; i++)); do :; done; times"


def numbers(live: Lab) -> dict[str, str]:
    """The roles by the numbers of their containers, by which the meter knows them."""
    return {str(live.container(role).id): role for role in ROLES}


def snapshot(live: Lab, host: str = "client-load", command: str = "ask") -> dict[str, dict[str, Any]]:
    """What the meter says of each container."""
    roles = numbers(live)
    reading = json.loads(said(live.host(host), f"{command} snapshot " + " ".join(roles)))
    assert min(reading["kernel_threads"].values()) >= 0.001
    return {roles[container]: counters for container, counters in reading["ends"].items()}


def interfaces(live: Lab, role: str) -> dict[str, tuple[int, ...]]:
    """Bytes and packets received and sent, by the container's own /proc."""
    rows = [line.split(":") for line in said(live.host(role), "cat /proc/net/dev").splitlines()[2:]]
    counters = {name.strip(): [int(value) for value in values.split()] for name, values in rows}
    return {name: (row[0], row[1], row[8], row[9]) for name, row in counters.items()}


def test_it_sees_the_interfaces_as_the_ends_do(live: Lab) -> None:
    said(live.host("client"), "ping -n -q -c 3 -i 0.05 -W 5 %s", live.environment("client")["TUNNEL_PEER"])
    before = {role: interfaces(live, role) for role in ROLES}
    seen = snapshot(live)
    after = {role: interfaces(live, role) for role in ROLES}
    for role in ROLES:
        assert set(seen[role]["interfaces"]) == set(before[role])
        assert live.vpn.file.interface in before[role]
        for name, counters in seen[role]["interfaces"].items():
            told = tuple(counters[key] for key in ("rx_bytes", "rx_packets", "tx_bytes", "tx_packets"))
            for early, value, late in zip(before[role][name], told, after[role][name], strict=True):
                assert early <= value <= late, f"{role} {name}"
        assert before[role][live.vpn.file.interface][1] >= 3


@pytest.mark.parametrize("busy", ROLES)
def test_cpu_time_is_charged_to_the_container_that_spent_it(live: Lab, busy: str) -> None:
    before = snapshot(live)
    times = said(live.host(busy), "bash -c %s", SPIN)
    after = snapshot(live)
    spent = sum(int(minutes) * 60 + float(rest) for minutes, rest in re.findall(r"(\d+)m([\d.]+)s", times))
    grown = {role: after[role]["cpu"] - before[role]["cpu"] for role in ROLES}
    assert grown[busy] >= spent - 0.02  # `times` counts in ticks
    assert all(value >= 0 for value in grown.values())
    assert all(value < grown[busy] / 2 for role, value in grown.items() if role != busy)


def test_counters_never_fall(live: Lab) -> None:
    readings = [snapshot(live) for _ in range(3)]
    for early, late in pairwise(readings):
        for role in ROLES:
            for key in ("cpu", "user", "system"):
                assert late[role][key] >= early[role][key], f"{role} {key}"


def test_it_knows_the_processes_of_each_end(live: Lab) -> None:
    seen = snapshot(live, *ONCE)  # at the gate, whoever asks is a process too
    for role in ROLES:
        top = live.container(role).top()
        assert set(seen[role]["pids"]) == {int(row[top["Titles"].index("PID")]) for row in top["Processes"]}


def test_it_answers_once_as_it_answers_at_the_gate(live: Lab) -> None:
    asked = snapshot(live)
    once = snapshot(live, *ONCE)
    assert list(once) == list(asked) == list(ROLES)
    for role in ("server", "client", "server-load"):  # a load that asks has a process more
        assert once[role]["pids"] == asked[role]["pids"]
        assert once[role]["cpu"] >= asked[role]["cpu"]


def test_a_load_runs_between_two_of_its_readings(live: Lab) -> None:
    roles = numbers(live)
    loads = " ".join(str(live.container(role).id) for role in LOADS)
    result = live.host("client-load").run(f"bracket 0.020000 ip {loads} -- {' '.join(roles)} -- bash -c '{SPIN}'")
    assert result.rc == 0, result
    times = re.findall(r"(\d+)m([\d.]+)s", result.stdout)
    spent = sum(int(minutes) * 60 + float(rest) for minutes, rest in times)
    before, after = snapshots(result.stderr, roles)
    grown = after["ends"]["client-load"]["cpu"] - before["ends"]["client-load"]["cpu"]
    bracket = Bracket.parse(result.stderr)
    assert grown >= spent - 0.02  # `times` counts in ticks
    assert bracket.wall >= spent / 2  # all of it by one process, and ticks again
    assert bracket.wall < 30
    assert Bracket.strip(result.stderr) == ""
    assert wire_seen(result.stderr, roles) == {end: {"packets": 0, "bytes": 0, "lost": 0} for end in ENDS}


def test_it_sees_what_a_filter_does_not_explain(live: Lab) -> None:
    """Ten echoes past the tunnel, of 1042 bytes with their headers, and their answers: each end receives ten."""
    roles, loads = numbers(live), " ".join(str(live.container(role).id) for role in LOADS)
    wire = live.environment("client")["PEER"]
    words = f"{loads} -- {' '.join(roles)} -- ping -n -q -c 10 -i 0.01 -W 5 -s 1000 {wire}"
    for explained, packets in (("not icmp", 10), ("not icmp[icmptype] = icmp-echo", 10), ("ip", 0)):
        result = live.host("client-load").run("bracket 0.000000 %s " + words, explained)
        assert result.rc == 0, result
        seen = wire_seen(result.stderr, roles)
        assert seen["server"] == {"packets": packets, "bytes": 1042 * packets, "lost": 0}, explained
        answers = packets if explained == "not icmp" else 0
        assert seen["client"] == {"packets": answers, "bytes": 1042 * answers, "lost": 0}, explained


def test_it_counts_the_system_calls_of_an_end_while_a_load_runs(live: Lab) -> None:
    """Echoes of the client's own: 20 that are sent by a process in its namespace."""
    space = re.sub(r"\D", "", said(live.host("client-load"), "readlink /proc/self/ns/pid"))
    peer = live.environment("client")["TUNNEL_PEER"]
    result = live.host("client-load").run(f"counted {space} -- ping -n -q -c 20 -i 0.01 -W 5 {peer}")
    assert result.rc == 0, result
    calls = json.loads(result.stderr.splitlines()[-1])
    assert list(calls) == [space]
    assert calls[space]["sendto"] == 20
    assert calls[space]["recvmsg"] >= 20
    assert "syscall-" not in str(list(calls[space])), "a call has no name"


def test_what_it_cannot_answer_is_said_and_the_next_is_answered(live: Lab) -> None:
    host = live.host("client-load")
    for question, why in (
        ("snapshot " + "f" * 64, "it has stopped"),
        ("snapshot", ""),
        ("weather", "weather"),
        ("count nonsense", "nonsense"),
        ("watch " + "f" * 64 + " : ip", "it has stopped"),
        ("watched", "is not being watched"),
    ):
        result = host.run(f"ask {question}")
        if why:
            assert result.rc == 1, question
            assert why in json.loads(result.stderr)["error"]
        else:
            assert json.loads(result.stdout)["ends"] == {}
    failed = host.run(f"bracket 0.000000 ip {'f' * 64} -- {'f' * 64} -- touch /run/ran")
    assert failed.rc == METER_FAILED
    assert not host.file("/run/ran").exists
    assert set(snapshot(live)) == set(ROLES)


def test_nobody_but_the_clients_load_is_at_the_gate(live: Lab) -> None:
    for role in ("server", "client", "server-load"):
        assert not live.host(role).file("/gate").exists
    result = live.host("server-load").run("ask snapshot")
    assert (result.rc, result.stderr.strip()) == (1, "the meter is not at the gate")
