# SPDX-License-Identifier: MIT
"""Single figures of a run as text, for the sentences and tables of a page of documentation."""
# ruff: noqa: RUF001 - en dashes are what a reader of figures expects

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lab.core.errors import LabError
from lab.report import machines, tables
from lab.report.tables import figure
from lab.results.schema import Meta
from lab.stats import modes
from lab.stats.summary import Summary

NONE = "–"
"""What stands where a run has no figure because the combination does not exist."""


class Quotes:
    """The figures of one run. All of them are derived from `run`; nothing is stored."""

    def __init__(self, run: Summary) -> None:
        self.run = run

    @property
    def name(self) -> str:
        """The run's name."""
        return self.run.runs[0]

    @property
    def blocks(self) -> int:
        """How often each cell was measured."""
        return Meta.model_validate(self.run.meta).blocks or int(self.run.df["block"].nunique())

    @property
    def samples(self) -> int:
        """The number of samples that were taken; combinations that do not exist are not among them."""
        return sum(sample["position"] >= 0 for sample in self.run.samples)

    @property
    def impossible(self) -> int:
        """The number of combinations that were known not to exist before the run."""
        return sum(sample["position"] < 0 for sample in self.run.samples)

    def ended(self, outcome: str) -> int:
        """The number of samples taken with this outcome."""
        return sum(sample["position"] >= 0 and sample["outcome"] == outcome for sample in self.run.samples)

    @property
    def machines(self) -> str:
        """Which machines and workers took the run, and how much two of them differ; empty if no cluster took it."""
        return " ".join(machines.sentences(self.run))

    def cell(self, metric: str, end: str, **where: str) -> list[Any]:
        """The summary of one cell's metric: a row for each mode, the mode with most samples first; empty if none.

        Raises:
            LabError: the run has no such metric, or no row with one of `where`; names the valid ones.
        """
        rows = self.run.figures_of(metric)
        for column, value in {"end": end, **where}.items():
            if value not in set(rows[column]):
                valid = ", ".join(sorted(set(rows[column])))
                raise LabError(f"run {self.name} has no {metric} of {column} {value!r}", f"it has: {valid or 'none'}")
        for column, value in {"end": end, **where}.items():
            rows = rows[rows[column] == value]
        return sorted(tables.each(rows), key=lambda row: row.mode)


def medians(rows: Sequence[Any], show: Callable[[float], str] = figure) -> str:
    """The median of a cell, or of each of its modes: `134 or 160`."""
    return " or ".join(show(row.median) for row in rows) or NONE


def extent(rows: Sequence[Any], show: Callable[[float], str] = figure) -> str:
    """The least and the greatest sample of a cell, in all its modes."""
    return f"{show(min(row.min for row in rows))}–{show(max(row.max for row in rows))}" if rows else NONE


def typical(rows: Sequence[Any], show: Callable[[float], str] = figure) -> str:
    """What stands for a cell on its own.

    On the wall clock the median with its interval. On the instruction clock the median; the medians of its modes; or,
    if the samples differ by more than `modes.GAP` without forming modes, the least and the greatest.
    """
    if not rows:
        return NONE
    if rows[0].clock != modes.EXACT:
        return f"{show(rows[0].median)} ({tables.interval(rows[0], show)})"
    return extent(rows, show) if len(rows) == 1 and rows[0].max > rows[0].min * (1 + modes.GAP) else medians(rows, show)


def thousands(value: float) -> str:
    """A number as thousands, with three digits."""
    return figure(value / 1000)
