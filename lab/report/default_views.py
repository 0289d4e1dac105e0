# SPDX-License-Identifier: MIT
"""What runs of a bench show that has no views of its own: outcomes, and every figure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from lab.report import reference
from lab.report.plots import Picture
from lab.report.reference import Beside
from lab.report.tables import Cell, Table, each, figure, interval, of_clock, plain, spread_name, spread_note
from lab.report.views import Offer
from lab.stats import analysis
from lab.stats.summary import Summary

NOTHING: dict[str, Any] = {"summary": [], "outcomes": []}


def tables(run: Summary, offer: Offer, *, whole: bool) -> list[Table]:
    """How the samples of each cell ended, and the median of every figure."""
    where = analysis.clocked(run.engine, run.clock)
    return [table for table in (_outcomes(run, where), _figures(run, where)) if table.rows]


def _outcomes(run: Summary, where: str) -> Table:
    rows = [
        [Cell(_named(row)), Cell(row.outcome, "" if row.outcome == "ok" else row.outcome), Cell(str(row.n))]
        for row in each(run.outcomes)
    ]
    notes = [f"{row.n} {row.outcome}: {_named(row)}: {row.reason}" for row in each(run.outcomes) if row.reason]
    columns = ["cell", "outcome", "n"]
    return Table("samples", "Samples by outcome", columns, rows, 1, notes + analysis.retaken(run.df), where)


def _figures(run: Summary, where: str) -> Table:
    rows = []
    for row in each(run.figures):
        texts = [_named(row), row.metric, row.end, of_clock(row.unit, run.clock), figure(row.median), interval(row)]
        rows.append([Cell(text) for text in [*texts, str(row.n)]])
    columns = ["cell", "metric", "end", "unit", "median", spread_name(run), "n"]
    return Table("figures", "Every figure", columns, rows, 3, spread_note(run.clock), where)


def _named(row: Any) -> str:
    words = (row.vpn, row.variant, row.suite, row.measure, row.conditions)
    return " ".join(word for word in words if word)


def screen(run: Summary, width: int) -> list[str]:
    """None: the tables are short."""
    return []


def pictures(run: Summary) -> Iterator[tuple[str, Picture]]:
    """None."""
    yield from ()


def summary(run: Summary, offer: Offer) -> pd.DataFrame:
    """The summary of every metric."""
    return run.figures


def data(run: Summary, offer: Offer) -> dict[str, Any]:
    """The summary of every metric, and the outcome of every cell."""
    return {
        "run": run.runs,
        "engine": run.engine,
        "clock": run.clock,
        "retaken": run.retaken,
        "summary": plain(run.figures),
        "outcomes": plain(run.outcomes),
    }


def thesis(run: Summary) -> Beside:
    """The thesis has nothing of it."""
    said = "the thesis has nothing that these figures are like"
    return Beside([*reference.lines(run.meta), said], [], {"run": run.runs, "thesis": reference.load().title})
