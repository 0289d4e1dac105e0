# SPDX-License-Identifier: MIT
"""Throughput beside the thesis: B.1 to B.3 suite by suite, B.4 VPN by VPN, and whether their order is reproduced.

An order counts if the source's runs do not overlap. It is reproduced if the run tells the two apart in the same order.
The interval of their ratio must not contain 1: on the wall clock of the ratios within blocks (drift of a shared machine
moves both), on the instruction clock of the two groups of samples (`lab.stats.differences`).
"""
# ruff: noqa: RUF001 - en dashes are what a reader of tables expects

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.benches.vpn.views.thesis_model import Row
from lab.report import tables
from lab.stats import inference, modes
from lab.stats.differences import paired, welch
from lab.stats.inference import MIN_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from lab.benches.vpn.views.thesis_model import Thesis, Throughput, Throughputs
    from lab.stats.summary import Summary

Pair = tuple[float, float]


@dataclass(frozen=True)
class Here:
    """This run's figures of a VPN and a suite: the rows of its modes, most samples first; one sample per block."""

    rows: list[Any]
    blocks: Mapping[tuple[str, int], float]

    @property
    def variant(self) -> str:
        """The data path."""
        return str(self.rows[0].variant)

    @property
    def lead(self) -> float:
        """The median, Mbit/s, of the mode with most samples."""
        return float(self.rows[0].median)

    @property
    def span(self) -> Pair:
        """The range of the figure: its interval where there is one, else that of all samples."""
        row = self.rows[0]
        if row.spread == inference.INTERVAL:
            return row.low, row.high
        return min(row.min for row in self.rows), max(row.max for row in self.rows)

    def against(self, other: Here) -> int:
        """1 if this is faster than `other`, -1 if slower, 0 if they cannot be told apart."""
        exact = self.rows[0].clock == modes.EXACT
        ours, theirs = ({block: value for block, value in it.blocks.items() if value > 0} for it in (self, other))
        shared = [block for block in ours if block in theirs]
        if min(len(ours), len(theirs), len(ours if exact else shared)) < MIN_SAMPLES:
            return told(self.span, other.span)
        if exact:
            found = welch([np.log([*ours.values()])], [np.log([*theirs.values()])])
        else:
            found = paired([[np.log(ours[block] / theirs[block]) for block in shared]])
        (low,), (high,) = found.interval
        return int(low > 1) - int(high < 1)

    def plain(self) -> dict[str, Any]:
        """Plain data for a program."""
        row = self.rows[0]
        mode_rows = [{"median": row.median, "low": row.min, "high": row.max, "n": row.n} for row in self.rows]
        return {
            "vpn": row.vpn,
            "variant": row.variant,
            "records": row.records,
            "span": list(self.span),
            "modes": mode_rows,
        }


@dataclass(frozen=True)
class Speeds:
    """The throughput of a run: figures by vpn, suite and variant, and the reasons for missing ones."""

    found: dict[tuple[str, str], dict[str, Here]]
    reasons: dict[tuple[str, str, str], str]
    clock: str
    spread: str
    """What stands beside a median: `tables.spread_name`."""

    @classmethod
    def of(cls, run: Summary, wanted: Throughputs) -> Speeds:
        """The figures measured under the conditions of the source."""
        summaries: dict[tuple[str, str], dict[str, list[Any]]] = {}
        for row in tables.each(under(run.figures_of("throughput"), wanted)):
            summaries.setdefault((row.vpn, row.suite), {}).setdefault(row.variant, []).append(row)
        reasons: dict[tuple[str, str, str], str] = {}
        for row in tables.each(under(run.outcomes, wanted)):
            reasons.setdefault((row.vpn, row.suite, row.variant), f"{row.outcome}: {row.reason}".rstrip(": "))
        blocks: dict[tuple[str, str, str], dict[tuple[str, int], float]] = {}
        throughput = run.measured[run.measured["metric"] == "throughput"]
        for row in tables.each(under(throughput, wanted)):
            blocks.setdefault((row.vpn, row.suite, row.variant), {})[row.run, row.block] = row.value
        figures = {
            key: {name: Here(mode_rows, blocks[*key, name]) for name, mode_rows in variants.items()}
            for key, variants in summaries.items()
        }
        return cls(figures, reasons, run.clock, tables.spread_name(run))

    def first(self, vpn: str, suite: str, variants: Sequence[str]) -> Here | str:
        """The first of `variants` that has figures, or why there is none."""
        by_variant = self.found.get((vpn, suite), {})
        return next((by_variant[name] for name in variants if name in by_variant), self._why(vpn, suite, variants))

    def best(self, vpn: str, suite: str, variants: Sequence[str] | None = None) -> Here | str:
        """The fastest of `variants`, or of all; or why there is none."""
        by_variant = self.found.get((vpn, suite), {})
        named = [(figures.lead, name) for name, figures in by_variant.items() if variants is None or name in variants]
        return by_variant[max(named)[1]] if named else self._why(vpn, suite, variants)

    def _why(self, vpn: str, suite: str, variants: Sequence[str] | None) -> str:
        known = [key[2] for key in self.reasons if key[:2] == (vpn, suite)] if variants is None else variants
        reasons = [self.reasons[vpn, suite, name] for name in known if (vpn, suite, name) in self.reasons]
        return reasons[0] if reasons else "not in this run"


def under(df: pd.DataFrame, wanted: Throughputs) -> pd.DataFrame:
    """The rows of the source's measure under its conditions."""
    alike = [set(wanted.conditions) <= set(text.split()) for text in df["conditions"]]
    return df[(df["measure"] == wanted.measure) & np.array(alike, bool)]


def told(one: Pair, two: Pair) -> int:
    """1 if all of `one` lies above `two`, -1 if below, 0 if they overlap."""
    return int(one[0] > two[1]) - int(one[1] < two[0])


@dataclass(frozen=True)
class Tally:
    """How far an order is reproduced, over pairs that the thesis tells apart."""

    same: int = 0
    reversed: tuple[str, ...] = ()
    open: int = 0

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, str, int, int]]) -> Tally:
        """Count pairs: two names, and how the first compares with the second in the thesis and in the run."""
        known = [pair for pair in pairs if pair[2]]
        same = sum(there == here for _, _, there, here in known)
        turned = [f"{one} {'>' if there > 0 else '<'} {two} there" for one, two, there, here in known if here == -there]
        return cls(same, tuple(turned), len(known) - same - len(turned))

    def __add__(self, more: Tally) -> Tally:
        """Both together."""
        return Tally(self.same + more.same, self.reversed + more.reversed, self.open + more.open)

    @property
    def total(self) -> int:
        """The pairs that the thesis tells apart and the run has."""
        return self.same + len(self.reversed) + self.open

    def __str__(self) -> str:
        """The verdict in one line."""
        if not self.total:
            return "order: nothing that the source tells apart was measured here"
        text = (
            f"order: pairs told apart there: {self.total}; the same here: {self.same}; reversed: {len(self.reversed)}"
        )
        text += f"; not told apart here: {self.open}" if self.open else ""
        return f"{text} ({', '.join(self.reversed)})" if self.reversed else text


def suite_order(source: Throughput, speeds: Speeds) -> Tally:
    """The suites of one VPN against each other."""
    figures = [(row, speeds.first(source.vpn, row.suite, source.variants)) for row in source.rows if row.suite]
    comparable = [(str(row.suite), row.span, here) for row, here in figures if isinstance(here, Here)]
    ways = [(a, b, told(x, y), one.against(two)) for (a, x, one), (b, y, two) in combinations(comparable, 2)]
    return Tally.of(ways)


def suites(source: Throughput, speeds: Speeds, thesis: Thesis) -> tables.Table:
    """B.1 to B.3: a VPN's suites, each by the first variant that has figures: the default data path."""
    figures = {row.suite: speeds.first(source.vpn, row.suite, source.variants) for row in source.rows if row.suite}
    thesis_rows = {row.suite: row for row in source.rows if row.suite}
    base_there, base_here = thesis_rows.get(thesis.reference), figures.get(thesis.reference)
    notes, lines = tables.Notes(), []
    for row in source.rows:
        measured = figures[row.suite] if row.suite else "what it was is not known"
        texts = [row.label, row.suite or "–", " ".join(f"{run:g}" for run in row.runs), f"{row.value:.2f}"]
        relative_there = row.value / base_there.value if base_there else float("nan")
        if isinstance(measured, str):
            texts += [f"–{notes.mark(measured)}", "", "", tables.figure(relative_there), "–", "–"]
        else:
            relative = measured.lead / getattr(base_here, "lead", float("nan"))
            spread = f"{tables.spread(measured.rows)} n{tables.count(measured.rows)}"
            texts += [tables.value(measured.rows), spread, measured.variant]
            texts += [tables.figure(ratio) for ratio in (relative_there, relative, relative / relative_there)]
        lines.append([tables.Cell(text) for text in texts])
    verdict = str(suite_order(source, speeds))
    columns = ["there", "suite", "runs", "average", "here", speeds.spread, "variant"]
    columns += ["÷ reference there", "÷ reference here", "here ÷ there"]
    unit = tables.of_clock("Mbit/s", speeds.clock)
    title = f"{source.source} {source.vpn}: throughput, Mbit/s there, {unit} here; ratios to {thesis.reference}"
    return tables.Table(f"thesis {source.source}", title, columns, lines, 2, [verdict, *notes.lines()])


def averages(thesis: Thesis, speeds: Speeds) -> tables.Table:
    """B.4: suites by VPN, in the thesis and here; here the fastest data path that the thesis may have had."""
    sources = {source.vpn: source for source in thesis.throughput.tables}
    thesis_values: dict[str, dict[str, float]] = {}
    for row in thesis.averages.rows:
        thesis_values.setdefault(row.suite, {}).update(row.values)
    notes, lines = tables.Notes(), []
    for suite, values in thesis_values.items():
        texts = [suite]
        for vpn, source in sources.items():
            measured = speeds.best(vpn, suite, source.variants)
            texts.append(f"{values[vpn]:.2f}" if vpn in values else "–")
            if isinstance(measured, str):
                texts.append(f"–{notes.mark(measured)}")
            else:
                texts.append(f"{tables.value(measured.rows)} {measured.variant}")
        lines.append([tables.Cell(text) for text in texts])
    columns = ["suite", *(f"{vpn} {side}" for vpn in sources for side in ("there", "here"))]
    unit = tables.of_clock("Mbit/s", speeds.clock)
    name = thesis.averages.source
    title = f"{name}: averages by suite and VPN, Mbit/s there, {unit} here"
    remarks = ["here: median, of the fastest of the data paths that the thesis may have had"]
    return tables.Table(f"thesis {name}", title, columns, lines, 1, [*remarks, *notes.lines()])


Side = tuple[str, Row, "Here | str"]
"""A VPN, its row in the thesis, and its figures in the run or why it has none."""


def sides(thesis: Thesis, speeds: Speeds) -> Iterator[tuple[str, Side, Side]]:
    """Every suite with each pair of VPNs that the thesis has it for."""
    rows = {table.vpn: {row.suite: row for row in table.rows if row.suite} for table in thesis.throughput.tables}
    variants = {table.vpn: table.variants for table in thesis.throughput.tables}
    for suite in dict.fromkeys(suite for of_vpn in rows.values() for suite in of_vpn):
        of_suite = [
            (vpn, rows[vpn][suite], speeds.first(vpn, suite, variants[vpn])) for vpn in rows if suite in rows[vpn]
        ]
        for one, two in combinations(of_suite, 2):
            yield suite, one, two


def vpn_order(thesis: Thesis, speeds: Speeds) -> Tally:
    """The VPNs against each other, suite by suite."""
    return Tally.of(
        [
            (f"{first} {suite}", second, told(left.span, right.span), here.against(other))
            for suite, (first, left, here), (second, right, other) in sides(thesis, speeds)
            if isinstance(here, Here) and isinstance(other, Here)
        ]
    )


def pairs(thesis: Thesis, speeds: Speeds) -> tables.Table:
    """VPNs against each other, suite by suite."""
    lines = []
    for suite, (first, left, here), (second, right, other) in sides(thesis, speeds):
        texts = [f"{first} ÷ {second}", suite, tables.figure(left.value / right.value)]
        if isinstance(here, str) or isinstance(other, str):
            missing = [vpn for vpn, figures in ((first, here), (second, other)) if isinstance(figures, str)]
            texts += ["–", "–", f"not measured here: {', '.join(missing)}"]
        else:
            ratio = here.lead / other.lead
            texts += [tables.figure(ratio), tables.figure(ratio * right.value / left.value)]
            texts.append(_verdict(told(left.span, right.span), here.against(other)))
        lines.append([tables.Cell(text) for text in texts])
    columns = ["vpns", "suite", "there", "here", "here ÷ there", "order"]
    name = thesis.averages.source
    verdict = str(vpn_order(thesis, speeds))
    return tables.Table(f"thesis {name} pairs", f"{name}: vpn against vpn", columns, lines, 2, [verdict])


def _verdict(there: int, here: int) -> str:
    if not there:
        return "not told apart there"
    return {there: "reproduced", -there: "reversed"}.get(here, "not told apart here")


# The order of the VPNs


@dataclass(frozen=True)
class Order:
    """The VPNs in one suite: in the thesis's order (its averages at the reference suite), and in the run's."""

    suite: str
    paths: str
    there: list[tuple[str, float | None]]
    here: list[Here]
    missing: dict[str, str]
    verdict: str

    def plain(self) -> dict[str, Any]:
        """Plain data for a program."""
        return {
            "suite": self.suite,
            "data_paths": self.paths,
            "there": [{"vpn": vpn, "average": value} for vpn, value in self.there],
            "here": [figures.plain() for figures in self.here],
            "missing": self.missing,
            "verdict": self.verdict,
        }


THEN, NOW = "as the thesis may have had", "any"


def orders(thesis: Thesis, speeds: Speeds) -> list[Order]:
    """The order in each suite that the thesis has for at least two VPNs and this run for one; the reference first.

    Once among the data paths that the thesis may have had, and once among all of this run, if that differs.
    """
    sources = {table.vpn: table for table in thesis.throughput.tables}
    thesis_rows = {vpn: {row.suite: row for row in table.rows if row.suite} for vpn, table in sources.items()}
    ranked = sorted(sources, key=lambda vpn: -thesis_rows[vpn][thesis.reference].value)
    every = dict.fromkeys(suite for rows in thesis_rows.values() for suite in rows)
    shared = [suite for suite in every if sum(suite in rows for rows in thesis_rows.values()) > 1]
    every_order: list[Order] = []
    measured = {suite for _, suite in speeds.found} | {thesis.reference}
    for suite in sorted(measured & set(shared), key=lambda suite: (suite != thesis.reference, shared.index(suite))):
        averages = [(vpn, thesis_rows[vpn][suite].value if suite in thesis_rows[vpn] else None) for vpn in ranked]
        of_suite: list[Order] = []
        for paths in (THEN, NOW):
            by_vpn = {vpn: speeds.best(vpn, suite, sources[vpn].variants if paths == THEN else None) for vpn in ranked}
            figures = [row for row in by_vpn.values() if isinstance(row, Here)]
            missing = {vpn: row for vpn, row in by_vpn.items() if isinstance(row, str)}
            data_paths = [(row.rows[0].vpn, row.variant) for row in figures]
            if not any(data_paths == [(row.rows[0].vpn, row.variant) for row in other.here] for other in of_suite):
                by_speed = sorted(figures, key=lambda row: -row.lead)
                of_suite.append(Order(suite, paths, averages, by_speed, missing, _ordered(figures, missing)))
        every_order += of_suite
    return every_order


def _ordered(here: Sequence[Here], missing: Mapping[str, str]) -> str:
    """Whether the order is reproduced, in words; `here` is in the order of the thesis."""
    if len(here) < 2:
        return f"open: not measured here: {', '.join(missing)}"
    names = [row.rows[0].vpn for row in here]
    ways = {(i, j): here[i].against(here[j]) for i, j in combinations(range(len(here)), 2)}
    turned = [f"{names[j]} > {names[i]}" for (i, j), way in ways.items() if way < 0]
    open_ = [f"{names[i]} and {names[j]}" for (i, j), way in ways.items() if way == 0]
    text = f"not reproduced: {', '.join(turned)}" if turned else "in part" if open_ else "reproduced"
    text += f"; not told apart here: {', '.join(open_)}" if open_ else ""
    text += f" (without {', '.join(missing)})" if missing else ""
    fewest = min(tables.count(row.rows) for row in here)
    return f"{text} (n {fewest}: too few to be sure)" if fewest < MIN_SAMPLES else text


def order_table(thesis: Thesis, speeds: Speeds, found: Sequence[Order]) -> tables.Table:
    """The order of the VPNs, in the thesis and here, with the fastest data path of each."""
    notes, lines = tables.Notes(), []
    for row_order in found:
        thesis_text = ", ".join(f"{vpn} {value:.0f}" if value else f"{vpn} –" for vpn, value in row_order.there)
        run_text = " > ".join(f"{row.rows[0].vpn}/{row.variant} {tables.value(row.rows)}" for row in row_order.here)
        marks = "".join(notes.mark(f"{vpn}: {why}") for vpn, why in row_order.missing.items())
        lines.append(
            [
                tables.Cell(text)
                for text in (
                    row_order.suite,
                    row_order.paths,
                    thesis_text,
                    run_text or "–",
                    f"{row_order.verdict}{marks}",
                )
            ]
        )
    ranked = [vpn for vpn, _ in found[0].there] if found else []
    rows = {table.vpn: {row.suite: row for row in table.rows}[thesis.reference] for table in thesis.throughput.tables}
    overlap = [
        f"{first} and {second}"
        for first, second in combinations(ranked, 2)
        if not told(rows[first].span, rows[second].span)
    ]
    remarks = [f"the order there is that of the averages at {thesis.reference}: {' > '.join(ranked)}"]
    remarks += (
        [f"there the runs of {', '.join(overlap)} overlap in it: that part is the averages' alone"] if overlap else []
    )
    remarks.append("here: each VPN's fastest data path; reproduced where all are told apart, and lie in that order")
    columns = ["suite", "data paths here", "there, Mbit/s", f"here, {tables.of_clock('Mbit/s', speeds.clock)}", "order"]
    return tables.Table("thesis order", "The order of the VPNs", columns, lines, 4, [*remarks, *notes.lines()])
