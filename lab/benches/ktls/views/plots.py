# SPDX-License-Identifier: MIT
"""Figures 5.1 to 5.8: the thesis and the run on separate axes; ratios are comparable, so they share an axis."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from lab.benches.ktls import cells
from lab.benches.ktls.views import frame, thesis_model
from lab.benches.ktls.views.frame import COST, CPU, WALL, Figures, Metric, Spot
from lab.benches.ktls.views.thesis import name
from lab.report import plots, tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes

PANELS: tuple[tuple[str, Metric], ...] = (("here: received, {}", WALL), ("here: MB/CPU s of the machine", CPU))
NEAR = 0.04
"""The part of an axis that a number takes. If two are nearer than this, only the greater is written."""
SAID = "each panel has an axis of its own: machines and clocks differ, only ratios are compared"


def pictures(it: Figures, there: thesis_model.Chapter) -> Iterator[tuple[str, Figure]]:
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


def _look(spot: Spot, names: Sequence[str]) -> dict[str, Any]:
    known = cells.load().path.get(spot.path)
    return plots.look(names.index(name(spot)), known.records if known else "user")


def by_payload(it: Figures, source: thesis_model.Payloads, spots: list[Spot]) -> Figure:
    """Rates by payload: in the thesis, here by wall time, here by CPU time; and all ratios to the first path."""
    names = _names(source.columns, spots)
    first = source.columns[0]
    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(13.5, 4.6 + 0.18 * len(names) / 3), layout="constrained")
        thesis_axes, *run_axes, ratio_axes = figure.subplots(1, 4)
        thesis_axes.set_title("there, MB/s", fontsize=10)
        for column in source.columns:
            look = plots.look(names.index(_label(column)), _records(column.path))
            thesis_axes.plot(
                list(column.values), list(column.values.values()), label=_label(column), linewidth=1.1, **look
            )
            if column is not first:
                shares = [value / first.values[payload] for payload, value in column.values.items()]
                ratio_axes.plot(list(column.values), shares, linestyle=":", linewidth=1.1, **look)
        for axes, (text, metric) in zip(run_axes, PANELS, strict=True):
            axes.set_title(text.format(tables.of_clock("MB/s", it.clock)), fontsize=10)
            for label in names:
                _line(axes, it, [spot for spot in spots if name(spot) == label], metric, names)
        _ratios(ratio_axes, it, first, spots, names)
        for axes in figure.axes:
            _dress(axes, sorted({spot.payload for spot in spots} | set(first.values)))
        subtitle = f"median (symbol); {plots.FILLED}\n{SAID}; ratios: dotted there, drawn through here"
        _finish(figure, it, f"Thesis, figure {source.figure}: {source.title}, by bytes of payload", subtitle, spots)
    return figure


def _ratios(axes: Axes, it: Figures, first: thesis_model.Column, spots: list[Spot], names: Sequence[str]) -> None:
    """The ratio of each path to the first, within a block: received by wall time."""
    axes.set_title(f"÷ {frame.title_of(first.path)}, received by wall time", fontsize=10)
    axes.axhline(1, color="#777777", linewidth=0.7)
    for label in names:
        path_spots = [
            spot for spot in spots if name(spot) == label and (spot.path, spot.way) != (first.path, first.way)
        ]
        points = [(spot.payload, it.ratio(spot, spot.by(first.path, first.way), WALL)) for spot in path_spots]
        points = [point for point in points if not math.isnan(point[1])]
        if points:
            axes.plot(*zip(*points, strict=True), linewidth=1.1, **_look(path_spots[0], names))


def _line(axes: Axes, it: Figures, spots: list[Spot], metric: Metric, names: Sequence[str]) -> None:
    """The line of a path; each further mode of a payload is one more symbol."""
    points = [(spot.payload, [row.median for row in it.get(spot, metric)]) for spot in spots]
    lead = [(payload, rows[0]) for payload, rows in points if rows]
    if not lead:
        return
    look = _look(spots[0], names)
    axes.plot(*zip(*lead, strict=True), linewidth=1.1, label=name(spots[0]), **look)
    rest = [(payload, row) for payload, rows in points for row in rows[1:]]
    if rest:
        axes.plot(*zip(*rest, strict=True), linestyle="", **look)


def _dress(axes: Axes, payloads: Sequence[int]) -> None:
    axes.set_ylim(bottom=0)
    room = NEAR * (payloads[-1] - payloads[0])
    crowded = {smaller for smaller, larger in pairwise(payloads) if larger - smaller < room}
    axes.set_xticks(payloads, ["" if payload in crowded else str(payload) for payload in payloads], rotation=60)
    axes.set_xlabel("bytes of payload")
    axes.grid(color="#CCCCCC", linewidth=0.5)
    axes.set_axisbelow(True)


def by_way(it: Figures, source: thesis_model.Files, spots: list[Spot]) -> Figure:
    """Rates by the way a file is sent: in the thesis, here by wall time, here by CPU time."""
    labels = [_label(column) for column in source.columns]
    labels += [name(spot) for spot in spots if name(spot) not in labels]
    position = {label: -index for index, label in enumerate(labels)}
    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(11.5, 1.9 + 0.32 * len(labels)), layout="constrained")
        thesis_axes, *run_axes = figure.subplots(1, 3, sharey=True)
        thesis_axes.set_title("there, MB/s", fontsize=10)
        heights = [position[_label(column)] for column in source.columns]
        thesis_axes.barh(heights, [column.value for column in source.columns], color=plots.COLOURS[7], height=0.6)
        for axes, (text, metric), colour in zip(run_axes, PANELS, plots.COLOURS, strict=False):
            axes.set_title(text.format(tables.of_clock("MB/s", it.clock)), fontsize=10)
            for spot in spots:
                rows = it.get(spot, metric)
                low, high = (min(row.min for row in rows), max(row.max for row in rows)) if rows else (0, 0)
                for row in rows:
                    axes.barh(position[name(spot)], row.median, color=colour, height=0.6, alpha=1 / len(rows))
                axes.hlines(position[name(spot)], low, high, color="#000000", linewidth=1)
        for axes in figure.axes:
            axes.set_xlim(left=0)
            axes.grid(axis="x", color="#CCCCCC", linewidth=0.5)
            axes.set_axisbelow(True)
        thesis_axes.set_yticks(list(position.values()), list(position))
        subtitle = f"median (bar), least to greatest (line)\n{SAID}"
        _finish(figure, it, f"Thesis, figure {source.figure}: {source.title}", subtitle, spots, legend=False)
    return figure


def cost(it: Figures, scenario: str, protocol: str, spots: list[Spot]) -> Figure:
    """The machine's cost of a record by payload. A line's height is the cost by record, its slope the cost by byte."""
    names = list(dict.fromkeys(name(spot) for spot in spots))
    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(8.5, 4.8), layout="constrained")
        axes = figure.subplots()
        for label in names:
            _line(axes, it, [spot for spot in spots if name(spot) == label], COST, names)
        _dress(axes, sorted({spot.payload for spot in spots}))
        axes.set_ylabel(f"{frame.cost_name(it.clock)} a record")
        subtitle = f"of the whole machine, for a record that arrived; median (symbol)\n{plots.FILLED}"
        _finish(figure, it, f"Cost of a record by payload: {scenario}, {protocol}", subtitle, spots)
    return figure


def _names(columns: Sequence[thesis_model.Column], spots: Sequence[Spot]) -> list[str]:
    return list(dict.fromkeys([*map(_label, columns), *map(name, spots)]))


def _label(column: thesis_model.Column | thesis_model.Way) -> str:
    """The name of the lab's path that corresponds to a column of the thesis."""
    return f"{frame.title_of(column.path)}, {column.way}"


def _records(path: str) -> str:
    known = cells.load().path.get(path)
    return known.records if known else "user"


def _finish(figure: Figure, it: Figures, title: str, said: str, spots: Sequence[Spot], *, legend: bool = True) -> None:
    plots.title(figure, it.run, title, said, [it.count(spot) for spot in spots])
    if legend:
        handles: dict[str, Any] = {}
        for axes in figure.axes:
            handles |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=3, frameon=False)
