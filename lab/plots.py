"""Pictures of a run, drawn from the same analysis as its tables.

Colours are Okabe and Ito's, told apart also by the colour-blind; markers, hatches and lightness tell series apart in
greyscale. Nothing in a file depends on when or where it was drawn.
"""
# ruff: noqa: RUF001 - en dashes and middle dots are what a reader of titles expects

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from lab import analysis, tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#777777", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
PARTS = (("#0B3C5D", "", 1.0), ("#8FC1E3", "///", 1.0), ("#E3E3E3", "...", 1.0))
"""Colour, hatch and opacity of stacked parts: dark, middle and light, so that greyscale keeps them apart."""
STYLE: Any = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
    "hatch.linewidth": 0.6, "svg.hashsalt": "lab", "svg.fonttype": "none", "figure.dpi": 100, "savefig.dpi": 110,
}  # fmt: skip
LOG_FROM = 12.0
"""A spread above which a linear axis would hide the slow end."""


def throughput(df: pd.DataFrame, meta: Mapping[str, Any], load: tables.Load) -> Figure:
    """Median throughput with its interval by ciphersuite and series, every sample as a dot; best suites on top."""
    rows = analysis.measured(tables.of_load(df, load), "throughput").sort_values(analysis.SAMPLE)
    control = analysis.control_of(df, meta)
    mine, rows = rows[rows["vpn"] == control], rows[rows["vpn"] != control]
    summary = analysis.summarise(rows)
    best = summary.groupby("suite")["median"].max()
    suites = sorted(best.index, key=lambda suite: (best[suite], suite))
    names = tables.order(tables.series(rows))
    with mpl.rc_context(STYLE):
        pitch = max(0.34, 0.085 * len(names) + 0.1)
        figure = Figure(figsize=(9.5, 1.9 + pitch * len(suites)), layout="constrained")
        axes = figure.add_subplot()
        for band in range(0, len(suites), 2):
            axes.axhspan(band - 0.5, band + 0.5, color="#F3F3F3", zorder=0)
        for index, name in enumerate(names):
            shift = 0.8 * (0.5 - (index + 0.5) / len(names))
            chosen = rows[tables.series(rows) == name]
            _series(axes, chosen, summary[tables.series(summary) == name], suites, shift, _look(index))
        axes.set_yticks(range(len(suites)), suites)
        axes.set_ylim(-0.6, len(suites) - 0.4)
        _value_axis(axes, rows["value"], "throughput, Mbit/s")
        said = f"median (symbol), {tables.INTERVAL} (line), samples (dots)"
        if not mine.empty:
            said += f"; control {control}: {tables.figure(mine['value'].median())} Mbit/s"
        _title(figure, df, f"Throughput by ciphersuite: {tables.named(load)}", said, summary["n"])
        figure.legend(loc="outside lower center", ncols=min(4, max(1, len(names))), frameon=False)
    return figure


def _look(index: int) -> dict[str, Any]:
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}


def _series(
    axes: Axes, samples: pd.DataFrame, summary: pd.DataFrame, suites: Sequence[str], shift: float, look: dict[str, Any]
) -> None:
    place = {suite: position + shift for position, suite in enumerate(suites)}
    dots = {"s": 9, "facecolor": "white", "edgecolor": look["color"], "linewidths": 0.6, "zorder": 2.5}
    axes.scatter(samples["value"], samples["suite"].map(place), **dots)
    at = summary["suite"].map(place)
    axes.hlines(at, summary["low"], summary["high"], color=look["color"], linewidth=1.3)
    label = tables.series(summary).iloc[0] if len(summary) else None
    axes.plot(
        summary["median"], at, linestyle="", markersize=4.6, markeredgecolor="white", markeredgewidth=0.4,
        label=label, zorder=3, **look,
    )  # fmt: skip


def _value_axis(axes: Axes, values: pd.Series[Any], label: str) -> None:
    axes.grid(axis="x", color="#CCCCCC", linewidth=0.5, which="both")
    axes.set_axisbelow(True)
    positive = values[values > 0]
    if len(positive) and positive.max() / positive.min() > LOG_FROM:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        label += " (log scale)"
    else:
        axes.set_xlim(left=0)
    axes.set_xlabel(label)


def _title(figure: Figure, df: pd.DataFrame, title: str, said: str, n: pd.Series[Any]) -> None:
    engine, clock = analysis.one_clock(df)
    run = ", ".join(sorted(set(df["run"].astype(str))))
    sizes = sorted(set(n))
    count = "–".join(str(size) for size in (sizes if len(sizes) < 2 else (sizes[0], sizes[-1]))) or "0"
    figure.suptitle(f"{title}\n\n", x=0.01, ha="left", fontsize=12, fontweight="bold")
    figure.text(
        0.01, 1 - 0.34 / figure.get_figheight(), f"{said}\nrun {run} · {engine} engine, {clock} clock · n {count}",
        ha="left", va="top", fontsize=8, color="#444444",
    )  # fmt: skip


def cpu_split(df: pd.DataFrame, meta: Mapping[str, Any], load: tables.Load) -> Figure:
    """Kernel and user seconds of the VPN's processes per GB carried, at each end."""
    rows = analysis.per_payload(tables.of_load(df, load), ["cpu_system", "cpu_user"])
    parts = [("cpu_system", "kernel"), ("cpu_user", "user")]
    panels = [(end, [(metric, end, label) for metric, label in parts]) for end in analysis.VPN_ENDS]
    title = f"Where the VPN's processes spent their time: {tables.named(load)}"
    return _stacked(df, meta, rows, panels, "CPU s/GB", title)


def switches(df: pd.DataFrame, meta: Mapping[str, Any], load: tables.Load) -> Figure:
    """Context switches of the VPN's processes per MB carried, at each end."""
    kinds = ("voluntary", "involuntary")
    rows = analysis.per_payload(tables.of_load(df, load), [f"context_switches_{kind}" for kind in kinds], 1e6)
    panels = [(end, [(f"context_switches_{kind}", end, kind) for kind in kinds]) for end in analysis.VPN_ENDS]
    title = f"Context switches of the VPN's processes: {tables.named(load)}"
    return _stacked(df, meta, rows, panels, "switches per MB", title)


def cost(df: pd.DataFrame, meta: Mapping[str, Any], load: tables.Load) -> Figure:
    """CPU seconds of the whole machine per GB carried, by where they were spent."""
    rows = analysis.cost_by_place(tables.of_load(df, load))
    places = [("cost", "server", "server"), ("cost", "client", "client"), ("cost", "rest", "rest of the machine")]
    title = f"CPU cost of a gigabyte: {tables.named(load)}"
    return _stacked(df, meta, rows, [("whole machine", places)], "CPU s/GB", title)


Panel = tuple[str, list[tuple[str, str, str]]]
"""A panel's title, and its parts: metric, end and label."""


def _stacked(
    df: pd.DataFrame, meta: Mapping[str, Any], rows: pd.DataFrame, panels: Sequence[Panel], unit: str, title: str
) -> Figure:
    """Stacked bars of medians: one bar a cell, cells under the name of their series, cheapest first."""
    others = rows[rows["vpn"] != analysis.control_of(df, meta)]
    rows = rows if others.empty else others
    summary = analysis.summarise(rows)
    wanted = {(metric, end) for _, parts in panels for metric, end, _ in parts}
    shown = summary[[pair in wanted for pair in zip(summary["metric"], summary["end"], strict=True)]]
    shown = shown.assign(series=tables.series(shown))
    totals = shown.groupby(["series", "suite"])["median"].sum()
    cells = sorted(totals.index, key=lambda cell: (tables.natural(cell[0]), totals[cell], cell[1]))
    lines: list[tuple[str, str]] = []
    for name, suite in cells:
        if (name, "") not in lines:
            lines.append((name, ""))
        lines.append((name, suite))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.5, 1.9 + 0.19 * len(lines)), layout="constrained")
        grid = figure.subplots(1, len(panels), sharey=True, sharex=True, squeeze=False)[0]
        for axes, (name, parts) in zip(grid, panels, strict=True):
            _bars(axes, shown, lines, parts)
            axes.set_title(name, fontsize=10)
            axes.set_xlabel(unit)
            axes.grid(axis="x", color="#CCCCCC", linewidth=0.5)
            axes.set_axisbelow(True)
        grid[0].set_yticks(range(len(lines)), [suite or name for name, suite in lines])
        for tick, (_, suite) in zip(grid[0].get_yticklabels(), lines, strict=True):
            tick.set_fontweight("normal" if suite else "bold")
        grid[0].set_ylim(len(lines) - 0.4, -0.6)
        _title(figure, df, title, f"{unit}, median of each part", shown["n"])
        figure.legend(
            *grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(panels[0][1]), frameon=False
        )
    return figure


def _bars(
    axes: Axes, shown: pd.DataFrame, lines: Sequence[tuple[str, str]], parts: Sequence[tuple[str, str, str]]
) -> None:
    at = {line: position for position, line in enumerate(lines)}
    left = dict.fromkeys(lines, 0.0)
    for (metric, end, label), (colour, hatch, opacity) in zip(parts, PARTS, strict=False):
        part = shown[(shown["metric"] == metric) & (shown["end"] == end)]
        cells = list(zip(part["series"], part["suite"], strict=True))
        axes.barh(
            [at[cell] for cell in cells], part["median"], left=[left[cell] for cell in cells], height=0.74,
            color=colour, hatch=hatch, alpha=opacity, edgecolor="white" if colour < "#8" else "#555555",
            linewidth=0.3, label=label,
        )  # fmt: skip
        for cell, value in zip(cells, part["median"], strict=True):
            left[cell] += value


def every(df: pd.DataFrame, meta: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Every picture there is data for, one at a time, with its file name without the ending."""
    df = analysis.tidy(df)
    rows = analysis.measured(df, "throughput")
    carrying = tables.loads(rows[rows["vpn"] != analysis.control_of(df, meta)], ["throughput"])
    for load in [load for load in carrying if load[0] == "throughput"] or carrying[:1]:
        yield slug(f"throughput {load[1]}"), throughput(df, meta, load)
    for load in tables.loads(df)[:1]:
        for draw in (cpu_split, switches, cost):
            yield slug(draw.__name__), draw(df, meta, load)


def slug(text: str) -> str:
    """`throughput direction=up streams=1` as `throughput-direction-up-streams-1`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def save(figure: Figure, path: Any, kind: str) -> None:
    """Write a figure as `png` or `svg` (to a path or open file), without date or version."""
    nameless = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with mpl.rc_context(STYLE):
        figure.savefig(path, format=kind, metadata=nameless)


def save_all(df: pd.DataFrame, meta: Mapping[str, Any], out_dir: Path) -> list[Path]:
    """Write every picture as a PNG into `out_dir`; returns their paths."""
    paths = []
    for name, figure in every(df, meta):
        paths.append(out_dir / f"{name}.png")
        save(figure, paths[-1], "png")
    return paths
