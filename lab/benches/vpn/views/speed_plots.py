# SPDX-License-Identifier: MIT
"""Pictures of how fast: throughput, round trips, handshakes, by ciphersuite and series; many cells have an overview."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import altair as alt
import pandas as pd

from lab.benches.vpn.views import looks
from lab.report import plots, tables
from lab.stats import analysis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.report.plots import Picture
    from lab.stats.summary import Load, Summary

MANY = 120
"""The most cells of a readable picture. Above it, there is an overview, and a picture for each VPN."""
OVERVIEW = 12
"""Ciphersuites in the overview."""


@dataclass(frozen=True)
class Quantity:
    """A figure to show: its metric, its unit, its name in titles, and which way is better."""

    metric: str
    unit: str
    name: str
    less_is_better: bool = False


THROUGHPUT = Quantity("throughput", "Mbit/s", "throughput")
ROUND_TRIP = Quantity("rtt_p50", "ms", "round trip, median of a sample", less_is_better=True)
HANDSHAKE = Quantity("handshake", "s", "handshake, to the first byte through", less_is_better=True)


@dataclass(frozen=True)
class Shown:
    """The data of a picture: samples and summary, each row with its `series`."""

    quantity: Quantity
    rows: pd.DataFrame
    summary: pd.DataFrame
    control: str

    @property
    def names(self) -> list[str]:
        """The series, in their order."""
        return tables.order(self.summary["series"])

    def suites(self) -> list[str]:
        """Ciphersuites, the best first."""
        medians = self.summary.groupby("suite")["median"]
        best = medians.min() if self.quantity.less_is_better else -medians.max()
        return sorted(best.index, key=lambda suite: (best[suite], suite))

    def part(self, rows: pd.Series[bool], summary: pd.Series[bool]) -> Shown:
        """The same with only these rows."""
        return Shown(self.quantity, self.rows[rows], self.summary[summary], self.control)


def shown(run: Summary, load: Load, quantity: Quantity = THROUGHPUT) -> Shown:
    """The figures of all but the control; the control's is a text."""
    part = run.under(load)
    rows = part.measured[(part.measured["metric"] == quantity.metric) & (part.measured["vpn"] != run.control)]
    rows = rows.sort_values(analysis.SAMPLE)
    summary = part.figures_of(quantity.metric)
    control, summary = summary[summary["vpn"] == run.control], summary[summary["vpn"] != run.control]
    unit = tables.of_clock(quantity.unit, run.clock)
    note = f"; control {run.control}: {tables.value(list(tables.each(control)))} {unit}" if len(control) else ""
    return Shown(quantity, rows.assign(series=tables.series(rows)), summary.assign(series=tables.series(summary)), note)


def pictures(run: Summary, load: Load) -> Iterator[tuple[str, Picture]]:
    """The pictures of one load, each with the end of its file name: one, or an overview and one for each VPN."""
    content = shown(run, load)
    if len(content.summary.drop_duplicates(analysis.SERIES)) <= MANY:
        yield "", throughput(run, load)
        return
    yield "", overview(run, load)
    for vpn in tables.order(content.rows["vpn"]):
        chosen = content.part(content.rows["vpn"] == vpn, content.summary["vpn"] == vpn)
        yield vpn, _draw(run, chosen, f"Throughput of {vpn} by ciphersuite: {tables.named(load)}")


def throughput(run: Summary, load: Load) -> Picture:
    """Median throughput and spread by ciphersuite and series, every sample as a tick; best suites on top."""
    return _draw(run, shown(run, load), f"Throughput by ciphersuite: {tables.named(load)}")


def times(run: Summary, load: Load, quantity: Quantity) -> Picture:
    """Median and spread of a time, by ciphersuite and series; the shortest on top."""
    content = shown(run, load, quantity)
    return _draw(run, content, f"{quantity.name.capitalize()}, by ciphersuite: {tables.named(load)}")


def overview(run: Summary, load: Load) -> Picture:
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
        return rows.assign(series=[f"{vpn} ({variants[vpn, records]})" for vpn, records in pairs])

    best_only = Shown(THROUGHPUT, chosen(content.rows), chosen(content.summary), content.control)
    note = (
        f"the {len(suites)} of {len(many)} ciphersuites that most VPNs have; of each VPN, and each place of its "
        "records, the variant that is fastest there"
    )
    return _draw(run, best_only, f"Throughput, the best of each VPN: {tables.named(load)}", note)


def _draw(run: Summary, it: Shown, title: str, more: str = "") -> Picture:
    names = it.names
    colors, shapes = looks.of(it.summary)
    unit = tables.of_clock(it.quantity.unit, run.clock)
    scale, label, axis = plots.value_scale(it.rows["value"], f"{it.quantity.name}, {unit}")
    lanes: dict[str, Any] = {
        "y": alt.Y("suite:N", sort=it.suites(), title=None, scale=alt.Scale(paddingInner=0.3)),
        "yOffset": alt.YOffset("series:N", sort=names),
    }
    lines = lanes | {"color": alt.Color("series:N", title=None, scale=colors)}
    columns = ["suite", "series", "records", *analysis.SERIES[:2]]
    samples = alt.Chart(it.rows[[*columns, "value"]]).encode(**lines)
    figures = alt.Chart(it.summary[[*columns, "median", "low", "high", "n", "mode", "modes"]])
    layers = [
        samples.mark_tick(thickness=1, size=7, opacity=0.6).encode(
            x=alt.X("value:Q", scale=scale, title=label, axis=axis)
        ),
        figures.mark_rule(strokeWidth=1.4).encode(x=alt.X("low:Q"), x2=alt.X2("high:Q"), **lines),
        figures.mark_point(size=44, opacity=1, strokeWidth=1.4).encode(
            x=alt.X("median:Q"), tooltip=plots.tooltip(*columns[:3], "median", "low", "high", "n"), **lanes,
            **plots.symbols(colors, shapes, it.rows["records"]),
        ),
    ]  # fmt: skip
    several = bool((it.summary["modes"] > 1).any())
    if several:
        for side, which in ((-6, "datum.mode == 1"), (8, "datum.mode > 1")):  # so that neighbours do not overlap
            numbered = figures.transform_filter(f"datum.modes > 1 && {which}")
            numbered = numbered.transform_calculate(label="'n=' + datum.n").mark_text(dy=side, fontSize=8)
            layers.append(numbered.encode(x=alt.X("median:Q"), text=alt.Text("label:N"), **lanes))
    subtitle = f"median (symbol), {tables.spread_name(run)} (line), samples (ticks)"
    subtitle += ", a symbol with its n for each mode" if several else ""
    step = alt.Step(max(4.5, min(12.0, 28 / len(names))), **{"for": "offset"})
    chart = alt.layer(*layers).properties(width=plots.WIDTH, height=step)
    return plots.titled(
        chart, run, title, [subtitle + it.control, more, plots.filled(it.rows["records"])], plots.counts(it.summary)
    )
