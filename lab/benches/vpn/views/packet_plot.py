# SPDX-License-Identifier: MIT
"""The picture of instructions by packet size: a line for each data path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import pandas as pd

from lab.benches.vpn.views import looks, packet_cost
from lab.report import plots, tables

if TYPE_CHECKING:
    from lab.report.plots import Picture
    from lab.stats.summary import Summary

SUITES = 6
"""The number of ciphersuites shown: those that most data paths have. The table has all."""


def draw(run: Summary) -> Picture:
    """A panel for each suite; the control is grey in all of them."""
    summary = packet_cost.of_machine(packet_cost.sized(run))
    summary = summary.assign(series=tables.series(summary))
    control = summary[summary["vpn"] == run.control]
    others = summary.drop(control.index)
    shown = others if len(others) else summary
    suites = packet_cost.shared_suites(shown, SUITES)
    colors, shapes = looks.of(summary)
    sizes = sorted(set(summary["size"]))
    x = alt.X("size:Q", title="size of an IP packet, bytes", axis=alt.Axis(values=sizes, labelOverlap="greedy"))
    y = alt.Y("median:Q", title="instructions by packet", axis=alt.Axis(format="~s"), scale=alt.Scale(zero=True))
    panels = []
    for suite in suites:
        rows = pd.concat([shown[shown["suite"] == suite], control]) if len(others) else shown[shown["suite"] == suite]
        columns = ["series", "vpn", "variant", "records", "suite", "size", "mode", "median", "low", "high", "n"]
        data = alt.Chart(rows[columns])
        color = alt.Color("series:N", title=None, scale=colors)
        line = data.transform_filter("datum.mode == 1").mark_line(strokeWidth=1.2)
        line = line.encode(x=x, y=y, color=color, strokeDash=_dash(summary["records"]))
        points = data.mark_point(size=40, opacity=1, strokeWidth=1.4).encode(
            x=x, y=y, tooltip=plots.tooltip("series", "suite", "size", "median", "low", "high", "n"),
            **plots.symbols(colors, shapes, summary["records"]),
        )  # fmt: skip
        panels.append(alt.layer(line, points).properties(title=suite, width=(plots.WIDTH - 80) // 2, height=220))
    chart = alt.concat(*panels, columns=2).resolve_scale(y="shared", x="shared")
    notes = [
        f"median (symbol); the {len(suites)} of {shown['suite'].nunique()} suites that most data paths have"
        + ("; grey: no VPN" if len(control) and len(others) else ""),
        plots.filled(summary["records"]),
    ]
    return plots.titled(chart, run, "Instructions by packet and its size", notes, plots.counts(summary))


def _dash(records: pd.Series[str]) -> alt.StrokeDash:
    """A line is drawn through for user space, dashed for the kernel."""
    dashes = {"user": [1, 0], "": [1, 0], "kernel": [5, 3], "kernel-tx": [7, 2, 2, 2]}
    places = [place for place in dashes if place in set(records)]
    scale = alt.Scale(domain=places, range=[dashes[place] for place in places])
    return alt.StrokeDash("records:N", legend=None, scale=scale)
