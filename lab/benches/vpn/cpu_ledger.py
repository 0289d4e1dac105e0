# SPDX-License-Identifier: MIT
"""Where the CPU time went: from two snapshots and two readings of the machine's clock to seconds, switches and cost.

The machine's time comes from the first line of /proc/stat, read right before and right after the load by the shell
that ran it (`images/base/bracket`). The time of each end is that of its control group: the VPN's processes and all
their children, those that ended included. The kernel charges interrupts to whoever they interrupted, so `cpu_system`
of an end can hold some of the machine's `cpu_softirq`. The split into user and system is sampled by the kernel's tick;
totals are exact.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lab.core.errors import InvalidSample
from lab.results.cpu import BUSY, SHOWN
from lab.results.reading import Reading

GIGABYTE = 1e9
JUMP = 0.05
"""Seconds by which the clock that can be set may differ from the one that cannot (read to hundredths), and 1 % more."""
TICKS = 100
"""USER_HZ: what a second is in /proc/stat, on every Linux (include/uapi/asm-generic/param.h)."""

STATES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""The columns of /proc/stat in their order (proc(5)); guest time is part of user."""


@dataclass(frozen=True)
class Bracket:
    """Wall-clock seconds of a load, and the seconds of CPU that the whole machine spent in each state meanwhile."""

    wall: float
    machine: dict[str, float]

    LINE = re.compile(r"^bracket (\d+\.\d+) (\d+\.\d+) cpu +([\d ]+)$", re.MULTILINE)

    @classmethod
    def parse(cls, stderr: str) -> Bracket:
        """Read what `images/base/bracket` printed after the load's own messages.

        Raises:
            InvalidSample: the clock was set, or jumped, during the load.
        """
        found = cls.LINE.findall(stderr)[-2:]
        if len(found) != 2:
            raise ValueError(f"no two bracket lines in {stderr[-200:]!r}")
        (before, was_up, old), (after, is_up, new) = found
        wall = float(after) - float(before)
        jump = wall - (float(is_up) - float(was_up))
        if abs(jump) > JUMP + 0.01 * abs(wall):
            raise InvalidSample(f"the clock jumped by {jump:+.2f} s during the load")
        ticks = zip(STATES, map(int, old.split()), map(int, new.split()), strict=False)
        return cls(wall, {state: (late - early) / TICKS for state, early, late in ticks})

    @classmethod
    def only(cls, stderr: str) -> str:
        """`stderr` without what the meter said, which is kept apart."""
        return re.sub(r"^(?:snapshot|wire) \{.*\n", "", stderr, flags=re.MULTILINE)

    @classmethod
    def strip(cls, stderr: str) -> str:
        """`stderr` without any line of the bracket, nor space at its ends."""
        return cls.LINE.sub("", cls.only(stderr)).strip()

    @property
    def busy(self) -> float:
        """Seconds of CPU that were neither idle nor another machine's."""
        return sum(self.machine[state] for state in BUSY)


def readings(load: dict[str, Any], payload: float, *, counted: bool = False) -> list[Reading]:
    """The whole ledger of a load (see `lab.benches.vpn.tunnel.Tunnel.load`) that carried `payload` bytes.

    `counted`: the clock counts what its one processor executes, so what was not idle was busy. Idle time itself is told
    in steps of 10 ms (/proc/stat): `cost` is that coarse, and no coarser; in which state the rest was, ticks sample.
    """
    bracket = Bracket.parse(load["stderr"])
    busy = bracket.wall - bracket.machine["idle"] - bracket.machine["iowait"] if counted else bracket.busy
    gigabytes = payload / GIGABYTE
    rows = [Reading("wall", "s", "machine", bracket.wall), Reading("payload", "B", "machine", payload)]
    machine = bracket.machine | {"user": bracket.machine["user"] + bracket.machine["nice"]}
    rows += [Reading(f"cpu_{state}", "s", "machine", machine[state]) for state in SHOWN]
    threads = _threads(load["before"]["kernel_threads"], load["after"]["kernel_threads"])
    rows.append(Reading("cpu_kernel_threads", "s", "machine", threads))
    if gigabytes:
        rows.append(Reading("cost", "s/GB", "machine", busy / gigabytes))
    for end, old in load["before"]["ends"].items():
        new = load["after"]["ends"][end]
        spent = {key: new[key] - old[key] for key in ("cpu", "user", "system", "voluntary", "involuntary")}
        share = spent["user"] / (spent["user"] + spent["system"]) if spent["user"] + spent["system"] else 0.0
        rows.append(Reading("cpu_user", "s", end, spent["cpu"] * share))
        rows.append(Reading("cpu_system", "s", end, spent["cpu"] * (1 - share)))
        if end in ("server", "client"):
            kinds = ("voluntary", "involuntary")
            rows += [Reading(f"context_switches_{kind}", "count", end, spent[kind]) for kind in kinds]
            if gigabytes:
                rows.append(Reading("cost", "s/GB", end, spent["cpu"] / gigabytes))
    return rows


def _threads(before: dict[str, float], after: dict[str, float]) -> float:
    """Seconds that kernel threads ran meanwhile; what one that ended in between ran is not known."""
    return sum(max(0.0, seconds - before.get(number, 0.0)) for number, seconds in after.items())


def gap(rows: Sequence[Reading], processors: int) -> float:
    """The share of the machine's time that its states do not account for (0 when they close)."""
    value = {(row.metric, row.end): row.value for row in rows}
    whole = value[("wall", "machine")] * processors
    return (whole - sum(value[(f"cpu_{state}", "machine")] for state in SHOWN)) / whole
