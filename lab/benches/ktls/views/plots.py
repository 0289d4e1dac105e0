# SPDX-License-Identifier: MIT
"""Figures 5.1 to 5.8: the thesis and the run on separate axes; ratios are comparable, so they share an axis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import altair as alt
import pandas as pd

from lab.benches.ktls import cells
from lab.benches.ktls.views import frame, looks, thesis_model
from lab.benches.ktls.views.frame import COST, CPU, WALL, Figures, Metric, Spot
from lab.benches.ktls.views.thesis import name
from lab.report import plots, tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lab.report.plots import Picture

Rows = list[dict[str, Any]]
Layers = alt.LayerChart | alt.FacetChart
PANELS: tuple[tuple[str, Metric], ...] = (("here: received, {}", WALL), ("here: MB/CPU s of the machine", CPU))
POINT = ["series", "payload", "value", "lead", "dotted"]
"""The columns of a point. `lead`: a line goes through it, which it does through one mode of each payload."""
TOOLTIP = plots.tooltip("series:N", "payload:Q", "value:Q")
BAR = ["series", "value", "low", "high", "color", "opacity"]
SAID = "each panel has an axis of its own: machines and clocks differ, only ratios are compared"
WIDTH, HEIGHT = 250, 250
"""Of each of several panels, in pixels."""
BAR_STEP = 24


def pictures(it: Figures, there: thesis_model.Chapter) -> Iterator[tuple[str, Picture]]:
    """Every figure that has data, with its file name without the suffix; then the costs."""
    for source in there.payloads:
        spots = _mine(it, source.scenario, source.protocol, there.suite)
        if spots:
            yield plots.slug(f"figure {source.figure}"), by_payload(it, source, spots)
    for form in there.files:
        spots = [spot for spot in _mine(it, "file", form.protocol, there.suite) if spot.payload == form.payload]
        if spots:
            yield plots.slug(f"figure {form.figure}"), by_way(it, form, spots)
    for scenario, protocol in dict.fromkeys((spot.scenario, spot.protocol) for spot in it.found if spot.payload):
        spots = _mine(it, scenario, protocol, there.suite)
        if len({spot.payload for spot in spots}) > 1:
            yield plots.slug(f"cost {scenario} {protocol}"), cost(it, scenario, protocol, spots)


def _mine(it: Figures, scenario: str, protocol: str, suite: str) -> list[Spot]:
    return [
        spot for spot in it.of_scenario(scenario, protocol) if spot.suite in (suite, cells.NONE) and spot in it.found
    ]


def by_payload(it: Figures, source: thesis_model.Payloads, spots: list[Spot]) -> Picture:
    """Rates by payload: in the thesis, here by wall time, here by CPU time; and all ratios to the first path."""
    first = source.columns[0]
    there = [
        _point(_label(column), payload, value) for column in source.columns for payload, value in column.values.items()
    ]
    contents = {"there, MB/s": there}
    for text, metric in PANELS:
        contents[text.format(tables.of_clock("MB/s", it.clock))] = _points(it, spots, metric)
    over = f"÷ {frame.title_of(first.path)}, received by wall time"
    contents[over] = [*_thesis_ratios(source), *_ratios(it, first, spots)]
    series = {_label(column): (column.path, column.way) for column in source.columns} | _series(spots)
    x = plots.payload_axis([*(spot.payload for spot in spots), *first.values], WIDTH)
    look = looks.of(source.scenario, series)
    panels = [
        _panel(rows, x, alt.Y("value:Q", title=None), look, mark=1 if text == over else None).properties(
            width=WIDTH, height=HEIGHT, title=plots.heading(text)
        )
        for text, rows in contents.items()
    ]
    notes = [f"median (symbol); {_filled(series)}", f"{SAID}; ratios: dotted there, drawn through here"]
    chart = alt.hconcat(*panels, spacing=24).resolve_scale(x="independent", y="independent")
    title = f"Thesis, figure {source.figure}: {source.title}, by bytes of payload"
    return plots.titled(chart, it.run, title, notes, _counts(it, spots))


def _point(series: str, payload: int, value: float, *, lead: bool = True, dotted: bool = False) -> dict[str, Any]:
    return dict(zip(POINT, (series, payload, value, lead, dotted), strict=True))


def _points(it: Figures, spots: Sequence[Spot], metric: Metric) -> Rows:
    """A point for each mode; the line goes through the first."""
    return [
        _point(name(spot), spot.payload, row.median, lead=not number)
        for spot in spots
        for number, row in enumerate(it.get(spot, metric))
    ]


def _thesis_ratios(source: thesis_model.Payloads) -> Rows:
    first, *others = source.columns
    return [
        _point(_label(column), payload, value / first.values[payload], dotted=True)
        for column in others
        for payload, value in column.values.items()
    ]


def _ratios(it: Figures, first: thesis_model.Column, spots: Sequence[Spot]) -> Rows:
    """The ratio of each path to the first, within a block: received by wall time."""
    others = [spot for spot in spots if (spot.path, spot.way) != (first.path, first.way)]
    shares = [(spot, it.ratio(spot, spot.by(first.path, first.way), WALL)) for spot in others]
    return [_point(name(spot), spot.payload, share) for spot, share in shares if not math.isnan(share)]


def _panel(rows: Rows, x: alt.X, y: alt.Y, look: Mapping[str, Any], *, mark: float | None = None) -> Layers:
    """Lines by payload, each point a symbol, on an axis from 0; and a level line at `mark`."""
    y = y.scale(zero=True).axis(format="~f")
    data = alt.Chart(pd.DataFrame(rows, columns=POINT)).encode(x=x, y=y)
    stroke, dashes = look["stroke"], alt.Scale(domain=[False, True], range=[[1, 0], [2, 3]])
    lines = data.transform_filter("datum.lead").mark_line(strokeWidth=1.3)
    layers: list[alt.Chart] = [
        lines.encode(stroke=stroke, strokeDash=alt.StrokeDash("dotted:N", scale=dashes, legend=None)),
        data.mark_point(size=44, opacity=1, strokeWidth=1.4).encode(tooltip=TOOLTIP, **look),
    ]
    if mark is not None:
        level = alt.Chart(pd.DataFrame({"value": [mark]})).mark_rule(color="#777777", strokeWidth=0.8)
        layers.insert(0, level.encode(y=y))
    return alt.layer(*layers)


def by_way(it: Figures, source: thesis_model.Files, spots: list[Spot]) -> Picture:
    """Rates by the way a file is sent: in the thesis, here by wall time, here by CPU time."""
    labels = list(dict.fromkeys([*map(_label, source.columns), *map(name, spots)]))
    there = [_bar(_label(column), column.value, column.value, column.value, plots.GREY, 1) for column in source.columns]
    panels = [_bars(there, "there, MB/s", labels, alt.Axis())]
    for text, metric in PANELS:
        rows = [bar for spot in spots for bar in _modes(spot, it.get(spot, metric))]
        heading = text.format(tables.of_clock("MB/s", it.clock))
        panels.append(_bars(rows, heading, labels, alt.Axis(labels=False, ticks=False)))
    chart = alt.hconcat(*panels, spacing=24).resolve_scale(x="independent")
    notes = ["median (bar), least to greatest (line)", SAID]
    return plots.titled(chart, it.run, f"Thesis, figure {source.figure}: {source.title}", notes, _counts(it, spots))


def _bar(series: str, value: float, low: float, high: float, color: str, opacity: float) -> dict[str, Any]:
    return dict(zip(BAR, (series, value, low, high, color, opacity), strict=True))


def _modes(spot: Spot, rows: Sequence[Any]) -> Rows:
    """A bar for each mode of a figure, paler where there are several; one line over all of them."""
    if not rows:
        return []
    low, high = min(row.min for row in rows), max(row.max for row in rows)
    color = looks.color(spot.path)
    return [_bar(name(spot), row.median, low, high, color, 1 / len(rows)) for row in rows]


def _bars(rows: Rows, heading: str, labels: Sequence[str], axis: alt.Axis) -> Layers:
    y = alt.Y("series:N", title=None, axis=axis, scale=alt.Scale(domain=list(labels)))
    data = alt.Chart(pd.DataFrame(rows, columns=BAR)).encode(y=y)
    bars = data.mark_bar(height={"band": 0.7}).encode(
        x=alt.X("value:Q", title=None, stack=None, scale=alt.Scale(zero=True), axis=alt.Axis(format="~f", tickCount=5)),
        color=alt.Color("color:N", scale=None),
        opacity=alt.Opacity("opacity:Q", scale=None),
        tooltip=plots.tooltip("series:N", "value:Q", "low:Q", "high:Q"),
    )
    lines = data.mark_rule(strokeWidth=1.2, color="#000000").encode(x=alt.X("low:Q"), x2=alt.X2("high:Q"))
    return alt.layer(bars, lines).properties(width=WIDTH, height=BAR_STEP * len(labels), title=plots.heading(heading))


def cost(it: Figures, scenario: str, protocol: str, spots: list[Spot]) -> Picture:
    """The machine's cost of a record by payload. A line's height is the cost by record, its slope the cost by byte."""
    series = _series(spots)
    y = alt.Y("value:Q", title=f"{frame.cost_name(it.clock)} a record")
    x = plots.payload_axis((spot.payload for spot in spots), plots.WIDTH)
    chart = _panel(_points(it, spots, COST), x, y, looks.of(scenario, series))
    notes = ["of the whole machine, for a record that arrived; median (symbol)", _filled(series)]
    title = f"Cost of a record by payload: {scenario}, {protocol}"
    chart = chart.properties(width=plots.WIDTH, height=320)
    return plots.titled(chart, it.run, title, notes, _counts(it, spots))


def _series(spots: Sequence[Spot]) -> dict[str, tuple[str, str]]:
    return {name(spot): (spot.path, spot.way) for spot in spots}


def _label(column: thesis_model.Column | thesis_model.Way) -> str:
    """The name of the lab's path that corresponds to a column of the thesis."""
    return f"{frame.title_of(column.path)}, {column.way}"


def _filled(series: Mapping[str, tuple[str, str]]) -> str:
    return plots.filled(looks.records(path) for path, _ in series.values())


def _counts(it: Figures, spots: Sequence[Spot]) -> list[int]:
    return [it.count(spot) for spot in spots]
