# SPDX-License-Identifier: MIT
"""The picture of many tunnels: each figure over their number, a line for each data path and suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from lab.benches.vpn.views import curves, looks
from lab.report import plots, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from lab.report.plots import Picture
    from lab.stats.summary import Summary

PANELS = {
    ("throughput", ""): "throughput of all, Mbit/s",
    ("fairness", ""): "fairness (Jain's index)",
    ("ready", "client"): "time until all are up, s",
    ("handshakes", "client"): "tunnels up a second",
    ("setup_cpu", "server"): "CPU s a tunnel, server",
    ("memory", "server"): "MB a tunnel, server",
    ("memory", "client"): "MB a tunnel, client",
}
"""The figures that have a panel, each a metric and an end (a receiver is whichever it is)."""
LOGARITHMIC = ("ready",)
"""Metrics that grow with the number of tunnels: a straight line is in proportion to it."""


def pictures(run: Summary) -> Iterator[tuple[str, Picture]]:
    """A picture for each suite of which more than one number of tunnels was measured, with its name."""
    summary = curves.numbered(run)
    if summary.empty:
        return
    summary = summary[summary["mode"] == 1]
    control = summary[summary["vpn"] == run.control]
    others = summary.drop(control.index)
    for suite in tables.order(set(others["suite"])):
        rows = others[others["suite"] == suite]
        if rows["tunnels"].nunique() > 1:
            yield f"tunnels {suite}", _draw(run, rows, suite)


def _draw(run: Summary, rows: pd.DataFrame, suite: str) -> Picture:
    colors, shapes = looks.of(rows)
    panels = [
        _panel(part, title, (colors, shapes), log=metric in LOGARITHMIC)
        for (metric, end), title in PANELS.items()
        if len(part := rows[(rows["metric"] == metric) & (rows["end"] == end if end else True)])
    ]
    notes = ["median (symbol) and its interval or range; of the loaded tunnels together", plots.filled(rows["records"])]
    chart = alt.concat(*panels, columns=2)
    return plots.titled(chart, run, f"From one tunnel to many: {suite}", notes, plots.counts(rows))


def _panel(rows: pd.DataFrame, title: str, scales: tuple[alt.Scale, alt.Scale], *, log: bool) -> Any:
    numbers = sorted(set(rows["tunnels"]))
    x = alt.X(
        "tunnels:Q", title="tunnels", scale=alt.Scale(type="log"), axis=alt.Axis(values=numbers, labelOverlap="greedy")
    )
    scale = alt.Scale(type="log") if log else alt.Scale(zero=True)
    y = alt.Y("median:Q", title=title, scale=scale)
    data = alt.Chart(rows[["series", "vpn", "records", "suite", "load", "tunnels", "median", "low", "high", "n"]])
    line = data.mark_line(strokeWidth=1.2).encode(
        x=x, y=y, color=alt.Color("series:N", title=None, scale=scales[0]), detail="load:N"
    )
    bars = data.mark_rule(strokeWidth=1).encode(
        x=x, y=alt.Y("low:Q", title=title, scale=scale), y2="high:Q",
        color=alt.Color("series:N", title=None, scale=scales[0]),
    )  # fmt: skip
    points = data.mark_point(size=40, opacity=1, strokeWidth=1.4).encode(
        x=x, y=y, tooltip=plots.tooltip("series", "suite", "load", "tunnels", "median", "low", "high", "n"),
        **plots.symbols(*scales, rows["records"]),
    )  # fmt: skip
    return alt.layer(line, bars, points).properties(width=(plots.WIDTH - 80) // 2, height=200)
