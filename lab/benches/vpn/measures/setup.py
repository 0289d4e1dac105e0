# SPDX-License-Identifier: MIT
"""Setup: all clients of one server come up, and what each costs: time, CPU and memory.

Every client prepares all that it can; then a few at a time start their VPN, the next as soon as one has its first
answer through the tunnel (`lab.benches.vpn.clients.AT_ONCE`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lab.benches.vpn.measures import Many as Options
from lab.core.errors import InvalidSample
from lab.results.quantity import Quantity
from lab.results.reading import Reading
from lab.runner.forecast import Load

if TYPE_CHECKING:
    from lab.benches.vpn.tunnel import Tunnel

TITLE = "setup of many tunnels"
FIGURES = (
    Quantity("ready", "s", "time until all tunnels are up", "less"),
    Quantity("handshakes", "1/s", "tunnels that come up in a second", "more"),
    Quantity("memory", "MB", "memory a tunnel", "less"),
    Quantity("setup_cpu", "s", "CPU seconds to set a tunnel up", "less"),
)
MEGABYTE = 1e6


def conditions(options: Options) -> list[str]:
    """Each number of tunnels."""
    return [f"tunnels={count}" for count in options.tunnels]


def load(options: Options) -> Load:
    """None."""
    return Load()


def run(tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Every tunnel is new: that all came up is the sample."""
    return {"setup": tunnel.setup}


def parse(raw: Mapping[str, Any]) -> list[Reading]:
    """Seconds from the start of the first client's VPN to the first answer of the last, and so many clients a second.

    `memory` and `setup_cpu` are a client's share of what grew from then, when the server was up, until all were up.
    At each end it is that of the processes: their own (anonymous) memory, each page once, and their CPU time with that
    of their children; at the client that of its `up` too, which prepares. At the `machine` memory is what can no
    longer be had (MemAvailable, proc_meminfo(5)): the kernel's is in it, and whatever else the machine did.

    Raises:
        InvalidSample: an endpoint's counters went back.
    """
    setup = raw["setup"]
    times, before, after = setup["times"], setup["before"], setup["after"]
    count = len(times)
    seconds = max(ended for _, ended in times) - min(began for began, _ in times)
    rows = [
        Reading("ready", "s", "client", seconds),
        Reading("handshakes", "1/s", "client", count / seconds),
        Reading("memory", "MB", "machine", (before["available"] - after["available"]) / count / MEGABYTE),
    ]
    for end in ("server", "client"):
        old, new = before["ends"][end], after["ends"][end]
        if new["cpu"] < old["cpu"]:
            raise InvalidSample(f"the CPU time of the {end} went back")
        rows.append(Reading("setup_cpu", "s", end, (new["cpu"] - old["cpu"]) / count))
        if "memory" in new:
            rows.append(Reading("memory", "MB", end, (new["memory"] - old["memory"]) / count / MEGABYTE))
    return rows
