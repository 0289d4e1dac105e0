# SPDX-License-Identifier: MIT
"""From the samples of a run to the figures of its tables and pictures: pure functions on data frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

import pandas as pd

from lab.benches.ktls import cells
from lab.report import tables
from lab.results.cell import parse_conditions
from lab.stats import modes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.stats.summary import Summary

KEY = ["protocol", "suite", "scenario", "path", "way", "payload"]
BLOCK = ["run", "block", "engine", "clock"]
Block = tuple[Any, ...]
Metric = tuple[str, str]
"""A metric and its endpoint."""
WALL: Metric = ("throughput", "receiver")
SENT: Metric = ("throughput", "sender")
CPU: Metric = ("cpu_rate", "machine")
COST: Metric = ("cost_record", "machine")


@dataclass(frozen=True)
class Spot:
    """What a figure belongs to: what was sent, by which path and way, in records of `payload` bytes."""

    protocol: str
    suite: str
    scenario: str
    path: str
    way: str
    payload: int

    def by(self, path: str, way: str) -> Spot:
        """The same spot of another path or way."""
        return Spot(self.protocol, self.suite, self.scenario, path, way, self.payload)


@dataclass(frozen=True)
class Figures:
    """All figures of a run: the summary by spot and metric, a row for each mode; and the values of each block.

    Samples taken under `perf` are left out.
    """

    run: Summary
    found: dict[Spot, dict[Metric, list[Any]]]
    blocks: dict[tuple[Spot, Metric], dict[Block, float]]
    why: dict[Spot, str]
    spots: list[Spot] = field(default_factory=list)

    @classmethod
    def of(cls, run: Summary) -> Figures:
        """The figures of a run."""
        figures: dict[Spot, dict[Metric, list[Any]]] = {}
        for row in tables.each(_named(_unprofiled(run.figures))):
            figures.setdefault(_spot(row), {}).setdefault((row.metric, row.end), []).append(row)
        failures = _named(_unprofiled(run.outcomes[run.outcomes["outcome"] != "ok"]))
        reasons = {_spot(row): f"{row.outcome}: {row.reason}" for row in tables.each(failures)}
        blocks: dict[tuple[Spot, Metric], dict[Block, float]] = {}
        for row in tables.each(_named(_unprofiled(run.measured))):
            block = tuple(getattr(row, column) for column in BLOCK)
            blocks.setdefault((_spot(row), (row.metric, row.end)), {})[block] = float(row.value)
        spots = sorted({*figures, *reasons}, key=_order)
        return cls(run, figures, blocks, reasons, spots)

    @property
    def clock(self) -> str:
        """The clock of all figures."""
        return self.run.clock

    @property
    def where(self) -> str:
        """The engine and the clock, in words."""
        return self.run.where

    def get(self, spot: Spot, metric: Metric) -> list[Any]:
        """The rows of a figure, one for each mode; empty if there is none."""
        return self.found.get(spot, {}).get(metric, [])

    def median(self, spot: Spot, metric: Metric) -> float:
        """The median of a figure; NaN if there is none, or if it has several modes: no single value describes those."""
        rows = self.get(spot, metric)
        return float(rows[0].median) if len(rows) == 1 else float("nan")

    def ratio(self, over: Spot, under: Spot, metric: Metric) -> float:
        """The median of the ratios within a block; NaN if no block has both, or if one has several modes."""
        ratios = [value / base for value, base in self._pairs(over, under, metric) if base > 0]
        return median(ratios) if ratios else float("nan")

    def difference(self, one: Spot, two: Spot, metric: Metric) -> float:
        """The median of the differences within a block; NaN as for `ratio`."""
        gaps = [value - other for value, other in self._pairs(one, two, metric)]
        return median(gaps) if gaps else float("nan")

    def _pairs(self, one: Spot, two: Spot, metric: Metric) -> list[tuple[float, float]]:
        if any(len(self.get(spot, metric)) > 1 for spot in (one, two)):
            return []
        values, others = (self.blocks.get((spot, metric), {}) for spot in (one, two))
        return [(value, others[block]) for block, value in values.items() if block in others]

    def count(self, spot: Spot) -> int:
        """The number of samples of a cell."""
        return tables.count(self.get(spot, WALL))

    def of_scenario(self, scenario: str, protocol: str) -> list[Spot]:
        """The spots of one scenario and protocol, in order."""
        return [spot for spot in self.spots if (spot.scenario, spot.protocol) == (scenario, protocol)]


def _unprofiled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["measure"] != cells.PROFILE]


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame with this bench's column names, with the way and the payload (0 if there is none)."""
    conditions = [parse_conditions(text) for text in frame["conditions"]]
    payloads = [int(entry.get("payload", 0)) for entry in conditions]
    return frame.rename(columns=cells.COLUMNS).assign(
        way=[entry.get("way", "") for entry in conditions], payload=payloads
    )


def _spot(row: Any) -> Spot:
    return Spot(*(getattr(row, column) for column in KEY))


def _order(spot: Spot) -> tuple[Any, ...]:
    """The order of `cells.yaml`; unknown names come last."""
    known = cells.load()
    scenario = known.scenario.get(spot.scenario)
    return (
        _place(spot.scenario, list(known.scenario)), _place(spot.protocol, list(known.protocol)), spot.suite,
        spot.payload, _place(spot.way, list(scenario.ways) if scenario else []), _place(spot.path, list(known.path)),
    )  # fmt: skip


def _place(name: str, names: Sequence[str]) -> tuple[int, str]:
    return (names.index(name) if name in names else len(names), name)


def cost_name(clock: str) -> str:
    """What a record costs, in words."""
    return "instructions" if clock == modes.EXACT else "ns of CPU time"


def title_of(path: str) -> str:
    """A path's title."""
    known = cells.load().path
    return known[path].title if path in known else path
