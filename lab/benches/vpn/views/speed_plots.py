# SPDX-License-Identifier: MIT
"""Pictures of throughput by ciphersuite and series; if one picture is too small, an overview comes first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from lab.report import plots, tables
from lab.stats import analysis

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes

    from lab.stats.summary import Load, Summary

MANY = 120
"""The most cells of a readable picture. Above it, there is an overview, and a picture for each VPN."""
OVERVIEW = 12
"""Ciphersuites in the overview."""
DODGE = 0.8
"""The part of a ciphersuite's band that its series use."""


@dataclass(frozen=True)
class Shown:
    """The data of a picture: samples and summary, each row with the `name` of its series."""

    rows: pd.DataFrame
    summary: pd.DataFrame
    control: str

    @property
    def names(self) -> list[str]:
        """The series, in their order."""
        return tables.order(self.summary["name"])

    def suites(self) -> list[str]:
        """Ciphersuites from the slowest to the fastest: the fastest is on top of the axis."""
        best = self.summary.groupby("suite")["median"].max()
        return sorted(best.index, key=lambda suite: (best[suite], suite))

    def part(self, rows: pd.Series[bool], summary: pd.Series[bool]) -> Shown:
        """The same with only these rows."""
        return Shown(self.rows[rows], self.summary[summary], self.control)


def shown(run: Summary, load: Load) -> Shown:
    """The throughput of all but the control; the control's is a text."""
    part = run.under(load)
    rows = part.measured[(part.measured["metric"] == "throughput") & (part.measured["vpn"] != run.control)]
    rows = rows.sort_values(analysis.SAMPLE)
    summary = part.figures_of("throughput")
    control, summary = summary[summary["vpn"] == run.control], summary[summary["vpn"] != run.control]
    unit = tables.of_clock("Mbit/s", run.clock)
    note = f"; control {run.control}: {tables.value(list(tables.each(control)))} {unit}" if len(control) else ""
    return Shown(rows.assign(name=tables.series(rows)), summary.assign(name=tables.series(summary)), note)


def pictures(run: Summary, load: Load) -> Iterator[tuple[str, Figure]]:
    """The pictures of one load, each with the end of its file name: one, or an overview and one for each VPN."""
    content = shown(run, load)
    if len(content.summary.drop_duplicates(analysis.SERIES)) <= MANY:
        yield "", throughput(run, load)
        return
    yield "", overview(run, load)
    for vpn in tables.order(content.rows["vpn"]):
        chosen = content.part(content.rows["vpn"] == vpn, content.summary["vpn"] == vpn)
        yield vpn, _draw(run, chosen, f"Throughput of {vpn} by ciphersuite: {tables.named(load)}")


def throughput(run: Summary, load: Load) -> Figure:
    """Median throughput and spread by ciphersuite and series, every sample as a tick; best suites on top."""
    return _draw(run, shown(run, load), f"Throughput by ciphersuite: {tables.named(load)}")


def overview(run: Summary, load: Load) -> Figure:
    """The suites that most VPNs have; of each VPN, its fastest variant in user space and in the kernel."""
    content = shown(run, load)
    columns = ["vpn", "records", "suite"]
    lead = content.summary.drop_duplicates(analysis.SERIES).sort_values(["median", "variant"], ascending=[False, True])
    best = lead.drop_duplicates(columns)
    many, fast = best.groupby("suite")["vpn"].nunique(), best.groupby("suite")["median"].max()
    suites = sorted(many.index, key=lambda suite: (-many[suite], -fast[suite], suite))[:OVERVIEW]
    used = best[best["suite"].isin(suites)]
    variants = used.groupby(["vpn", "records"])["variant"].agg(lambda names: ", ".join(tables.order(names)))
    keys = set(used[analysis.SERIES].itertuples(index=False, name=None))

    def chosen(frame: pd.DataFrame) -> pd.DataFrame:
        rows = frame[[key in keys for key in frame[analysis.SERIES].itertuples(index=False, name=None)]]
        pairs = rows[["vpn", "records"]].itertuples(index=False, name=None)
        return rows.assign(name=[f"{vpn} ({variants[vpn, records]})" for vpn, records in pairs])

    best_only = Shown(chosen(content.rows), chosen(content.summary), content.control)
    note = (
        f"\nthe {len(suites)} of {len(many)} ciphersuites that most VPNs have; of each VPN, and each place of its "
        "records, the variant that is fastest there"
    )
    return _draw(run, best_only, f"Throughput, the best of each VPN: {tables.named(load)}", note)


def _draw(run: Summary, it: Shown, title: str, more: str = "") -> Figure:
    suites, names = it.suites(), it.names
    with mpl.rc_context(plots.STYLE):
        pitch = max(0.34, 0.085 * len(names) + 0.1)
        legend_rows = -(-len(names) // _columns(names))
        figure = Figure(figsize=(9.5, 2.0 + 0.18 * legend_rows + pitch * len(suites)), layout="constrained")
        axes = figure.add_subplot()
        for band in range(0, len(suites), 2):
            axes.axhspan(band - 0.5, band + 0.5, color="#F3F3F3", zorder=0)
        for index, name in enumerate(names):
            shift = DODGE * (0.5 - (index + 0.5) / len(names))
            _series(
                axes, it.rows[it.rows["name"] == name], it.summary[it.summary["name"] == name], suites, shift, index
            )
        axes.set_yticks(range(len(suites)), suites)
        axes.set_ylim(-0.6, len(suites) - 0.4)
        plots.value_axis(axes, it.rows["value"], f"throughput, {tables.of_clock('Mbit/s', run.clock)}")
        subtitle = f"median (symbol), {tables.spread_name(run.clock)} (line), samples (ticks)"
        subtitle += ", a symbol with its n for each mode" if (it.summary["modes"] > 1).any() else ""
        subtitle += it.control + more
        subtitle += f"\n{plots.FILLED}" if set(it.rows["records"]) & set(plots.HOLLOW) else ""
        plots.title(figure, run, title, subtitle, plots.counts(it.summary))
        figure.legend(loc="outside lower center", ncols=_columns(names), frameon=False)
    return figure


def _columns(names: Sequence[str]) -> int:
    """The number of legend columns that fit the picture's width."""
    longest = max((len(name) for name in names), default=1)
    return max(1, min(4, len(names), 120 // (longest + 6)))


def _series(
    axes: Axes, samples: pd.DataFrame, summary: pd.DataFrame, suites: Sequence[str], shift: float, index: int
) -> None:
    heights = {suite: position + shift for position, suite in enumerate(suites)}
    look = plots.look(index, summary["records"].iloc[0])
    ticks = {"s": 14, "marker": "|", "color": look["color"], "linewidths": 0.7, "zorder": 2.5}
    axes.scatter(samples["value"], samples["suite"].map(heights), **ticks)
    median_heights = summary["suite"].map(heights)
    axes.hlines(median_heights, summary["low"], summary["high"], color=look["color"], linewidth=1.3)
    axes.plot(
        summary["median"], median_heights, linestyle="", label=summary["name"].iloc[0], zorder=3, **look
    )  # fmt: skip
    for row in tables.each(summary[summary["modes"] > 1]):
        axes.annotate(
            f"n={row.n}", (row.median, heights[row.suite]), xytext=(4, 2), textcoords="offset points", fontsize=5.5
        )
