# SPDX-License-Identifier: MIT
"""What a run of `lab ktls` shows, and its data for a program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import pandas as pd

from lab.benches.ktls.views import answer, ladders, overview, plots, profiles, thesis_model
from lab.benches.ktls.views import thesis as beside
from lab.benches.ktls.views.frame import Figures
from lab.report import tables as of
from lab.report.plots import Picture
from lab.report.reference import Beside
from lab.report.tables import Table
from lab.report.views import Offer
from lab.stats.summary import Summary

NOTHING: dict[str, Any] = {"summary": [], "outcomes": [], "tables": []}


@lru_cache(maxsize=1)
def _figures(run: Summary) -> Figures:
    """The figures of a run; tables, pictures and JSON share them."""
    return Figures.of(run)


def tables(run: Summary, offer: Offer, *, whole: bool) -> list[Table]:
    """Every table that has data: outcomes, verification, beside the thesis, what each step saves."""
    return _tables(run)


@lru_cache(maxsize=1)
def _tables(run: Summary) -> list[Table]:
    figures, chapter = _figures(run), thesis_model.load()
    contents = [overview.samples(run), overview.verification(figures)]
    contents += [
        *beside.build(figures, chapter)[:-1],
        *ladders.build(figures),
        *profiles.build(run.samples, chapter, figures.where),
    ]
    return [*(table for table in contents if table.rows), beside.errata(chapter)]


def screen(run: Summary, width: int) -> list[str]:
    """The answer of the run on one screen."""
    return answer.lines(run, _figures(run), width)


def pictures(run: Summary) -> Iterator[tuple[str, Picture]]:
    """Figures 5.1 to 5.8, and the costs."""
    return plots.pictures(_figures(run), thesis_model.load())


def summary(run: Summary, offer: Offer) -> pd.DataFrame:
    """The summary of every metric."""
    return run.figures


def data(run: Summary, offer: Offer) -> dict[str, Any]:
    """The summary of every metric, the outcome of every cell, and every table as text."""
    return _data(run, _tables(run))


def thesis(run: Summary) -> Beside:
    """A run beside the thesis's chapter 5 and appendix C."""
    figures, chapter = _figures(run), thesis_model.load()
    *comparisons, errata = beside.build(figures, chapter)
    shares = [table for table in profiles.build(run.samples, chapter, figures.where) if "5.9" in table.name]
    contents = [*comparisons, *shares, errata]
    return Beside([f"beside {chapter.title}"], contents, _data(run, contents))


def _data(run: Summary, built: Sequence[Table]) -> dict[str, Any]:
    table_data = [
        {
            "name": table.name,
            "title": table.title,
            "columns": table.columns,
            "rows": [[cell.text for cell in row] for row in table.rows],
            "notes": table.notes,
        }
        for table in built
    ]
    return {
        "run": run.runs,
        "engine": run.engine,
        "clock": run.clock,
        "retaken": run.retaken,
        "summary": of.plain(run.figures),
        "outcomes": of.plain(run.outcomes),
        "tables": table_data,
    }
