# SPDX-License-Identifier: MIT
"""Transfer: a file of random bytes through the tunnel by netcat, into /dev/null at the far end (thesis, section 3.5).

The timed pass is not traced. System calls are counted in a second pass over the same tunnel, by a tracepoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.benches.vpn.cpu_ledger import Bracket
from lab.benches.vpn.measures import Options
from lab.benches.vpn.tunnel import Tunnel
from lab.results.reading import Reading

TITLE = "file transfer"
UNIT = "Mbit/s"
SLOWEST = 2e6
"""Bytes a second below which a transfer is given up."""


def conditions(options: Options) -> list[str]:
    """One: the size of the file in bytes."""
    return [f"size={options.size}"]


def run(tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Send the file once for time and once for system calls."""
    size = int(conditions["size"])
    argv = ["sh", "-c", 'exec nc -N "$1" 5202 <"$2"', "sh", tunnel.address("server"), tunnel.bed.payload(size)]
    timeout = 15 + size / SLOWEST
    load = tunnel.load(argv, timeout=timeout)
    return {
        "load": load,
        "direction": "up",
        "size": size,
        "syscalls": tunnel.count_syscalls(argv, timeout=timeout + 60),
    }


def parse(raw: Mapping[str, Any]) -> list[Reading]:
    """Mbit/s and seconds of the timed pass, system calls of each end in the counted one, and the bytes of one pass."""
    wall = Bracket.parse(raw["load"]["stderr"]).wall
    rows = [
        Reading("throughput", UNIT, "server", raw["size"] * 8 / 1e6 / wall),
        Reading("duration", "s", "client", wall),
        Reading("payload", "B", "machine", raw["size"]),
    ]
    for end, calls in raw["syscalls"].items():
        rows += [Reading(f"syscall:{name}", "count", end, count) for name, count in calls.items()]
    return rows
