# SPDX-License-Identifier: MIT
"""Cost: what a packet costs in instructions, from N echoes through the tunnel against 2N.

An echo is one packet each way: the client's load asks, the server's kernel answers, and the next is sent when the
answer is there, so that nothing is ever lost or waited for. On the instruction clock a nanosecond is an instruction,
whoever executed it: user space, kernel, interrupts. The slope from N to 2N holds what a packet costs and nothing of
the start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lab.benches.vpn.cpu_ledger import Bracket
from lab.benches.vpn.measures import Options
from lab.benches.vpn.tunnel import Tunnel
from lab.core.errors import InvalidSample, Unsupported
from lab.results.reading import Reading

TITLE = "instructions per packet"
UNIT = "instructions"
SIZES = (64, 512, 1400)
"""Bytes of an IP packet in the tunnel: of voice, a middling one, and what every data path carries in one piece.

One of 1428 bytes, 1400 of payload, is two fragments where a tunnel takes 1420, and two TCP segments as a TLS record.
"""
HEADERS = 20 + 8
"""Bytes of IPv4 and ICMP before the payload (RFC 791, RFC 792)."""
ECHOES = 4000
"""N. At 20 000 instructions a packet, and two packets an echo, 2N echoes are a third of a second: 80 ticks to split."""
IDLE = 0.02
"""The share of idle time from which on a sample says nothing: idle time is jumped over, not counted."""


def conditions(options: Options) -> list[str]:
    """Each size of packet."""
    return [f"size={size}" for size in SIZES]


def run(tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Two floods of echoes, the second of twice as many.

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
    """Instructions for a packet, one way: of the whole machine, its user and kernel part, and each end's processes.

    The total is a count, but for idle time, of which up to IDLE is let pass. The split into user and kernel is sampled
    by the kernel's tick, 250 times a second.

    Raises:
        InvalidSample: an echo was lost, or the machine was idle meanwhile.
    """
    floods = [raw["once"], raw["load"]]
    for flood, count in zip(floods, (raw["echoes"], 2 * raw["echoes"]), strict=True):
        came = re.search(r"(\d+) received", flood["stdout"])
        if came is None or int(came[1]) != count:
            raise InvalidSample(f"{came[1] if came else 'none'} of {count} echoes came back")
    brackets = [Bracket.parse(flood["stderr"]) for flood in floods]
    for bracket in brackets:
        if bracket.machine["idle"] > IDLE * bracket.wall:
            raise InvalidSample(f"the machine was idle for {bracket.machine['idle']:.2f} of {bracket.wall:.2f} s")
    packets = 2 * raw["echoes"]  # one each way, N echoes more
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
        spent = [flood["after"]["ends"][end]["cpu"] - flood["before"]["ends"][end]["cpu"] for flood in floods]
        rows.append(Reading("instructions_per_packet", UNIT, end, (spent[1] - spent[0]) * 1e9 / packets))
    return rows
