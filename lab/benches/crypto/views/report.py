# SPDX-License-Identifier: MIT
"""What a run of `lab crypto` shows, and its data for a program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from lab.benches.crypto.views import frame, plots, speeds, thesis_model
from lab.benches.crypto.views import thesis as beside
from lab.report import reference
from lab.report import tables as of
from lab.report.reference import Beside
from lab.report.tables import Table
from lab.report.views import Offer
from lab.stats import analysis
from lab.stats.summary import Summary

NOTHING: dict[str, Any] = {"implementations": {}, "speeds": [], "ratios": [], "outcomes": []}


def tables(run: Summary, offer: Offer, *, whole: bool) -> list[Table]:
    """A table for each library, the code paths that ran, and the comparison with the thesis."""
    return [*speeds.build(run.df, run.meta), *beside.build(run.df, thesis_model.load())]


def pictures(run: Summary) -> Iterator[tuple[str, Figure]]:
    """Speed by size of payload."""
    if not analysis.measured(run.df, frame.SPEEDS).empty:
        yield "crypto", plots.picture(run.df)


def summary(run: Summary, offer: Offer) -> pd.DataFrame:
    """The summary of every metric."""
    return run.figures


def data(run: Summary, offer: Offer) -> dict[str, Any]:
    """Speeds (B/s), ratios of container to host, and the outcome of every cell."""
    keys = ["library", "place", "suite", "size", "outcome", "reason"]
    outcomes = frame.tidy(run.df).drop_duplicates(["run", "block", *keys])
    return {
        "run": run.runs,
        "engine": run.engine,
        "clock": run.clock,
        "implementations": run.meta.get("implementations", {}),
        "retaken": run.retaken,
        "speeds": of.plain(frame.speeds(run.df)),
        "ratios": of.plain(frame.ratios(run.df)),
        "outcomes": of.plain(outcomes.groupby(keys, sort=True).size().rename("n").reset_index()),
    }


def thesis(run: Summary) -> Beside:
    """A run beside the thesis's tables 3.8 to 3.14."""
    comparison = [*beside.build(run.df, thesis_model.load()), reference.errata()]
    header = {"run": run.runs, "thesis": reference.load().title}
    return Beside(
        reference.lines(run.meta), comparison, {**header, "tables": [reference.plain(table) for table in comparison]}
    )
