# SPDX-License-Identifier: MIT
"""Handshake: from the start of the client to the first reply through the tunnel, in time and in bytes on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lab.benches.vpn.measures import Options
from lab.core.errors import Unsupported
from lab.results.quantity import Quantity
from lab.results.reading import Reading
from lab.runner.forecast import Load

if TYPE_CHECKING:
    from lab.benches.vpn.tunnel import Tunnel

TITLE = "time to the first answer"
FIGURES = (
    Quantity("handshake", "s", "handshake (to the first byte through)", "less"),
    Quantity("handshake_bytes", "B", "handshake (bytes on the wire, both ways)", "less"),
)


def conditions(options: Options) -> list[str]:
    """One empty set."""
    return [""]


def load(options: Options) -> Load:
    """None."""
    return Load()


def run(tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Every tunnel is new: its bring-up is the sample. `up` sends requests until a reply arrives.

    Raises:
        Unsupported: the wire does something to packets: that begins with the sample, when the tunnel is up.
    """
    if tunnel.wire.shaped:
        raise Unsupported("a tunnel is up before its wire delays or loses anything: `--wires whole,cut`")
    took = tunnel.took
    return {"handshake": took.seconds, "exchanged": {"sent": took.sent, "received": took.received}}


def parse(raw: Mapping[str, Any]) -> list[Reading]:
    """Seconds, by the clock of the client's kernel; and the bytes of all packets that it sent and received by then."""
    exchanged = raw.get("exchanged", {}).values()  # not told by runs of before
    size = [Reading("handshake_bytes", "B", "client", sum(exchanged))] if exchanged else []
    return [Reading("handshake", "s", "client", raw["handshake"]), *size]
