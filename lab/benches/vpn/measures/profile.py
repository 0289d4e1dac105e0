# SPDX-License-Identifier: MIT
"""Profile: every instruction that a byte costs, by task and function (images/vm/profile.c counts them).

A file goes through the tunnel, as for a transfer. The window is open from the start of the command that sends it to
its end, for the whole machine. So the sum over the functions is what the guest's clock says, less the idle time, which
the clock jumps over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lab.benches.vpn.measures import transfer
from lab.results.function import functions
from lab.results.quantity import Quantity
from lab.results.reading import Reading
from lab.runner.forecast import Load

if TYPE_CHECKING:
    from lab.benches.vpn.tunnel import Tunnel

TITLE = "instructions per byte, by function"
FIGURES = (Quantity("instructions_per_byte", "instructions", "instructions per byte", "less"),)
PROGRAMS = ("sh", "nc")
"""What sends the file."""
Options = transfer.Options


def conditions(options: Options) -> list[str]:
    """One set: the size of the file in bytes."""
    return transfer.conditions(options)


def load(options: Options) -> Load:
    """The file."""
    return transfer.load(options)


def run(tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Send the file while every instruction is counted.

    Raises:
        Unsupported: the engine counts no instructions.
    """
    size = int(conditions["size"])
    argv, timeout = transfer.sending(tunnel, size)
    return {**tunnel.profiled(argv, PROGRAMS, timeout=timeout), "direction": "up", "size": size}


def parse(raw: Mapping[str, Any]) -> list[Reading]:
    """Instructions per byte of payload: of the whole machine, its user and kernel parts, and each end's processes.

    `counted` is the share of the clock's nanoseconds that were counted as instructions; the rest was idle. A block of
    instructions that a fault interrupts counts as a whole, so it may be above 1 by less than a thousandth.
    """
    rows = list(functions(raw))
    parts = {
        "": rows,
        "_kernel": [row for row in rows if row.in_kernel],
        "_user": [row for row in rows if not row.in_kernel],
    }
    whole = {("machine", f"instructions_per_byte{part}"): its for part, its in parts.items()}
    ends = {(end, "instructions_per_byte"): [row for row in rows if row.by == end] for end in ("server", "client")}
    readings = [
        Reading(metric, "instructions", end, sum(row.instructions for row in its) / raw["size"])
        for (end, metric), its in (whole | ends).items()
    ]
    counted = sum(row.instructions for row in rows)
    readings.append(Reading("counted", "fraction", "machine", counted / raw["clock"]))
    return [*readings, Reading("payload", "B", "machine", raw["size"])]
