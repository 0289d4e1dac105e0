# SPDX-License-Identifier: MIT
"""Pictures of where the CPU time went: stacked bars, one per cell, under the name of the series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from lab.benches.vpn.views import cpu_tables, cpu_time
from lab.report import plots, tables
from lab.stats import analysis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from lab.stats.summary import Load, Summary

PARTS = (("#0B3C5D", "", 1.0), ("#8FC1E3", "///", 1.0), ("#E3E3E3", "...", 1.0))
"""Colour, hatch and opacity of stacked parts: dark, middle and light, so that greyscale keeps them apart."""
MANY = 120
"""The most lines of a readable picture. Above it, each series shows only the suites that most series have."""
FEWEST = 3
"""The least suites shown of a series."""

Panel = tuple[str, list[tuple[str, str, str]]]
"""A panel's title, and its parts: metric, end and label."""
Line = tuple[str, str, int]
"""A series, a suite and a mode; a line without a suite shows the name of the series."""


def cpu_split(run: Summary, load: Load) -> Figure:
    """Kernel and user seconds per GB carried: of the VPN's processes at each endpoint, and of the whole machine."""
    rows = cpu_tables.seconds(run.under(load).measured)
    parts = [("cpu_system", "kernel"), ("cpu_user", "user")]
    panels = [(f"{end}: its processes", [(metric, end, label) for metric, label in parts]) for end in analysis.VPN_ENDS]
    whole = [*parts, ("cpu_softirq", "softirq")]
    panels.append(("whole machine", [(metric, "machine", label) for metric, label in whole]))
    title = f"Where the time went: {tables.named(load)}"
    note = "a VPN in the kernel has no process: its work is in the machine's softirq and kernel time"
    return _stacked(run, rows, panels, "CPU s/GB", title, note)


def switches(run: Summary, load: Load) -> Figure:
    """Context switches of the VPN's processes per MB carried, at each endpoint."""
    kinds = ("voluntary", "involuntary")
    rows = cpu_time.per_payload(run.under(load).measured, [f"context_switches_{kind}" for kind in kinds], 1e6)
    panels = [(end, [(f"context_switches_{kind}", end, kind) for kind in kinds]) for end in analysis.VPN_ENDS]
    title = f"Context switches of the VPN's processes: {tables.named(load)}"
    return _stacked(run, rows, panels, "switches per MB", title)


def cost(run: Summary, load: Load) -> Figure:
    """CPU seconds of the whole machine per GB carried, by where they were spent."""
    rows = cpu_time.cost_by_place(run.under(load).measured)
    places = [("cost", "server", "server"), ("cost", "client", "client"), ("cost", "rest", "rest of the machine")]
    title = f"CPU cost of a gigabyte: {tables.named(load)}"
    note = "data paths in user space and in the kernel compare by the whole bar"
    return _stacked(run, rows, [("whole machine", places)], "CPU s/GB", title, note)


def _stacked(
    run: Summary,
    rows: pd.DataFrame,
    panels: Sequence[Panel],
    unit: str,
    title: str,
    said: str = "",
) -> Figure:
    """Stacked bars of medians: one bar per cell and mode, under the name of the series, cheapest first."""
    others = rows[rows["vpn"] != run.control]
    rows = rows if others.empty else others
    summary = analysis.summarise(rows)
    pairs = {(metric, end) for _, parts in panels for metric, end, _ in parts}
    bars = summary[[pair in pairs for pair in zip(summary["metric"], summary["end"], strict=True)]]
    bars = bars.assign(series=tables.series(bars))
    lines, left_out = _lines(bars)
    label = tables.of_clock(unit, run.clock)
    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(9.5, 2.1 + 0.19 * len(lines)), layout="constrained")
        grid = figure.subplots(1, len(panels), sharey=True, sharex=True, squeeze=False)[0]
        for axes, (name, parts) in zip(grid, panels, strict=True):
            _bars(axes, bars, lines, parts)
            axes.set_title(name, fontsize=10)
            axes.set_xlabel(label if len(panels) < 3 else label.replace(" of ", "\nof "))
            axes.grid(axis="x", color="#CCCCCC", linewidth=0.5)
            axes.set_axisbelow(True)
        grid[0].set_yticks(range(len(lines)), _ticks(lines, bars))
        for tick, (_, suite, _) in zip(grid[0].get_yticklabels(), lines, strict=True):
            tick.set_fontweight("normal" if suite else "bold")
        grid[0].set_ylim(len(lines) - 0.4, -0.6)
        notes = [f"{label}, median of each part", said, left_out]
        plots.title(figure, run, title, "\n".join(text for text in notes if text), plots.counts(bars))
        # The last panel has every part.
        figure.legend(
            *grid[-1].get_legend_handles_labels(), loc="outside lower center", ncols=len(panels[-1][1]), frameon=False
        )
    return figure


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


def _bars(axes: Axes, bars: pd.DataFrame, lines: Sequence[Line], parts: Sequence[tuple[str, str, str]]) -> None:
    positions = {line: position for position, line in enumerate(lines)}
    left = dict.fromkeys(lines, 0.0)
    for (metric, end, label), (colour, hatch, opacity) in zip(parts, PARTS, strict=False):
        part = bars[(bars["metric"] == metric) & (bars["end"] == end)]
        medians = dict(zip(zip(part["series"], part["suite"], part["mode"], strict=True), part["median"], strict=True))
        cells = [cell for cell in medians if cell in positions]
        axes.barh(
            [positions[cell] for cell in cells], [medians[cell] for cell in cells], left=[left[cell] for cell in cells],
            height=0.74, color=colour, hatch=hatch, alpha=opacity, linewidth=0.3, label=label,
            edgecolor="white" if colour < "#8" else "#555555",
        )  # fmt: skip
        for cell in cells:
            left[cell] += medians[cell]
