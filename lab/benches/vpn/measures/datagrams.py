# SPDX-License-Identifier: MIT
"""Datagrams: the highest rate at which UDP passes the tunnel and at most one datagram of a thousand is lost.

TCP finds a rate by itself, and hands the tunnel runs of segments that may travel as one. Datagrams of an application
come one by one, at its own rate. So the rate is searched for, as RFC 2544, section 26.1, has it: datagrams at a rate,
and another rate by what was lost. Unlike there some loss is allowed, since queues of sockets and devices
overflow now and then on a machine that does other things too.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

from lab.benches.vpn.measures import Directed, Sized, Timed, headers
from lab.core.errors import InvalidSample, LabError
from lab.results.quantity import Quantity
from lab.results.reading import Reading
from lab.runner.forecast import Load

if TYPE_CHECKING:
    from lab.benches.vpn.tunnel import Tunnel

TITLE = "UDP rate"
FIGURES = (
    Quantity("datagram_rate", "Mbit/s", "UDP rate (at most 0.1 % lost)", "more"),
    Quantity("datagrams_per_second", "1/s"),
    Quantity("jitter", "ms"),
    Quantity("loss", "fraction"),
)
LOSS = 0.001
"""The share of datagrams that may be lost."""
PRECISION = 1.03
"""The search ends when the lowest rate that lost too much is at most so many times the highest that did not."""
TRIALS = 14
"""At most; halving a range of a factor of ten to PRECISION takes eight."""


class Options(Timed, Directed, Sized):
    """The directions, the sizes, and the duration of a trial."""


@dataclass(frozen=True)
class Trial:
    """What iperf3 said of one: rates in bit/s of UDP payload, by the sender and by the receiver; the share lost.

    `arrived`: the number of datagrams, of `length` bytes of payload each.
    """

    asked: float
    sent: float
    received: float
    arrived: int
    loss: float
    jitter: float
    length: int

    @classmethod
    def read(cls, asked: float, text: str) -> Trial:
        """Read the JSON of the client. `asked`: the rate that was, 0 without a limit.

        What was under way at the end is not lost: the receiver counts the gaps among what it has seen.

        Raises:
            LabError: iperf3 reported an error.
        """
        document = json.loads(text)
        if error := document.get("error"):
            raise LabError(f"iperf3: {error}")
        sent, received = document["end"]["sum_sent"], document["end"]["sum_received"]
        seen, length = received["packets"], document["start"]["test_start"]["blksize"]
        arrived = seen - received["lost_packets"]
        loss = received["lost_packets"] / seen if seen else 1.0
        rate = arrived * length * 8 / received["seconds"] if received["seconds"] else 0.0
        return cls(asked, sent["bits_per_second"], rate, arrived, loss, received["jitter_ms"], length)

    @property
    def passed(self) -> bool:
        """Whether the tunnel carries this rate."""
        return self.loss <= LOSS

    @property
    def held_back(self) -> bool:
        """Whether the generator could not send as fast as it was asked to."""
        return not self.asked or self.sent * PRECISION < self.asked


def conditions(options: Options) -> list[str]:
    """Each direction with each size of packet."""
    return [f"direction={way} size={size}" for way in options.directions for size in options.sizes]


def load(options: Options) -> Load:
    """The trials of a search, of which there are about eight."""
    return Load(seconds=options.duration * 8)


def run(tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Search for the rate. `load` is the trial that passed at the highest rate; of all, iperf3's JSON is kept.

    A trial is a time and not a number of datagrams: iperf3 (3.18) does not stop at a number of UDP's.
    """
    argv = ["iperf3", "--client", tunnel.address("server"), "--udp", "--time", str(options.duration)]
    argv += ["--length", str(int(conditions["size"]) - headers(tunnel)), "--interval", "0", "--json"]
    if conditions["direction"] == "down":
        argv.append("--reverse")
    trials: list[dict[str, Any]] = []
    loads: dict[float, dict[str, Any]] = {}
    rates = search()
    asked = next(rates)
    while asked is not None:
        load = tunnel.load([*argv, "--bitrate", str(round(asked))], timeout=options.duration + 30)
        trial = Trial.read(asked, load["stdout"])
        trials.append({"asked": asked, "stdout": load["stdout"]})
        if trial.passed:
            loads[trial.received] = load | {"asked": asked}
        asked = rates.send(trial)
    best = {"load": loads[max(loads)]} if loads else {}
    return {"trials": trials, "direction": conditions["direction"], **best}


def search() -> Generator[float | None, Trial, None]:
    """The rates to try, in bit/s, each answered by its Trial; None at the end. The first, 0, is without limit."""
    trial = yield 0.0
    low, high = 0.0, trial.sent
    asked = 0.0 if trial.passed else high
    for _ in range(TRIALS - 1):
        if not asked or (low and high <= low * PRECISION):
            break
        # Until one passes: what arrived of the last is about what can.
        asked = sqrt(low * high) if low else asked * max(0.98 * (1 - trial.loss), 0.125)
        trial = yield asked
        if not trial.passed:
            high = asked
        elif trial.held_back:
            break
        else:
            low = asked
    yield None


def parse(raw: Mapping[str, Any]) -> list[Reading]:
    """Mbit/s and datagrams per second that arrived, jitter (RFC 3550, section 6.4.1), and the share that was lost.

    Raises:
        InvalidSample: no rate passed. LabError: iperf3 reported an error.
    """
    if "load" not in raw:
        lowest = min((Trial.read(each["asked"], each["stdout"]) for each in raw["trials"]), key=lambda each: each.sent)
        told = f"of {lowest.sent / 1e6:.3g} Mbit/s, the lowest rate that was tried, {lowest.loss:.1%} were lost"
        raise InvalidSample(f"no rate was found at which at most {LOSS:.1%} of all datagrams are lost: {told}")
    load = raw["load"]
    trial = Trial.read(load["asked"], load["stdout"])
    receiver = "server" if raw["direction"] == "up" else "client"
    return [
        Reading("datagram_rate", "Mbit/s", receiver, trial.received / 1e6),
        Reading("datagrams_per_second", "1/s", receiver, trial.received / 8 / trial.length),
        Reading("jitter", "ms", receiver, trial.jitter),
        Reading("loss", "fraction", receiver, trial.loss),
        Reading("payload", "B", "machine", trial.arrived * trial.length),
    ]
