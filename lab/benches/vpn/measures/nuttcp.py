# SPDX-License-Identifier: MIT
"""TCP through the tunnel for a given time, by nuttcp: a second opinion on what iperf3 says (`throughput`).

Another program, with reads and writes of 64 kB where iperf3 has 128 kB, and no threads. A rate that only one of
the two reaches is a figure of that program, and not of the data path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lab.benches.vpn.measures import Directed, Timed
from lab.core.errors import InvalidSample, LabError
from lab.results.quantity import Quantity
from lab.results.reading import Reading
from lab.runner.forecast import Load

if TYPE_CHECKING:
    from lab.benches.vpn.tunnel import Tunnel

TITLE = "TCP throughput by nuttcp"
FIGURES = (Quantity("nuttcp_rate", "Mbit/s", "TCP throughput by nuttcp", "more"),)
REPORT = re.compile(r"^megabytes=\s*([\d.]+) real_seconds=\s*[\d.]+ rate_Mbps=\s*([\d.]+) ", re.MULTILINE)
MEGABYTE = 2**20
"""Bytes of what nuttcp calls one."""


class Options(Timed, Directed):
    """The duration and the directions."""


def conditions(options: Options) -> list[str]:
    """Each direction; `up` is client to server."""
    return [f"direction={way}" for way in options.directions]


def load(options: Options) -> Load:
    """A stream, for the time that the user chose."""
    return Load(seconds=options.duration)


def run(tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Send one stream for `options.duration` seconds."""
    argv = ["nuttcp", "-r"] if conditions["direction"] == "down" else ["nuttcp", "-t"]
    argv += [f"-T{options.duration}", "-fparse", tunnel.address("server")]
    return {"load": tunnel.load(argv, timeout=options.duration + 15), "direction": conditions["direction"]}


def parse(raw: Mapping[str, Any]) -> list[Reading]:
    """Mbit/s at the receiver, and the bytes received.

    Raises:
        LabError: nuttcp reported no rate.
        InvalidSample: nothing arrived.
    """
    text = raw["load"]["stdout"]
    if (report := REPORT.search(text)) is None:
        raise LabError(f"nuttcp reported no rate, but {text.strip()!r}")
    payload, rate = round(float(report[1]) * MEGABYTE), float(report[2])
    if not payload:
        raise InvalidSample("nuttcp received nothing")
    receiver = "server" if raw["direction"] == "up" else "client"
    return [Reading("nuttcp_rate", "Mbit/s", receiver, rate), Reading("payload", "B", "machine", payload)]
