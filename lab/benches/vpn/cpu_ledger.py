# SPDX-License-Identifier: MIT
"""Where the CPU time went: from two snapshots and two readings of the machine's clock to seconds, switches and cost.

The machine's time is the first line of /proc/stat. The shell that runs the load reads it right before and right after
(`images/base/bracket`). The time of each endpoint is that of its control group: the VPN's processes and all their
children, those that ended included. The kernel charges an interrupt to the process that it interrupts, so `cpu_system`
of an endpoint can contain some of the machine's `cpu_softirq`. The kernel's tick samples the split into user and
system; totals are exact.

Where the ends are on two machines, `machine` is the sum of both for the time of the load, and each has figures of its
own as well. The server's is read for a little longer than the load (`around`): by that much less of its time is idle.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from lab.core.errors import InvalidSample
from lab.results.cpu import BUSY, MACHINE, SHOWN
from lab.results.quantity import Quantity
from lab.results.reading import Reading

FIGURES = (Quantity("cost", "s/GB", better="less"),)
"""What cells and runs are compared by of every load, beside the figures of its measure."""
GIGABYTE = 1e9
JUMP = 0.05
"""Seconds by which the settable clock may differ from the monotonic one (read to hundredths), and 1 % more."""
TICKS = 100
"""USER_HZ: ticks per second in /proc/stat, on every Linux (include/uapi/asm-generic/param.h)."""

STATES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""The columns of /proc/stat in order (proc(5)); guest time is part of user."""


@dataclass(frozen=True)
class Bracket:
    """Wall-clock seconds of a load, and the CPU seconds of a whole machine in each state during it."""

    wall: float
    machine: dict[str, float]

    LINE = re.compile(r"^bracket (\d+\.\d+) (\d+\.\d+) cpu +([\d ]+)$", re.MULTILINE)

    @classmethod
    def parse(cls, stderr: str) -> Bracket:
        """Parse what `images/base/bracket` printed after the load's own messages.

        Raises:
            InvalidSample: the clock was set, or jumped, during the load.
        """
        lines = cls.LINE.findall(stderr)[-2:]
        if len(lines) != 2:
            raise ValueError(f"no two bracket lines in {stderr[-200:]!r}")
        (before, was_up, old), (after, is_up, new) = lines
        wall = float(after) - float(before)
        jump = wall - (float(is_up) - float(was_up))
        if abs(jump) > JUMP + 0.01 * abs(wall):
            raise InvalidSample(f"the clock jumped by {jump:+.2f} s during the load")
        ticks = zip(STATES, map(int, old.split()), map(int, new.split()), strict=False)
        return cls(wall, {state: (late - early) / TICKS for state, early, late in ticks})

    @classmethod
    def only(cls, stderr: str) -> str:
        """`stderr` without the meter's lines, which are kept separately."""
        return re.sub(r"^(?:snapshot|wire) \{.*\n", "", stderr, flags=re.MULTILINE)

    @classmethod
    def strip(cls, stderr: str) -> str:
        """`stderr` without any line of the bracket, and without outer whitespace."""
        return cls.LINE.sub("", cls.only(stderr)).strip()

    @property
    def busy(self) -> float:
        """CPU seconds that were neither idle nor stolen by another machine."""
        return sum(self.machine[state] for state in BUSY)

    @property
    def shown(self) -> dict[str, float]:
        """The CPU seconds of the states that reports show."""
        return {state: self.machine[state] for state in SHOWN} | {"user": self.machine["user"] + self.machine["nice"]}

    def during(self, wall: float) -> Bracket:
        """The same for a shorter time, without the idle time of the rest: nothing of the lab ran there meanwhile."""
        idle = self.machine["idle"] - sum(self.machine.values()) * (1 - wall / self.wall)
        return Bracket(wall, self.machine | {"idle": max(0.0, idle)})

    def __add__(self, other: Bracket) -> Bracket:
        """Both machines together, for the same time."""
        return Bracket(self.wall, {state: seconds + other.machine[state] for state, seconds in self.machine.items()})


def readings(load: dict[str, Any], payload: float, *, counted: bool = False) -> list[Reading]:
    """The whole ledger of a load (see `lab.benches.vpn.tunnel.Tunnel.load`) that carried `payload` bytes.

    `counted`: the clock counts what its one processor executes, so all time that was not idle was busy. The kernel
    reports idle time in steps of 10 ms (/proc/stat), so `cost` has that resolution. Ticks sample the other states. Of a
    machine that idled for most of the time, what is left would be the error of that: it has no `cost` then.
    """
    near = Bracket.parse(load["stderr"])
    machines = {"client": (near, load)}
    if far := load.get("far"):
        machines["server"] = Bracket.parse(far["stderr"]).during(near.wall), far
    bracket = reduce(add, [each for each, _ in machines.values()])
    idle = bracket.machine["idle"] + bracket.machine["iowait"]
    busy = bracket.wall - idle if counted else bracket.busy
    gigabytes = payload / GIGABYTE
    rows = [Reading("wall", "s", MACHINE, bracket.wall), Reading("payload", "B", MACHINE, payload)]
    rows += [Reading(f"cpu_{state}", "s", MACHINE, seconds) for state, seconds in bracket.shown.items()]
    threads = sum(
        _threads(*(read[time]["kernel_threads"] for time in ("before", "after"))) for _, read in machines.values()
    )
    rows.append(Reading("cpu_kernel_threads", "s", MACHINE, threads))
    for end, (each, _) in machines.items() if far else ():
        rows += [Reading(f"cpu_{state}", "s", f"{end}-{MACHINE}", seconds) for state, seconds in each.shown.items()]
        if gigabytes:
            rows.append(Reading("cost", "s/GB", f"{end}-{MACHINE}", each.busy / gigabytes))
    if gigabytes and not (counted and idle > bracket.wall / 2):
        rows.append(Reading("cost", "s/GB", MACHINE, busy / gigabytes))
    for end, old in load["before"]["ends"].items():
        new = load["after"]["ends"][end]
        if "cpu" not in new:  # the network of one of many clients: all of them are the client's control group
            continue
        deltas = {key: new[key] - old[key] for key in ("cpu", "user", "system", "voluntary", "involuntary")}
        share = deltas["user"] / (deltas["user"] + deltas["system"]) if deltas["user"] + deltas["system"] else 0.0
        rows.append(Reading("cpu_user", "s", end, deltas["cpu"] * share))
        rows.append(Reading("cpu_system", "s", end, deltas["cpu"] * (1 - share)))
        if end in ("server", "client"):
            kinds = ("voluntary", "involuntary")
            rows += [Reading(f"context_switches_{kind}", "count", end, deltas[kind]) for kind in kinds]
            if gigabytes:
                rows.append(Reading("cost", "s/GB", end, deltas["cpu"] / gigabytes))
    return rows


def _threads(before: dict[str, float], after: dict[str, float]) -> float:
    """Seconds that kernel threads ran; those of a thread that ended meanwhile are unknown."""
    return sum(max(0.0, seconds - before.get(number, 0.0)) for number, seconds in after.items())


def gap(rows: Sequence[Reading], processors: int) -> float:
    """The share of the machine's time that its states do not account for (0 if the ledger closes)."""
    value = {(row.metric, row.end): row.value for row in rows}
    whole = value[("wall", MACHINE)] * processors
    return (whole - sum(value[(f"cpu_{state}", MACHINE)] for state in SHOWN)) / whole
