# SPDX-License-Identifier: MIT
"""Transfer: netcat sends a file of random bytes through the tunnel, into /dev/null at the peer (thesis, section 3.5).

The timed pass is not traced. A tracepoint counts system calls in a second pass over the same tunnel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from lab.benches.vpn import measures
from lab.benches.vpn.cpu_ledger import Bracket
from lab.results.quantity import Quantity
from lab.results.reading import Reading
from lab.runner.forecast import Load
from lab.runner.settings import Bytes

if TYPE_CHECKING:
    from lab.benches.vpn.tunnel import Tunnel

TITLE = "file transfer"
FIGURES = (
    Quantity("throughput", "Mbit/s", better="more"),
    Quantity("duration", "s", better="less"),
)
SLOWEST = 1e5
"""Bytes per second; a slower transfer times out. A slow wire carries twice as much."""


class Options(measures.Options):
    """The size of the file."""

    size: Annotated[Bytes, Field(ge=1000, le=1_000_000_000, description="The file of a transfer: `10MB`, `1GB`.")] = (
        10_000_000
    )


def conditions(options: Options) -> list[str]:
    """One set: the size of the file in bytes."""
    return [f"size={options.size}"]


def load(options: Options) -> Load:
    """The file."""
    return Load(size=options.size)


def run(tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Send the file twice: once to time it, once to count system calls."""
    size = int(conditions["size"])
    argv, timeout = sending(tunnel, size)
    load = tunnel.load(argv, timeout=timeout)
    return {
        "load": load,
        "direction": "up",
        "size": size,
        "syscalls": tunnel.count_syscalls(argv, timeout=timeout + 60),
    }


def sending(tunnel: Tunnel, size: int) -> tuple[list[str], float]:
    """The command that sends `size` bytes through a tunnel, and the seconds that it may take."""
    argv = ["sh", "-c", 'exec nc -N "$1" 5202 <"$2"', "sh", tunnel.address("server"), tunnel.bed.payload(size)]
    return argv, 15 + size / SLOWEST


def parse(raw: Mapping[str, Any]) -> list[Reading]:
    """Mbit/s and seconds of the timed pass, system calls of each endpoint in the traced pass, and bytes of one pass."""
    wall = Bracket.parse(raw["load"]["stderr"]).wall
    rows = [
        Reading("throughput", "Mbit/s", "server", raw["size"] * 8 / 1e6 / wall),
        Reading("duration", "s", "client", wall),
        Reading("payload", "B", "machine", raw["size"]),
    ]
    for end, calls in raw["syscalls"].items():
        rows += [Reading(f"syscall:{name}", "count", end, count) for name, count in calls.items()]
    return rows
