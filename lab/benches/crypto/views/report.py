# SPDX-License-Identifier: MIT
"""What a run of `lab crypto` shows, and its data for a program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from lab.benches.crypto.views import answer, frame, plots, speeds, thesis_model
from lab.benches.crypto.views import thesis as beside
from lab.report import reference
from lab.report import tables as of
from lab.report.plots import Picture
from lab.report.reference import Beside
from lab.report.tables import Table
from lab.report.views import Offer
from lab.stats.summary import Summary

NOTHING: dict[str, Any] = {"implementations": {}, "speeds": [], "ratios": [], "outcomes": []}


def tables(run: Summary, offer: Offer, *, whole: bool) -> list[Table]:
    """A table for each library, the code paths that ran, and the comparison with the thesis."""
    return [*speeds.build(run), *beside.build(run, thesis_model.load())]


def screen(run: Summary, width: int) -> list[str]:
    """The answer of the run on one screen."""
    return answer.lines(run, width)


def pictures(run: Summary) -> Iterator[tuple[str, Picture]]:
    """Speed by size of payload."""
    if not frame.speeds(run).empty:
        yield "crypto", plots.picture(run)


def summary(run: Summary, offer: Offer) -> pd.DataFrame:
    """The summary of every metric."""
    return run.figures


def data(run: Summary, offer: Offer) -> dict[str, Any]:
    """Speeds (B/s), ratios of container to host, and the outcome of every cell."""
    keys = ["library", "place", "suite", "size", "outcome", "reason"]
    outcomes = frame.named(run.outcomes)
    return {
        "run": run.runs,
        "engine": run.engine,
        "clock": run.clock,
        "implementations": run.meta.get("implementations", {}),
        "retaken": run.retaken,
        "speeds": of.plain(frame.speeds(run)),
        "ratios": of.plain(frame.ratios(run)),
        "outcomes": of.plain(outcomes[[*keys, "n"]].sort_values(keys)),
    }


def thesis(run: Summary) -> Beside:
    """A run beside the thesis's tables 3.8 to 3.14."""
    comparison = [*beside.build(run, thesis_model.load()), reference.errata()]
    header = {"run": run.runs, "thesis": reference.load().title}
    return Beside(
        reference.lines(run.meta), comparison, {**header, "tables": [reference.plain(table) for table in comparison]}
    )
