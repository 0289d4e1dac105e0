# SPDX-License-Identifier: MIT
"""How far the samples of a cell lie apart, and what goes with it: why two tunnels of one kind do not cost the same.

TCP, wake-ups and queues interleave anew in each tunnel. What that changes is counted beside every load: packets that
stand for several, acknowledgements, wake-ups, losses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any

from lab.benches.vpn import packets
from lab.report.quotes import NONE
from lab.report.tables import Cell, Table, order, percent
from lab.results.cell import parse_conditions
from lab.stats import companions
from lab.stats.analysis import FOREIGN
from lab.stats.companions import Companion

if TYPE_CHECKING:
    from lab.stats.summary import Summary

MEASURE = "throughput"
NAMES = {
    "in": "packets sent into the tunnel",
    "answers": "answers sent into the tunnel (ACKs)",
    "out": "packets sent on the wire",
    "answers out": "answers sent on the wire",
    "switches": "context switches at both ends",
    "lost": "retransmissions",
}
"""What is looked at, each for a megabyte."""


@dataclass(frozen=True)
class Spread:
    """A data path's samples: the standard deviation of the logarithm of their cost within cells, and what goes with it.

    `by` is None if nothing that was counted does. A share: 0.02 is 2 %.
    """

    path: str
    cells: int
    samples: int
    deviation: float
    by: Companion | None

    @property
    def apart(self) -> str:
        """The deviation as text."""
        return percent(self.deviation)

    @property
    def goes_with(self) -> str:
        """What goes with a greater cost, in words; a dash if nothing does."""
        return f"{'more' if self.by.more else 'fewer'} {NAMES[self.by.name]}" if self.by else NONE

    @property
    def share(self) -> str:
        """The share of the variance that goes with it; a dash if nothing does."""
        return f"{self.by.share:.2f}" if self.by else NONE


def of_run(run: Summary) -> list[Spread]:
    """The spread of every data path that has several samples in some cell."""
    paths: dict[str, list[tuple[tuple[str, str], float, dict[str, float]]]] = defaultdict(list)
    for sample in _counted(run.samples):
        if (cost := _cost(sample)) and (figures := _figures(sample)) and sample["vpn"] != run.control:
            cell = str(sample["suite"]), str(sample["conditions"])
            paths[f"{sample['vpn']}/{sample['variant']}"].append((cell, log(cost), figures))
    found = []
    for path in order(paths):
        cells, costs, figures_of = zip(*paths[path], strict=True)
        deviation = companions.deviation(cells, costs)
        if deviation == deviation:  # some cell has two
            columns = {name: [figures[name] for figures in figures_of] for name in NAMES}
            by = companions.leading(cells, costs, columns)
            found.append(Spread(path, len(set(cells)), len(cells), deviation, by))
    return found


def _counted(samples: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The samples of a TCP load through one tunnel that count."""
    for sample in samples:
        alone = "tunnels" not in parse_conditions(sample["conditions"])
        if sample["measure"] == MEASURE and sample["outcome"] == "ok" and sample.get("bottleneck") != FOREIGN and alone:
            yield sample


def _cost(sample: Mapping[str, Any]) -> float:
    return _reading(sample, "cost", ["machine"])


def _reading(sample: Mapping[str, Any], metric: str, ends: Iterable[str]) -> float:
    """The sum of a reading over some ends."""
    rows = [row for row in sample["readings"] if row["metric"] == metric and row["end"] in ends]
    return float(sum(row["value"] for row in rows))


def _figures(sample: Mapping[str, Any]) -> dict[str, float]:
    """Each of NAMES, for a megabyte; nothing if the interfaces do not tell."""
    payload = _reading(sample, "payload", ["machine"])
    counts = {(row.metric, row.end): row.value for row in packets.readings(sample["raw"]["load"], payload)}
    sender, receiver = ("client", "server") if sample["raw"]["direction"] == "up" else ("server", "client")
    if len(counts) < 2 * len(packets.ENDS):
        return {}
    kinds = ("context_switches_voluntary", "context_switches_involuntary")
    switches = sum(_reading(sample, kind, packets.ENDS) for kind in kinds)
    return {
        "in": counts[packets.IN_TUNNEL, sender],
        "answers": counts[packets.IN_TUNNEL, receiver],
        "out": counts[packets.ON_WIRE, sender],
        "answers out": counts[packets.ON_WIRE, receiver],
        "switches": switches / payload * packets.MEGABYTE,
        "lost": _reading(sample, "retransmits", [sender]) / payload * packets.MEGABYTE,
    }


def table(run: Summary) -> Table:
    """A row for each data path, the widest spread first."""
    rows = [
        [Cell(text) for text in (each.path, each.apart, each.goes_with, each.share, str(each.cells), str(each.samples))]
        for each in sorted(of_run(run), key=lambda each: -each.deviation)
    ]
    columns = ["vpn/variant", "apart", "goes with", "share", "cells", "n"]
    notes = [
        "apart: the standard deviation of the logarithm of the machine's CPU cost within a cell",
        "share: of the variance within cells, by what goes best with it (R²)",
        f"{NONE}: nothing that was counted does, or too few samples show it (p above 5 %, corrected for the six)",
    ]
    title = "How far the samples of a cell lie apart, and what goes with it"
    return Table("spreads", title, columns, rows, 1, notes, run.where)
