# SPDX-License-Identifier: MIT
"""Cost: instructions per packet, from N echoes through the tunnel against 2N.

An echo is one packet each way. The client's load sends a request and the server's kernel replies. The next request is
sent when the reply arrives, so nothing is lost or waited for. On the instruction clock a nanosecond is an instruction,
whether user space, the kernel or an interrupt executed it. The slope from N to 2N is the cost of a packet, without the
cost of the start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lab.benches.vpn.cpu_ledger import Bracket
from lab.benches.vpn.measures import Options
from lab.core.errors import InvalidSample, Unsupported
from lab.results.quantity import Quantity
from lab.results.reading import Reading
from lab.runner.forecast import Load

if TYPE_CHECKING:
    from lab.benches.vpn.tunnel import Tunnel

TITLE = "instructions per packet"
UNIT = "instructions"
FIGURES = (
    Quantity("instructions_per_packet", UNIT, better="less"),
    Quantity("instructions_per_packet_user", UNIT),
    Quantity("instructions_per_packet_kernel", UNIT),
    Quantity("instructions_per_byte", UNIT),
)
SIZES = (64, 512, 1400)
"""Bytes of an IP packet in the tunnel: voice, medium, and the largest that every data path carries in one piece.

A packet of 1428 bytes (1400 of payload) becomes two fragments if a tunnel takes 1420, and two TCP segments as a TLS
record.
"""
HEADERS = 20 + 8
"""Bytes of IPv4 and ICMP before the payload (RFC 791, RFC 792)."""
ECHOES = 4000
"""N. At 20 000 instructions per packet and two packets per echo, 2N echoes take a third of a second: 80 ticks."""
IDLE = 0.02
"""The share of idle time above which a sample is invalid: the clock skips idle time, so it is not counted."""


def conditions(options: Options) -> list[str]:
    """Each packet size."""
    return [f"size={size}" for size in SIZES]


def load(options: Options) -> Load:
    """A fixed number of echoes."""
    return Load()


def run(tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Two floods of echoes, the second with twice as many.

    Raises:
        Unsupported: the engine's clock does not count instructions.
    """
    if tunnel.bed.engine.clock != "instructions":
        raise Unsupported("only the instruction clock counts instructions: --engine vm --clock instructions")
    size = int(conditions["size"])
    once, twice = (_flood(tunnel, count, size) for count in (ECHOES, 2 * ECHOES))
    return {"once": once, "load": twice, "direction": "both", "echoes": ECHOES, "size": size}


def _flood(tunnel: Tunnel, count: int, size: int) -> dict[str, Any]:
    argv = ["ping", "-n", "-q", "-f", "-c", str(count), "-s", str(size - HEADERS), tunnel.address("server")]
    return tunnel.load(argv, timeout=60)


def parse(raw: Mapping[str, Any]) -> list[Reading]:
    """Instructions per packet, one way: of the whole machine, its user and kernel parts, and each endpoint's processes.

    The total is an exact count, except for up to IDLE of idle time. The kernel's tick samples the split into user and
    kernel, 250 times a second.

    Raises:
        InvalidSample: an echo was lost, or the machine was idle during the load.
    """
    floods = [raw["once"], raw["load"]]
    for flood, count in zip(floods, (raw["echoes"], 2 * raw["echoes"]), strict=True):
        match = re.search(r"(\d+) received", flood["stdout"])
        if match is None or int(match[1]) != count:
            raise InvalidSample(f"{match[1] if match else 'none'} of {count} echoes came back")
    brackets = [Bracket.parse(flood["stderr"]) for flood in floods]
    for bracket in brackets:
        if bracket.machine["idle"] > IDLE * bracket.wall:
            raise InvalidSample(f"the machine was idle for {bracket.machine['idle']:.2f} of {bracket.wall:.2f} s")
    packets = 2 * raw["echoes"]  # one each way, for N more echoes
    total = (brackets[1].wall - brackets[0].wall) * 1e9 / packets
    user = brackets[1].machine["user"] / brackets[1].busy
    rows = [
        Reading("instructions_per_packet", UNIT, "machine", total),
        Reading("instructions_per_packet_user", UNIT, "machine", total * user),
        Reading("instructions_per_packet_kernel", UNIT, "machine", total * (1 - user)),
        Reading("instructions_per_byte", UNIT, "machine", total / raw["size"]),
        Reading("payload", "B", "machine", 2 * raw["echoes"] * raw["size"]),
    ]
    for end in ("server", "client"):
        cpu_seconds = [flood["after"]["ends"][end]["cpu"] - flood["before"]["ends"][end]["cpu"] for flood in floods]
        rows.append(Reading("instructions_per_packet", UNIT, end, (cpu_seconds[1] - cpu_seconds[0]) * 1e9 / packets))
    return rows
