# SPDX-License-Identifier: MIT
"""Throughput: TCP through the tunnel for a given time, by iperf3 (thesis, section 3.3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from lab.benches.vpn.measures import Directed, Timed
from lab.core.errors import InvalidSample, LabError
from lab.results.cell import conditions_text
from lab.results.quantity import Quantity
from lab.results.reading import Reading
from lab.runner.forecast import Load

if TYPE_CHECKING:
    from lab.benches.vpn.tunnel import Tunnel

TITLE = "TCP throughput"
FIGURES = (
    Quantity("throughput", "Mbit/s", better="more"),
    Quantity("retransmits", "count"),
)


class Options(Timed, Directed):
    """Streams, beside the duration and the directions."""

    streams: Annotated[
        list[Annotated[int, Field(ge=1, le=64)]], Field(min_length=1, description="Numbers of TCP streams: `1,4`.")
    ] = [1]


def conditions(options: Options) -> list[str]:
    """Each direction with each number of streams; `up` is client to server, as in the thesis."""
    pairs = [(way, streams) for way in options.directions for streams in options.streams]
    return [conditions_text({"direction": way, "streams": streams}) for way, streams in pairs]


def load(options: Options) -> Load:
    """A stream, for the time that the user chose."""
    return Load(seconds=options.duration)


def run(tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Send for `options.duration` seconds. The complete JSON of iperf3 is kept."""
    argv = ["iperf3", "--client", tunnel.address("server"), "--time", str(options.duration)]
    argv += ["--parallel", conditions["streams"], "--interval", "0", "--json"]
    if conditions["direction"] == "down":
        argv.append("--reverse")
    load = tunnel.load(argv, timeout=options.duration + 15)
    return {"load": load, "direction": conditions["direction"]}


def parse(raw: Mapping[str, Any]) -> list[Reading]:
    """Mbit/s at the receiver, TCP retransmissions of the sender, and the bytes received.

    Raises:
        LabError: iperf3 reported an error.
        InvalidSample: nothing arrived.
    """
    from iperf3 import TestResult

    text = raw["load"]["stdout"]
    if error := json.loads(text).get("error"):
        raise LabError(f"iperf3: {error}")
    result = TestResult(text)
    if not result.received_bytes:
        raise InvalidSample("iperf3 received nothing")
    sender, receiver = ("client", "server") if raw["direction"] == "up" else ("server", "client")
    return [
        Reading("throughput", "Mbit/s", receiver, result.received_bps / 1e6),
        Reading("retransmits", "count", sender, result.retransmits),
        Reading("payload", "B", "machine", result.received_bytes),
    ]
