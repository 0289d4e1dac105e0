# SPDX-License-Identifier: MIT
"""Cost: instructions per packet, from few echoes through the tunnel against ten times as many, several times in turn.

An echo is one packet each way. The client's load sends a request and the server's kernel replies. The next request is
sent when the reply arrives, so nothing is lost or waited for. On the instruction clock a nanosecond is an instruction,
whether user space, the kernel or an interrupt executed it. The slope from few to many is the cost of a packet, without
the cost of the start. What a kernel thread does now and then is in one of the slopes: the figure is the mean of their
middle half.

The generator runs as SCHED_BATCH (sched(7)), so its wake-up does not interrupt the daemon that wakes it. Else that goes
one way or the other for thousands of packets, and they differ by 4 % in what a packet costs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from lab.benches.vpn.cpu_ledger import Bracket
from lab.benches.vpn.measures import Sized, headers
from lab.core.errors import InvalidSample, Unsupported
from lab.results.quantity import Quantity
from lab.results.reading import Reading
from lab.runner.forecast import Load

if TYPE_CHECKING:
    from lab.benches.vpn.tunnel import Tunnel

TITLE = "instructions per packet"
UNIT = "instructions"
FIGURES = (
    Quantity("instructions_per_packet", UNIT, better="less"),
    Quantity("instructions_per_packet_user", UNIT),
    Quantity("instructions_per_packet_kernel", UNIT),
    Quantity("instructions_per_byte", UNIT),
)
Options = Sized
FEW, TIMES, TURNS = 75, 10, 15
"""Echoes of a short flood, how many times as many a long one has, and how often the two take turns.

Of so many echoes together, a slope from N to 10 N has a sixth of the variance of one from N to 2 N. At 20 000
instructions per packet, all take half a second: 115 ticks.
"""
CUT = 4
"""So many slopes are left out at either end: the mean of the middle half (interquartile mean) is the figure.

A mean of all would show each disturbance, and a daemon that is in another state for its first seconds. A median would
show one of two modes.
"""
FLOODS = """
for ((turn = 0; turn < $1; ++turn)); do
    for count in "$2" "$3"; do
        before=$EPOCHREALTIME
        chrt --batch 0 ping -n -q -f -c "$count" -s "$4" "$5" || exit
        echo "flood $before $EPOCHREALTIME"
    done
done
"""
"""The shell reads the clock itself: no process starts between a reading and the echoes but `ping`."""
FLOOD = re.compile(r"^flood ([\d.]+) ([\d.]+)$", re.MULTILINE)
ECHOED = re.compile(r"^(\d+) packets transmitted, (\d+) received", re.MULTILINE)
IDLE = 0.02
"""The share of idle time above which a sample is invalid: the clock skips idle time, so it is not counted."""


def conditions(options: Options) -> list[str]:
    """Each packet size."""
    return [f"size={size}" for size in options.sizes]


def load(options: Options) -> Load:
    """A fixed number of echoes."""
    return Load()


def run(tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Floods of echoes, every second one with many.

    Raises:
        Unsupported: the engine's clock does not count instructions.
    """
    if tunnel.bed.engine.clock != "instructions":
        raise Unsupported("only the instruction clock counts instructions: --engine vm --clock instructions")
    size = int(conditions["size"])
    words = [str(TURNS), str(FEW), str(TIMES * FEW), str(size - headers(tunnel)), tunnel.address("server")]
    return {
        "load": tunnel.load(["bash", "-c", FLOODS, "floods", *words], timeout=60),
        "direction": "both",
        "size": size,
    }


@dataclass(frozen=True)
class Flood:
    """So many echoes, how many came back, and the seconds of the clock that they took."""

    sent: int
    returned: int
    seconds: float

    @classmethod
    def read(cls, load: Mapping[str, Any]) -> list[Flood]:
        """The floods of a load, in order.

        Raises:
            InvalidSample: `ping` did not say what came back.
        """
        times, echoes = FLOOD.findall(load["stdout"]), ECHOED.findall(load["stdout"])
        if len(echoes) != len(times):
            raise InvalidSample(f"ping said of {len(echoes)} of {len(times)} floods what came back")
        return [
            cls(int(sent), int(back), float(after) - float(before))
            for (sent, back), (before, after) in zip(echoes, times, strict=True)
        ]


def parse(raw: Mapping[str, Any]) -> list[Reading]:
    """Instructions per packet, one way: of the whole machine, its user and kernel parts, and each endpoint's processes.

    The total is an exact count. The kernel's tick samples the split into user and kernel, 250 times a second, over the
    whole load, with the start of each flood.

    Raises:
        InvalidSample: an echo was lost, or the machine was idle during the load.
    """
    load = raw["load"]
    floods = Flood.read(load)
    for flood in floods:
        if flood.returned != flood.sent:
            raise InvalidSample(f"{flood.returned} of {flood.sent} echoes came back")
    bracket = Bracket.parse(load["stderr"])
    if bracket.machine["idle"] > IDLE * bracket.wall:
        raise InvalidSample(f"the machine was idle for {bracket.machine['idle']:.2f} of {bracket.wall:.2f} s")
    slopes = sorted(
        (many.seconds - few.seconds) * 1e9 / (2 * (many.sent - few.sent))  # an echo is a packet each way
        for few, many in zip(floods[::2], floods[1::2], strict=True)
    )
    total = fmean(slopes[CUT:-CUT])
    user = bracket.machine["user"] / bracket.busy
    echoes = sum(flood.sent for flood in floods)
    rows = [
        Reading("instructions_per_packet", UNIT, "machine", total),
        Reading("instructions_per_packet_user", UNIT, "machine", total * user),
        Reading("instructions_per_packet_kernel", UNIT, "machine", total * (1 - user)),
        Reading("instructions_per_byte", UNIT, "machine", total / raw["size"]),
        Reading("payload", "B", "machine", echoes * raw["size"]),
    ]
    for end in ("server", "client"):
        seconds = load["after"]["ends"][end]["cpu"] - load["before"]["ends"][end]["cpu"]
        rows.append(Reading("instructions_per_packet", UNIT, end, seconds * 1e9 / (2 * echoes)))
    return rows
