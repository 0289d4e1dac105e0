# SPDX-License-Identifier: MIT
"""Latency: round-trip times through the tunnel, idle and while a TCP stream fills it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from lab.benches.vpn.measures import Timed as Options
from lab.core.errors import InvalidSample
from lab.results.quantity import Quantity
from lab.results.reading import Reading
from lab.runner.forecast import Load

if TYPE_CHECKING:
    from lab.benches.vpn.tunnel import Tunnel

TITLE = "round-trip time"
UNIT = "ms"
FIGURES = (
    Quantity("rtt_p50", UNIT, "round trip (median of a sample)", "less"),
    Quantity("rtt_p90", UNIT),
    Quantity("rtt_p99", UNIT),
    Quantity("loss", "fraction"),
)
INTERVAL = 0.01
"""Seconds between echo requests."""


def conditions(options: Options) -> list[str]:
    """Without load, and under load."""
    return ["load=none", "load=busy"]


def load(options: Options) -> Load:
    """The echoes, for the time that the user chose."""
    return Load(seconds=options.duration)


def run(tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Ping for `options.duration` seconds; under load, an iperf3 stream runs in parallel and lasts longer.

    A number of echoes is asked for, not an end: what is under way at an end, on a long wire, would count as lost.
    """
    address = tunnel.address("server")
    argv = ["ping", "-n", "-i", str(INTERVAL), "-c", str(round(options.duration / INTERVAL)), address]
    if conditions["load"] == "busy":
        argv = ["busy", address, str(options.duration + 2), *argv]
    return {"echoes": tunnel.load(argv, timeout=options.duration + 20), "busy": conditions["load"] == "busy"}


def parse(raw: Mapping[str, Any]) -> list[Reading]:
    """Percentiles of the round-trip time in milliseconds, and the share of echoes that were lost.

    Raises:
        InvalidSample: fewer than ten echoes came back, too few for percentiles; or the load did not run.
    """
    ping, _, stream = raw["echoes"]["stdout"].partition("\n---\n")
    if raw["busy"] and (error := json.loads(stream).get("error")):
        raise InvalidSample(f"there was no load to wait under: {error}")
    times = [float(value) for value in re.findall(r" time=([\d.]+) ms$", ping, re.MULTILINE)]
    sent = re.search(r"(\d+) packets transmitted", ping)
    if sent is None or len(times) < 10:
        raise InvalidSample(f"only {len(times)} echoes came back")
    hundredths = quantiles(times, n=100, method="inclusive")
    rows = [Reading(f"rtt_p{point}", UNIT, "client", hundredths[point - 1]) for point in (50, 90, 99)]
    return [*rows, Reading("loss", "fraction", "client", 1 - len(times) / int(sent[1]))]
