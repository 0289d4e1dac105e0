# SPDX-License-Identifier: MIT
"""Throughput: TCP through the tunnel for a given time, by iperf3 (thesis, section 3.3); or through several at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from lab.benches.vpn.measures import Directed, Loaded, Timed
from lab.core.errors import InvalidSample, LabError
from lab.results.cell import conditions_text
from lab.results.quantity import Quantity
from lab.results.reading import Reading
from lab.runner.forecast import Load

if TYPE_CHECKING:
    from iperf3 import TestResult

    from lab.benches.vpn.tunnel import Tunnel

TITLE = "TCP throughput"
FIGURES = (
    Quantity("throughput", "Mbit/s", better="more"),
    Quantity("retransmits", "count"),
    Quantity("fairness", "index"),
)


class Options(Timed, Directed, Loaded):
    """Streams, beside the duration, the directions, and the numbers of tunnels and loads."""

    streams: Annotated[
        list[Annotated[int, Field(ge=1, le=64)]], Field(min_length=1, description="Numbers of TCP streams: `1,4`.")
    ] = [1]


def conditions(options: Options) -> list[str]:
    """Each direction with each number of streams and tunnels; `up` is client to server, as in the thesis.

    A single tunnel is not said. Of more, `loads` says how many carry the load.
    """
    return [
        conditions_text({"direction": way, "streams": streams, **options.of(tunnels)})
        for tunnels in options.tunnels
        for way in options.directions
        for streams in options.streams
    ]


def load(options: Options) -> Load:
    """A stream, for the time that the user chose."""
    return Load(seconds=options.duration)


def run(tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Send for `options.duration` seconds. The complete JSON of iperf3 is kept."""
    argv = ["--client", tunnel.address("server"), "--time", str(options.duration)]
    argv += ["--parallel", conditions["streams"], "--interval", "0", "--json"]
    if conditions["direction"] == "down":
        argv.append("--reverse")
    load = tunnel.load(tunnel.streaming(argv), timeout=options.duration + 15 + len(tunnel.loaded))
    raw = {"load": load, "direction": conditions["direction"]}
    if len(tunnel.loaded) > 1:
        raw["shares"] = [result(report).received_bytes for report in reports(load["stdout"])]
    return raw


def parse(raw: Mapping[str, Any]) -> list[Reading]:
    """Mbit/s at the receiver, TCP retransmissions of the sender, and the bytes received: of all tunnels together.

    Of several, also how fair they were: Jain's index of their rates x, (sum of x)^2 / (n * sum of x^2), from 1/n, where
    one has all, to 1, where all have the same (R. Jain, D. Chiu, W. Hawe: A Quantitative Measure of Fairness and
    Discrimination for Resource Allocation in Shared Computer Systems, DEC-TR-301, 1984).

    Raises:
        LabError: iperf3 reported an error.
        InvalidSample: nothing arrived, by one tunnel or by all.
    """
    results = [result(report) for report in reports(raw["load"]["stdout"])]
    if not all(result.received_bytes for result in results):
        raise InvalidSample("iperf3 received nothing")
    sender, receiver = ("client", "server") if raw["direction"] == "up" else ("server", "client")
    rates = [result.received_bps / 1e6 for result in results]
    rows = [
        Reading("throughput", "Mbit/s", receiver, sum(rates)),
        Reading("retransmits", "count", sender, sum(result.retransmits for result in results)),
        Reading("payload", "B", "machine", sum(result.received_bytes for result in results)),
    ]
    if len(rates) > 1:
        rows.append(Reading("fairness", "index", receiver, fairness(rates)))
    return rows


def fairness(rates: Sequence[float]) -> float:
    """Jain's index of some rates."""
    return sum(rates) ** 2 / (len(rates) * sum(rate**2 for rate in rates))


def reports(text: str) -> Iterator[str]:
    """Each of the JSON reports that stand one after the other."""
    while text := text.strip():
        _, end = json.JSONDecoder().raw_decode(text)
        yield text[:end]
        text = text[end:]


def result(report: str) -> TestResult:
    """An iperf3 client's report of TCP.

    Raises:
        LabError: it is of an error.
    """
    from iperf3 import TestResult

    if error := json.loads(report).get("error"):
        raise LabError(f"iperf3: {error}")
    return TestResult(report)
