"""Latency: round-trip times through the tunnel, idle and while a TCP stream fills it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from statistics import quantiles
from typing import Any

from lab.errors import InvalidSample
from lab.ledger import Reading
from lab.measures import Options
from lab.tunnel import Tunnel

TITLE = "round-trip time"
UNIT = "ms"
INTERVAL = 0.01
"""Seconds between echo requests."""


def conditions(options: Options) -> list[str]:
    """Under no load, and under load."""
    return ["load=none", "load=busy"]


def run(tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Ping for `options.duration` seconds; under load, beside an iperf3 stream that outlasts it."""
    count = max(20, round(options.duration / INTERVAL))
    address = tunnel.address("server")
    ping = ["ping", "-n", "-c", str(count), "-i", str(INTERVAL), "-W", "2", address]
    timeout = options.duration + 20
    if conditions["load"] == "none":
        result = tunnel.execute("client-load", ping, timeout=timeout)
        return {"ping": result.stdout}
    longer = f"{count * INTERVAL + 2:.0f}"
    filling = ["iperf3", "--client", address, "--time", longer, "--interval", "0", "--json"]
    stream = tunnel.bed.pool.submit(tunnel.execute, "client-load", filling, timeout=timeout)
    busy = ["wait-until", "5", "sh", "-c", f"ss -Htn state established dst {address}:5201 | grep -q ."]
    tunnel.execute("client-load", busy)
    result = tunnel.execute("client-load", ping, timeout=timeout)
    return {"ping": result.stdout, "stream": stream.result().stdout}


def parse(raw: Mapping[str, Any]) -> list[Reading]:
    """Percentiles of the round-trip time in milliseconds, and the share of echoes that were lost.

    Raises:
        InvalidSample: fewer than ten echoes came back: no percentile means anything.
    """
    times = [float(value) for value in re.findall(r" time=([\d.]+) ms$", raw["ping"], re.MULTILINE)]
    sent = re.search(r"(\d+) packets transmitted", raw["ping"])
    if sent is None or len(times) < 10:
        raise InvalidSample(f"only {len(times)} echoes came back")
    hundredths = quantiles(times, n=100, method="inclusive")
    rows = [Reading(f"rtt_p{point}", UNIT, "client", hundredths[point - 1]) for point in (50, 90, 99)]
    return [*rows, Reading("loss", "fraction", "client", 1 - len(times) / int(sent[1]))]
