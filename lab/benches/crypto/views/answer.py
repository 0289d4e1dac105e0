# SPDX-License-Identifier: MIT
"""The answer of a run on one screen: the fastest ciphers of each library."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pandas as pd

from lab.benches.crypto import libraries
from lab.benches.crypto.libraries import PLACES
from lab.benches.crypto.views import frame
from lab.benches.crypto.views.speeds import MEGABYTE
from lab.report.screen import Bar, bars, failures, wrapped
from lab.report.tables import each, figure
from lab.stats.summary import Summary

MOST = 6
"""Suites of each library that the screen has room for."""


def lines(run: Summary, width: int) -> list[str]:
    """The screen of a run, in lines of `width` columns."""
    speeds = frame.speeds(run)
    speeds = speeds[speeds["metric"] == "speed"]
    shown = [run.heading, "", *(_fastest(speeds, width) if len(speeds) else [])]
    return [*shown, *failures(run, _named, width)]


def _named(row: Any) -> str:
    return f"{row.vpn}, {row.variant}, {row.suite}, {row.conditions}"


def _fastest(speeds: pd.DataFrame, width: int) -> list[str]:
    """The fastest suites of each library, on one scale."""
    size = max(speeds["size"])
    place = next(place for place in reversed(PLACES) if place in set(speeds["place"]))
    here = speeds[(speeds["size"] == size) & (speeds["place"] == place)].sort_values("median", ascending=False)
    rows = {library.title: list(each(here[here["library"] == name])) for name, library in libraries.load().items()}
    drawn = iter(bars([_bar(row) for found in rows.values() for row in found[:MOST]], width))
    title = f"Speed of the ciphers alone: MB/s of payload, {size} B at a time, in the {place}, median"
    shown = [*wrapped(title, width), ""]
    for library, found in rows.items():
        if found:
            slower = f", {len(found) - MOST} slower ones left out" if len(found) > MOST else ""
            shown += [f"{library}{slower}", *islice(drawn, min(len(found), MOST))]
    return shown


def _bar(row: Any) -> Bar:
    return Bar(f"  {row.suite}", row.median, figure(row.median / MEGABYTE))
