# SPDX-License-Identifier: MIT
"""The cable between two machines: what their interfaces say of it, and how far their clocks are apart."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from docker.models.containers import Container

from lab.engines.engine import Engine
from lab.engines.platform import pairs
from lab.testbed.testbed import Testbed

ENDS = ("server", "client")
DESCRIBE = r"""
echo "interface: $1"
ethtool -i "$1" | grep -E '^(driver|version|bus-info): .'
ethtool "$1" | sed -nE 's/^\t(Speed|Duplex): /\L\1: /p'
echo "mtu: $(<"/sys/class/net/$1/mtu")"
ethtool -k "$1" | sed -nE 's/^([a-z-]+): (on|off).*/\1: \2/p'
"""
SPEED = re.compile(r"^(\d+)Mb/s$")
"""As ethtool(8) tells it; of a virtual card it is unknown."""
ASKED = 3
"""How often a clock is asked; the quickest answer is the most exact."""
NOW = ["bash", "-c", "echo $EPOCHREALTIME"]


def describe(engine: Engine) -> dict[str, str]:
    """A machine's interface on the cable: driver, speed, duplex, MTU and offloads."""
    options: dict[str, Any] = {"network_mode": "host", "cap_add": ["NET_ADMIN"]}
    return dict(
        pairs(engine.once("lab/base:latest", ["bash", "-c", DESCRIBE, "link", engine.interface], **options).stdout)
    )


def described(bed: Testbed) -> dict[str, dict[str, str]]:
    """Both machines' interfaces, by end; nothing where both ends are on one machine."""
    return {end: describe(bed.at(end).engine) for end in ENDS} if bed.far else {}


def speed(interfaces: Mapping[str, Mapping[str, str]]) -> float | None:
    """What the cable carries at most, in Mbit/s: the slower of both interfaces; None if one does not tell."""
    found = [SPEED.match(each.get("speed", "")) for each in interfaces.values()]
    return min((float(match[1]) for match in found if match), default=None) if all(found) else None


def clocks(bed: Testbed, containers: Mapping[str, Container]) -> dict[str, float]:
    """How far the server's clock is ahead of the client's (`ahead`), give or take `within`, in seconds.

    No figure depends on it: what begins and ends a measurement is read from one clock. It is told so that times in logs
    and captures of both machines can be compared.
    """
    readings = {end: min(_ahead(bed, containers, end) for _ in range(ASKED)) for end in ENDS}
    (error, server), (other_error, client) = readings["server"], readings["client"]
    return {"ahead": server - client, "within": error + other_error}


def _ahead(bed: Testbed, containers: Mapping[str, Container], end: str) -> tuple[float, float]:
    """How far the clock of an end is ahead of this machine's, after how far that may be wrong: half the time to ask."""
    asked = time.time()
    told = float(bed.at(end).engine.ask(containers[end], NOW).stdout)
    answered = time.time()
    return (answered - asked) / 2, told - (asked + answered) / 2
