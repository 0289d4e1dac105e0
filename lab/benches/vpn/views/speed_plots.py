# SPDX-License-Identifier: MIT
"""Pictures of main figures, by ciphersuite and series; many cells have an overview."""

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
    from lab.results.quantity import Quantity
    from lab.stats.summary import Load, Summary

MANY = 120
"""The most cells of a readable picture. Above it, there is an overview, and a picture for each VPN."""
OVERVIEW = 12
"""Ciphersuites in the overview."""
BEST = {"faster": "fastest", "better": "best"}


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
        best = self.summary["median"].map(self.quantity.rank).groupby(self.summary["suite"]).min()
        return sorted(best.index, key=lambda suite: (best[suite], suite))

    def part(self, rows: pd.Series[bool], summary: pd.Series[bool]) -> Shown:
        """The same with only these rows."""
        return Shown(self.quantity, self.rows[rows], self.summary[summary], self.control)


def shown(run: Summary, load: Load) -> Shown:
    """The figures of all but the control; the control's is a text. Something was read under this load."""
    part = run.under(load)
    quantity = part.quantities[load[0]][0]
    rows = analysis.of_main(part.measured, part.quantities)
    rows = rows[rows["vpn"] != run.control].sort_values(analysis.SAMPLE)
    summary = part.mains
    control, summary = summary[summary["vpn"] == run.control], summary[summary["vpn"] != run.control]
    unit = tables.of_clock(quantity.unit, run.clock)
    note = f"; control {run.control}: {tables.value(list(tables.each(control)))} {unit}" if len(control) else ""
    return Shown(quantity, rows.assign(series=tables.series(rows)), summary.assign(series=tables.series(summary)), note)


def pictures(run: Summary, load: Load) -> Iterator[tuple[str, Picture]]:
    """The pictures of one load, each with the end of its file name: one, or an overview and one for each VPN."""
    content = shown(run, load)
    if len(content.summary.drop_duplicates(analysis.SERIES)) <= MANY:
        yield "", by_suite(run, load)
        return
    yield "", overview(run, load)
    for vpn in tables.order(content.rows["vpn"]):
        chosen = content.part(content.rows["vpn"] == vpn, content.summary["vpn"] == vpn)
        yield vpn, _draw(run, chosen, f"{content.quantity.heading} of {vpn} by ciphersuite: {tables.named(load)}")


def by_suite(run: Summary, load: Load) -> Picture:
    """Median and spread by ciphersuite and series, every sample as a tick; best suites on top."""
    content = shown(run, load)
    return _draw(run, content, f"{content.quantity.heading} by ciphersuite: {tables.named(load)}")


def overview(run: Summary, load: Load) -> Picture:
    """The suites that most VPNs have; of each VPN, its best variant in user space and in the kernel."""
    content = shown(run, load)
    columns = ["vpn", "records", "suite"]
    lead = content.summary.drop_duplicates(analysis.SERIES)
    lead = lead.assign(rank=lead["median"].map(content.quantity.rank)).sort_values(["rank", "variant"])
    best = lead.drop_duplicates(columns)
    many, rank = best.groupby("suite")["vpn"].nunique(), best.groupby("suite")["rank"].min()
    suites = sorted(many.index, key=lambda suite: (-many[suite], rank[suite], suite))[:OVERVIEW]
    used = best[best["suite"].isin(suites)]
    variants = used.groupby(["vpn", "records"])["variant"].agg(lambda names: ", ".join(tables.order(names)))
    keys = set(used[analysis.SERIES].itertuples(index=False, name=None))

    def chosen(frame: pd.DataFrame) -> pd.DataFrame:
        rows = frame[[key in keys for key in frame[analysis.SERIES].itertuples(index=False, name=None)]]
        pairs = rows[["vpn", "records"]].itertuples(index=False, name=None)
        return rows.assign(series=[f"{vpn} ({variants[vpn, records]})" for vpn, records in pairs])

    best_only = Shown(content.quantity, chosen(content.rows), chosen(content.summary), content.control)
    note = (
        f"the {len(suites)} of {len(many)} ciphersuites that most VPNs have; of each VPN, and each place of its "
        f"records, the variant that is {BEST[content.quantity.words[0]]} there"
    )
    return _draw(run, best_only, f"{content.quantity.heading}, the best of each VPN: {tables.named(load)}", note)


def _draw(run: Summary, it: Shown, title: str, more: str = "") -> Picture:
    names = it.names
    colors, shapes = looks.of(it.summary)
    unit = tables.of_clock(it.quantity.unit, run.clock)
    scale, label, axis = plots.value_scale(it.rows["value"], f"{it.quantity.title}, {unit}")
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
