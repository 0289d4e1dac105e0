"""The meter agrees with what the ends see themselves, and its CPU counters grow by what is spent, where it is spent."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest

from .conftest import ENDS, LOADS, Lab, said

pytestmark = pytest.mark.docker

ROLES = (*ENDS, *LOADS)
SPIN = "for ((i = 0; i < 200000; i++)); do :; done; times"


def snapshot(live: Lab) -> dict[str, dict[str, Any]]:
    """What the meter says of each container."""
    roles = {str(live.container(role).id): role for role in ROLES}
    reading = json.loads(said(live.host("meter"), "snapshot " + " ".join(roles)))
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
    seen = snapshot(live)
    for role in ROLES:
        top = live.container(role).top()
        assert set(seen[role]["pids"]) == {int(row[top["Titles"].index("PID")]) for row in top["Processes"]}
