# SPDX-License-Identifier: MIT
"""The picture of a run: speed by payload size, a panel for each library."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import altair as alt

from lab.benches.crypto import libraries
from lab.benches.crypto.views import frame
from lab.catalog.catalog import Catalog
from lab.report import plots, tables

if TYPE_CHECKING:
    import pandas as pd

    from lab.report.plots import Picture
    from lab.stats.summary import Summary

MEGABYTE = 1e6
WIDTH, HEIGHT = 420, 340
"""Of a panel, in pixels."""
DASHES = {"container": [1, 0], "host": [6, 4]}


def picture(run: Summary) -> Picture:
    """Speed by payload size, a panel for each library; solid lines for the container, dashed for the host."""
    summary = frame.speeds(run)
    summary = summary[summary["metric"] == "speed"]
    values = {column: summary[column] / MEGABYTE for column in ("median", "low", "high")}
    rows = summary.assign(payload=summary["size"], **values)
    x = plots.payload_axis(rows["payload"], WIDTH, log=True)
    scale, label, axis = plots.value_scale(rows["median"], f"payload, {tables.of_clock('MB/s', run.clock)}")
    known = libraries.load()
    panels: list[Any] = []
    for name in (name for name in known if name in set(rows["library"])):
        y = alt.Y("median:Q", scale=scale, axis=axis, title="" if panels else label)
        panel = _panel(rows[rows["library"] == name], x, y, tables.order(rows["suite"]))
        panels.append(panel.properties(width=WIDTH, height=HEIGHT, title=plots.heading(known[name].title)))
    chart = alt.hconcat(*panels, spacing=24).resolve_scale(y="shared")
    notes = ["median (symbol); container drawn through, host dashed"]
    return plots.titled(chart, run, "Raw cipher speed by payload", notes, summary["n"])


def _panel(rows: pd.DataFrame, x: alt.X, y: alt.Y, suites: list[str]) -> alt.LayerChart | alt.FacetChart:
    """A line for each suite and place, a symbol at each payload."""
    looks = [_look(suite) for suite in suites]
    colors = alt.Scale(domain=suites, range=[color for color, _ in looks])
    shapes = alt.Scale(domain=suites, range=[shape for _, shape in looks])
    stroke = alt.Stroke("suite:N", title=None, scale=colors)
    dashes = alt.Scale(domain=list(DASHES), range=list(DASHES.values()))
    columns = ["suite", "place", "payload", "median", "low", "high", "n"]
    data = alt.Chart(rows[columns]).encode(x=x, y=y, stroke=stroke)
    return alt.layer(
        data.mark_line(strokeWidth=1.3).encode(strokeDash=alt.StrokeDash("place:N", scale=dashes, legend=None)),
        data.mark_point(size=36, opacity=1).encode(
            fill=alt.Fill("suite:N", title=None, scale=colors),
            shape=alt.Shape("suite:N", title=None, scale=shapes),
            tooltip=plots.tooltip(*columns),
        ),
    )


@cache
def _looks() -> dict[str, tuple[str, str]]:
    """Colour and shape of each suite of the catalogue: the same in every run, no two alike."""
    count = len(plots.COLORS)
    return {
        suite: (plots.COLORS[place % count], plots.SHAPES[place // count % len(plots.SHAPES)])
        for place, suite in enumerate(Catalog().suites)
    }


def _look(suite: str) -> tuple[str, str]:
    return _looks().get(suite, (plots.GREY, plots.SHAPES[0]))
