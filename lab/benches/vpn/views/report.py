# SPDX-License-Identifier: MIT
"""What a run of `lab matrix` shows, and its data for a program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from lab.benches.vpn.views import answer, contents
from lab.benches.vpn.views import thesis as beside
from lab.benches.vpn.views.speed_tables import CipherShare
from lab.benches.vpn.views.thesis_model import load
from lab.report import reference
from lab.report import tables as of
from lab.report.plots import Picture
from lab.report.reference import Beside
from lab.report.tables import Table
from lab.report.views import Offer
from lab.stats.summary import Summary

NOTHING: dict[str, Any] = {"control": None, "raw_speeds": None, "summary": [], "outcomes": []}


def _raw(offer: Offer) -> CipherShare | None:
    """The speed of the ciphers alone on the same machine, if there is a run of `lab crypto` beside this one."""
    cipher_share: CipherShare | None = offer("crypto")
    return cipher_share


def tables(run: Summary, offer: Offer, *, whole: bool) -> list[Table]:
    """Every table that has data; the page has the CPU tables of every load."""
    return contents.build(run, every_load=whole, raw=_raw(offer))


def screen(run: Summary, width: int) -> list[str]:
    """The answer of the run on one screen."""
    return answer.lines(run, width)


def pictures(run: Summary) -> Iterator[tuple[str, Picture]]:
    """Every picture that has data."""
    return contents.pictures(run)


def summary(run: Summary, offer: Offer) -> pd.DataFrame:
    """The summary of every metric; throughput has its `raw_share` (share of raw cipher speed), if known.

    A cell with several modes has a row for each, and no average.
    """
    raw = _raw(offer)
    shares = [
        raw.share(row.vpn, row.records, row.suite, row.median) if raw and row.metric == "throughput" else float("nan")
        for row in of.each(run.figures)
    ]
    return run.figures.assign(raw_share=shares)


def data(run: Summary, offer: Offer) -> dict[str, Any]:
    """The summary of every metric and the outcome of every cell; a missing interval is None."""
    raw = _raw(offer)
    return {
        "run": run.runs,
        "engine": run.engine,
        "clock": run.clock,
        "control": run.control,
        "raw_speeds": raw.run if raw else None,
        "retaken": run.retaken,
        "summary": of.plain(summary(run, offer)),
        "outcomes": of.plain(run.outcomes),
    }


def thesis(run: Summary) -> Beside:
    """A run beside the thesis's throughput, order of VPNs, CPU time and system calls."""
    return Beside(reference.lines(run.meta), beside.build(run, load()), beside.data(run))
