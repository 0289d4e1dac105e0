# SPDX-License-Identifier: MIT
"""Packets of a load: how many each end sent for a megabyte that was carried, in the tunnel and on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.results.reading import Reading

WIRE = "eth0"
"""The interface of an endpoint on the wire."""
ENDS = ("server", "client")
IN_TUNNEL, ON_WIRE = "tunnel_packets", "wire_packets"
MEGABYTE = 1e6


def rate(load: Mapping[str, Any], seconds: float) -> float:
    """Mbit/s on the wire, in the direction that carried more, with all headers that the interface counts."""
    before, after = (
        {end: int(load[time]["ends"][end]["interfaces"][WIRE]["tx_bytes"]) for end in ENDS}
        for time in ("before", "after")
    )
    return max(after[end] - before[end] for end in ENDS) * 8 / seconds / MEGABYTE


def readings(load: Mapping[str, Any], payload: float) -> list[Reading]:
    """Of the receiver's end these are acknowledgements. A superpacket counts as one, as the interface counts it.

    Nothing of a load that carried nothing; of the tunnel, nothing of an end that has not one interface for it.
    """
    rows = []
    for end in ENDS if payload else ():
        before, after = (load[time]["ends"][end]["interfaces"] for time in ("before", "after"))
        sent = {name: after[name]["tx_packets"] - before[name]["tx_packets"] for name in before if name in after}
        tunnels = set(sent) - {WIRE, "lo"}
        names = {WIRE: ON_WIRE, **({tunnels.pop(): IN_TUNNEL} if len(tunnels) == 1 else {})}
        rows += [
            Reading(metric, "1/MB", end, sent[name] / payload * MEGABYTE)
            for name, metric in names.items()
            if name in sent
        ]
    return rows
