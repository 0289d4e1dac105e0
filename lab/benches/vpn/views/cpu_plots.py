# SPDX-License-Identifier: MIT
"""Pictures of where the CPU time went: stacked bars, one per cell, under the name of the series."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import altair as alt
import pandas as pd

from lab.benches.vpn.views import cpu_tables, cpu_time
from lab.report import plots, tables
from lab.stats import analysis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.report.plots import Picture
    from lab.stats.summary import Load, Summary

MANY = 120
"""The most lines of a readable picture. Above it, each series shows only the suites that most series have."""
FEWEST = 3
"""The least suites shown of a series."""

Panel = tuple[str, list[tuple[str, str, str]]]
"""A panel's title, and its parts: metric, end and label."""
Line = tuple[str, str, int]
"""A series, a suite and a mode; a line without a suite shows the name of the series."""


def cpu_split(run: Summary, load: Load) -> Picture:
    """Kernel and user seconds per GB carried: of the VPN's processes at each endpoint, and of the whole machine."""
    rows = cpu_tables.seconds(_shown(run, load))
    parts = [("cpu_system", "kernel"), ("cpu_user", "user")]
    panels = [(f"{end}: its processes", [(metric, end, label) for metric, label in parts]) for end in analysis.VPN_ENDS]
    whole = [*parts, ("cpu_softirq", "softirq")]
    panels.append(("whole machine", [(metric, "machine", label) for metric, label in whole]))
    title = f"Where the time went: {tables.named(load)}"
    note = "a VPN in the kernel has no process: its work is in the machine's softirq and kernel time"
    return _stacked(run, rows, panels, "CPU s/GB", title, note)


def switches(run: Summary, load: Load) -> Picture:
    """Context switches of the VPN's processes per MB carried, at each endpoint."""
    kinds = ("voluntary", "involuntary")
    rows = cpu_time.per_payload(_shown(run, load), [f"context_switches_{kind}" for kind in kinds], 1e6)
    panels = [(end, [(f"context_switches_{kind}", end, kind) for kind in kinds]) for end in analysis.VPN_ENDS]
    title = f"Context switches of the VPN's processes: {tables.named(load)}"
    return _stacked(run, rows, panels, "switches per MB", title)


def cost(run: Summary, load: Load) -> Picture:
    """CPU seconds of the whole machine per GB carried, by where they were spent."""
    rows = cpu_time.cost_by_place(_shown(run, load))
    places = [("cost", "server", "server"), ("cost", "client", "client"), ("cost", "rest", "rest of the machine")]
    title = f"CPU cost of a gigabyte: {tables.named(load)}"
    note = "data paths in user space and in the kernel compare by the whole bar"
    return _stacked(run, rows, [("whole machine", places)], "CPU s/GB", title, note)


def _shown(run: Summary, load: Load) -> pd.DataFrame:
    """What was read under a load: of the control only where there is nothing else."""
    part = run.under(load)
    return part.measured if part.others.measured.empty else part.others.measured


def _stacked(
    run: Summary, rows: pd.DataFrame, panels: Sequence[Panel], unit: str, title: str, note: str = ""
) -> Picture:
    """Stacked bars of medians: one bar per cell and mode, under the name of the series, cheapest first."""
    summary = analysis.summarise(rows)
    pairs = {(metric, end) for _, parts in panels for metric, end, _ in parts}
    bars = summary[[pair in pairs for pair in zip(summary["metric"], summary["end"], strict=True)]]
    bars = bars.assign(series=tables.series(bars))
    lines, left_out = _lines(bars)
    label = tables.of_clock(unit, run.clock)
    parts_named = list(dict.fromkeys(part for _, parts in panels for _, _, part in parts))
    colors = alt.Scale(domain=parts_named, range=list(plots.PARTS[: len(parts_named)]))
    rows_named = alt.Scale(domain=list(range(len(lines))), paddingInner=0.2)
    drawn = []
    for number, (panel, parts) in enumerate(panels):
        row_axis = None if number else _row_names(_ticks(lines, bars))
        bar = alt.Chart(_parts(bars, lines, parts)).mark_bar()
        bar = bar.encode(
            x=alt.X("median:Q", title=label.replace(" of ", "\nof ").split("\n"), axis=alt.Axis(format=".6~r")),
            y=alt.Y("line:N", title=None, scale=rows_named, axis=row_axis),
            color=alt.Color("part:N", title=None, scale=colors),
            order=alt.Order("order:O"),
            tooltip=plots.tooltip("series", "suite", "part", "median", "n"),
        )
        drawn.append(bar.properties(title=panel, width=(plots.WIDTH - 60) // len(panels), height=alt.Step(13)))
    chart = alt.hconcat(*drawn, spacing=14).resolve_scale(x="shared")
    return plots.titled(chart, run, title, [f"{label}, median of each part", note, left_out], plots.counts(bars))


def _row_names(names: Sequence[str]) -> alt.Axis:
    """The names of the lines; those of series are bold."""
    name = f"{json.dumps(list(names), ensure_ascii=False)}[datum.value]"
    weight = {"condition": {"test": f"indexof({name}, '·') >= 0", "value": "bold"}, "value": "normal"}
    return alt.Axis(labelExpr=name, labelFontWeight=weight, ticks=False, grid=False, labelOverlap=False, domain=False)


def _parts(bars: pd.DataFrame, lines: Sequence[Line], parts: Sequence[tuple[str, str, str]]) -> pd.DataFrame:
    """The parts of a panel's bars, each with the number of its line and the place in its bar."""
    numbers = {line: number for number, line in enumerate(lines)}
    keys = bars[["series", "suite", "mode"]].itertuples(index=False, name=None)
    bars = bars.assign(line=[numbers.get(key, -1) for key in keys])
    shown = []
    for place, (metric, end, label) in enumerate(parts):
        part = bars[(bars["metric"] == metric) & (bars["end"] == end) & (bars["line"] >= 0)]
        shown.append(part.assign(part=label, order=place))
    columns = ["line", "part", "order", "median", "n", "vpn", "series", "suite", "records"]
    return pd.concat(shown, ignore_index=True)[columns]


def _lines(bars: pd.DataFrame) -> tuple[list[Line], str]:
    """The lines of a picture from the top, and the cells left out, in words."""
    totals = bars.groupby(["series", "suite", "mode"])["median"].sum()
    cells = sorted(totals.index, key=lambda cell: (tables.natural(cell[0]), totals[cell], cell[1:]))
    names = list(dict.fromkeys(name for name, _, _ in cells))
    note = ""
    if len(cells) + len(names) > MANY:
        common = pd.Series([suite for _, suite in {cell[:2] for cell in cells}]).value_counts()
        most = max(FEWEST, MANY // len(names) - 1)
        suites = {name: _common([cell for cell in cells if cell[0] == name], common, most) for name in names}
        cells = [cell for cell in cells if cell[1] in suites[cell[0]]]
        note = f"of each series the {most} ciphersuites that most series have; all are in the table"
    lines: list[Line] = []
    for name in names:
        lines += [(name, "", 0), *(cell for cell in cells if cell[0] == name)]
    return lines, note


def _common(cells: Sequence[Line], common: pd.Series[int], most: int) -> set[str]:
    """At most `most` suites of a series: first those that most series have, then the cheapest."""
    suites = dict.fromkeys(suite for _, suite, _ in cells)
    return set(sorted(suites, key=lambda suite: -common[suite])[:most])


def _ticks(lines: Sequence[Line], bars: pd.DataFrame) -> list[str]:
    places = {row.series: tables.RECORDS.get(row.records, row.records) for row in tables.each(bars)}
    modes = {(row.series, row.suite, row.mode): row.n for row in tables.each(bars[bars["modes"] > 1])}
    texts = []
    for name, suite, mode in lines:
        n = modes.get((name, suite, mode))
        texts.append((f"{suite} (mode of n={n})" if n else suite) if suite else f"{name} · {places[name]}")
    return texts
