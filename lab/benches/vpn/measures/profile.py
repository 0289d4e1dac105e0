# SPDX-License-Identifier: MIT
"""Profile: every instruction that a byte costs, by task and function (images/vm/profile.c counts them).

A file goes through the tunnel, as for a transfer. The window is open from the start of the command that sends it to
its end, for the whole machine. So the sum over the functions is what the guest's clock says, less the idle time, which
the clock jumps over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from lab.benches.vpn.measures import Options, transfer
from lab.benches.vpn.tunnel import Tunnel
from lab.results.reading import Reading
from lab.runner.forecast import Load
from lab.testbed.profile import IDLE, Profile

TITLE = "instructions per byte, by function"
UNIT = "instructions"
PROGRAMS = ("sh", "nc")
"""What sends the file."""


def conditions(options: Options) -> list[str]:
    """One set: the size of the file in bytes."""
    return transfer.conditions(options)


def load(options: Options) -> Load:
    """The file."""
    return transfer.load(options)


def run(tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Send the file while the window is open, and name what was counted.

    Raises:
        Unsupported: the engine counts no instructions.
    """
    profile = Profile(tunnel.bed.engine)
    size = int(conditions["size"])
    argv, timeout = transfer.sending(tunnel, size)
    load = tunnel.load(argv, timeout=timeout, under=profile.window(tunnel.containers["client-load"]))
    counts, functions = profile.take(tunnel.containers, PROGRAMS)
    return {
        "load": load,
        "direction": "up",
        "size": size,
        "clock": counts.clock,
        "functions": [astuple(each) for each in functions],
    }


def parse(raw: Mapping[str, Any]) -> list[Reading]:
    """Instructions per byte of payload: of the whole machine, its user and kernel parts, and each end's processes.

    `counted` is the share of the clock's nanoseconds that were counted as instructions; the rest was idle. A block of
    instructions that a fault interrupts counts as a whole, so it may be above 1 by less than a thousandth.
    """
    rows = [row for row in raw["functions"] if row[0] != IDLE]
    total = sum(row[4] for row in rows)
    kernel = sum(row[4] for row in rows if row[2].startswith("["))
    parts = {"": total, "_kernel": kernel, "_user": total - kernel}
    readings = [
        Reading(f"instructions_per_byte{part}", UNIT, "machine", count / raw["size"]) for part, count in parts.items()
    ]
    for end in ("server", "client"):
        own = sum(row[4] for row in rows if row[0] == end)
        readings.append(Reading("instructions_per_byte", UNIT, end, own / raw["size"]))
    counted = sum(row[4] for row in raw["functions"])
    readings.append(Reading("counted", "fraction", "machine", counted / raw["clock"]))
    return [*readings, Reading("payload", "B", "machine", raw["size"])]
