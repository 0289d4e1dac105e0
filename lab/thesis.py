"""A run beside the thesis whose system this lab rebuilds.

Ten years lie between the machines, so absolute figures are shown and ratios are compared: of a suite to the reference
suite of the same VPN, of a VPN to the reference VPN. An order counts where the source's runs do not overlap; it is
reproduced where our intervals do not overlap either and lie the same way round. All figures are in `thesis.yaml`.
"""
# ruff: noqa: RUF001 - en dashes are what a reader of tables expects

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from lab.crypto.figures import Ciphers
from lab.documents import Document, read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from rich.console import Console

    from lab.tables import Table

FILE = Path(__file__).with_name("thesis.yaml")
Pair = tuple[float, float]


class Row(Document):
    """Runs of one suite, Mbit/s. A row without a suite is compared with nothing."""

    label: str
    suite: str | None
    runs: list[float]
    average: float

    @property
    def value(self) -> float:
        """The mean of the runs, or the printed average where no runs are given."""
        return mean(self.runs) if self.runs else self.average

    @property
    def span(self) -> Pair:
        """The least and the greatest run."""
        return (min(self.runs), max(self.runs)) if self.runs else (self.average, self.average)


class Throughput(Document):
    """One table: a VPN's suites."""

    source: str
    vpn: str
    variants: list[str]
    rows: list[Row]


class Throughputs(Document):
    """Tables of throughput, and what in a run they are compared with."""

    measure: str
    conditions: list[str]
    tables: list[Throughput]


class Average(Document):
    """A row of the table of averages: one suite, several VPNs."""

    label: str
    suite: str
    values: dict[str, float]


class Averages(Document):
    """The table of averages."""

    source: str
    rows: list[Average]


class Component(Document):
    """Runs of one VPN at one end, as pairs: kernel and user seconds, or reads and writes."""

    source: str
    end: str
    vpn: str
    runs: list[Pair]
    average: Pair
    percent: Pair | None = None

    @property
    def value(self) -> Pair:
        """The means of the runs."""
        return mean(one for one, _ in self.runs), mean(two for _, two in self.runs)


class Components(Document):
    """Tables of CPU time and system calls."""

    suite: str
    measure: str
    reference: str
    variants: dict[str, list[str]]
    time: list[Component]
    calls: list[Component]


class Erratum(Document):
    """Something wrong or unclear in the source, and what is used instead."""

    where: str
    what: str
    used: str


class Thesis(Document):
    """All of `thesis.yaml`."""

    title: str
    hardware: str
    software: dict[str, str]
    reference: str
    throughput: Throughputs
    averages: Averages
    components: Components
    ciphers: Ciphers
    errata: list[Erratum]


def load() -> Thesis:
    """The figures of the thesis."""
    return read(FILE, Thesis)


def render(df: pd.DataFrame, meta: Mapping[str, Any], console: Console) -> None:
    """Print the run beside the thesis: throughput, order, CPU time, system calls, and the errata."""
    from lab import report

    thesis = load()
    console.print(report.heading(df), style="bold", highlight=False)
    console.print(f"beside {thesis.title}", highlight=False, soft_wrap=True)
    console.print(f"there: {thesis.hardware}", highlight=False, soft_wrap=True)
    versions = ", ".join(f"{name} {version}" for name, version in thesis.software.items())
    console.print(f"with: {versions}", highlight=False, soft_wrap=True)
    machine = meta.get("machine", {})
    here = ", ".join(str(machine[key]) for key in ("cpu", "kernel") if isinstance(machine.get(key), str))
    if here:
        console.print(f"here: {here}", highlight=False, soft_wrap=True)
    for table in build(df, thesis) if meta.get("kind") != "crypto" else _ciphers(df, thesis):
        report.show(table, console)


def build(df: pd.DataFrame, thesis: Thesis) -> list[Table]:
    """Every comparison, as tables."""
    from lab import analysis

    analysis.one_clock(df)
    df = analysis.tidy(df)
    figures = _throughput_here(df, thesis.throughput)
    tables = [_suites(source, figures[source.vpn], thesis) for source in thesis.throughput.tables]
    tables.append(_vpns(thesis, figures))
    return [*tables, _time(df, thesis.components), _calls(df, thesis.components), _errata(thesis)]


# Throughput: B.1 to B.4


def _throughput_here(df: pd.DataFrame, wanted: Throughputs) -> dict[str, dict[str, Any]]:
    """{vpn: {suite: summary row, or the reason why there is none}}, by the first variant that has figures."""
    from lab import analysis, tables

    rows = df[df["measure"] == wanted.measure]
    rows = rows[[set(wanted.conditions) <= set(text.split()) for text in rows["conditions"]]]
    measured = {(row.vpn, row.variant, row.suite): row for row in tables.each(analysis.summarise(rows, "throughput"))}
    reasons: dict[tuple[str, str, str], str] = {}
    for row in tables.each(analysis.outcomes(rows)):
        reasons.setdefault((row.vpn, row.variant, row.suite), f"{row.outcome}: {row.reason}".rstrip(": "))
    found: dict[str, dict[str, Any]] = {}
    for source in wanted.tables:
        found[source.vpn] = {}
        for suite in (row.suite for row in source.rows if row.suite):
            keys = [(source.vpn, variant, suite) for variant in source.variants]
            there = [measured[key] for key in keys if key in measured]
            why = [reasons[key] for key in keys if key in reasons]
            found[source.vpn][suite] = (there or why or ["not in this run"])[0]
    return found


def _span(row: Any) -> Pair:
    from lab.inference import MIN_SAMPLES

    return (row.low, row.high) if row.n >= MIN_SAMPLES else (row.min, row.max)


def told(one: Pair, two: Pair) -> int:
    """1 if all of `one` lies above `two`, -1 if below, 0 if they overlap."""
    return int(one[0] > two[1]) - int(one[1] < two[0])


def order(pairs: Sequence[tuple[str, Pair, Pair, str, Pair, Pair]]) -> str:
    """How far an order is reproduced. A pair: name, span there and here of one, then of the other."""
    same, reversed_, open_ = 0, [], 0
    for one, there_one, here_one, two, there_two, here_two in pairs:
        there, here = told(there_one, there_two), told(here_one, here_two)
        if not there:
            continue
        if there == here:
            same += 1
        elif here:
            reversed_.append(f"{one} {'>' if there > 0 else '<'} {two} there")
        else:
            open_ += 1
    total = same + len(reversed_) + open_
    if not total:
        return "order: nothing that the source tells apart was measured here"
    text = f"order: pairs told apart there: {total}; the same here: {same}; reversed: {len(reversed_)}"
    text += f"; not told apart here: {open_}" if open_ else ""
    return f"{text} ({', '.join(reversed_)})" if reversed_ else text


def _suites(source: Throughput, here: dict[str, Any], thesis: Thesis) -> Table:
    from lab import tables

    there = {row.suite: row for row in source.rows if row.suite}
    base_there, base_here = there.get(thesis.reference), here.get(thesis.reference)
    notes, lines = tables.Notes(), []
    for row in source.rows:
        ours = here.get(row.suite) if row.suite else "what it was is not known"
        texts = [row.label, row.suite or "–", " ".join(f"{run:g}" for run in row.runs), f"{row.value:.2f}"]
        relative_there = row.value / base_there.value if base_there else float("nan")
        if isinstance(ours, str) or ours is None:
            texts += [f"–{notes.mark(ours or 'not in this run')}", "", "", tables.figure(relative_there), "–", "–"]
        else:
            relative = ours.median / getattr(base_here, "median", float("nan"))
            texts += [tables.figure(ours.median), f"{tables.interval(ours)} n{ours.n}", ours.variant]
            texts += [tables.figure(ratio) for ratio in (relative_there, relative, relative / relative_there)]
        lines.append([tables.Cell(text) for text in texts])
    both = [(suite, row.span, _span(here[suite])) for suite, row in there.items() if not isinstance(here[suite], str)]
    verdict = order([(*one, *two) for one, two in combinations(both, 2)])
    columns = ["there", "suite", "runs", "average", "here", tables.INTERVAL, "variant"]
    columns += ["÷ reference there", "÷ reference here", "here ÷ there"]
    title = f"{source.source} {source.vpn}: throughput, Mbit/s; ratios to {thesis.reference}"
    return tables.Table(f"thesis {source.source}", title, columns, lines, 2, [verdict, *notes.lines()])


def _vpns(thesis: Thesis, here: dict[str, dict[str, Any]]) -> Table:
    """B.4: VPNs against each other, suite by suite."""
    from lab import tables

    there = {table.vpn: {row.suite: row for row in table.rows if row.suite} for table in thesis.throughput.tables}
    lines, pairs = [], []
    for suite in dict.fromkeys(suite for rows in there.values() for suite in rows):
        for one, two in combinations([vpn for vpn in there if suite in there[vpn]], 2):
            left, right = there[one][suite], there[two][suite]
            ours = here[one][suite], here[two][suite]
            texts = [f"{one} ÷ {two}", suite, tables.figure(left.value / right.value)]
            if any(isinstance(row, str) for row in ours):
                missing = [vpn for vpn, row in zip((one, two), ours, strict=True) if isinstance(row, str)]
                texts += ["–", "–", f"not measured here: {', '.join(missing)}"]
            else:
                ratio = ours[0].median / ours[1].median
                pair = (f"{one} {suite}", left.span, _span(ours[0]), two, right.span, _span(ours[1]))
                pairs.append(pair)
                way = told(left.span, right.span), told(_span(ours[0]), _span(ours[1]))
                texts += [tables.figure(ratio), tables.figure(ratio * right.value / left.value), _verdict(*way)]
            lines.append([tables.Cell(text) for text in texts])
    columns = ["vpns", "suite", "there", "here", "here ÷ there", "order"]
    name = thesis.averages.source
    return tables.Table(f"thesis {name}", f"{name}: vpn against vpn", columns, lines, 2, [order(pairs)])


def _verdict(there: int, here: int) -> str:
    if not there:
        return "not told apart there"
    return {there: "reproduced", -there: "reversed"}.get(here, "not told apart here")


# Where the time went: 3.15 to 3.18


def _components_here(rows: pd.DataFrame, wanted: Components) -> dict[tuple[str, str, str], Any]:
    """{(vpn, metric, end): summary row} of the first variant that has figures."""
    from lab import analysis, tables

    found: dict[tuple[str, str, str], Any] = {}
    summary = analysis.summarise(rows[rows["suite"] == wanted.suite])
    for vpn, variants in wanted.variants.items():
        for variant in variants:
            for row in tables.each(summary[(summary["vpn"] == vpn) & (summary["variant"] == variant)]):
                found.setdefault((vpn, row.metric, row.end), row)
    return found


def _load(df: pd.DataFrame, measure: str) -> pd.DataFrame:
    """The rows of the first conditions of a measure."""
    from lab import tables

    found = [load for load in tables.loads(df) if load[0] == measure]
    return tables.of_load(df, found[0]) if found else df.iloc[:0]


def _time(df: pd.DataFrame, wanted: Components) -> Table:
    from lab import analysis, tables

    rows = _load(df, wanted.measure)
    here = _components_here(analysis.kernel_share(rows), wanted)
    here |= _components_here(analysis.per_payload(rows, ["cpu_user", "cpu_system"]), wanted)
    totals_there = {(row.vpn, row.end): sum(row.value) for row in wanted.time}
    totals = {key: _sum(here, *key) for key in totals_there}
    lines = []
    for row in wanted.time:
        kernel, user = row.value
        printed = f"{row.percent[0]:.1f} %" if row.percent else "–"
        share = here.get((row.vpn, "kernel_share", row.end))
        parts = [here.get((row.vpn, metric, row.end)) for metric in ("cpu_system", "cpu_user")]
        texts = [row.source, row.end, row.vpn, f"{kernel:.2f} / {user:.2f}", tables.percent(kernel / (kernel + user))]
        texts += [printed, " / ".join(tables.figure(part.median) if part else "–" for part in parts)]
        interval = tables.interval(share, tables.percent) if share else ""
        texts.append(f"{tables.percent(share.median)} ({interval}) n{share.n}" if share else "–")
        base = (wanted.reference, row.end)
        texts += [tables.figure(total[(row.vpn, row.end)] / total[base]) for total in (totals_there, totals)]
        lines.append([tables.Cell(text) for text in texts])
    columns = ["table", "end", "vpn", "kernel / user s there", "kernel share", "as printed", "kernel / user s/GB here"]
    columns += ["kernel share", f"total ÷ {wanted.reference} there", "here"]
    return tables.Table("thesis time", f"3.15, 3.17: kernel and user time, {wanted.suite}", columns, lines, 3)


def _sum(here: Mapping[tuple[str, str, str], Any], vpn: str, end: str) -> float:
    parts = [here.get((vpn, metric, end)) for metric in ("cpu_system", "cpu_user")]
    return sum(part.median if part is not None else float("nan") for part in parts)


def _calls(df: pd.DataFrame, wanted: Components) -> Table:
    from lab import analysis, tables

    rows = _load(df, wanted.measure)
    here = _components_here(analysis.reads_and_writes(rows), wanted)
    there = {(row.vpn, row.end): row.value for row in wanted.calls}
    lines = []
    for row in wanted.calls:
        base_there = there[(wanted.reference, row.end)]
        ours = [here.get((row.vpn, metric, row.end)) for metric in ("reads", "writes")]
        base = [here.get((wanted.reference, metric, row.end)) for metric in ("reads", "writes")]
        texts = [row.source, row.end, row.vpn, " / ".join(f"{value:.0f}" for value in row.value)]
        texts.append(" / ".join(tables.figure(one.median) if one else "–" for one in ours))
        texts.append(" / ".join(tables.figure(one / two) for one, two in zip(row.value, base_there, strict=True)))
        ratios = [
            one.median / two.median if one and two and two.median else float("nan")
            for one, two in zip(ours, base, strict=True)
        ]
        texts.append(" / ".join(map(tables.figure, ratios)))
        lines.append([tables.Cell(text) for text in texts])
    columns = ["table", "end", "vpn", "reads / writes there", "here, one transfer"]
    columns += [f"÷ {wanted.reference} there", "here"]
    return tables.Table("thesis calls", f"3.16, 3.18: read and write calls, {wanted.suite}", columns, lines, 3)


# Raw cipher speed: 3.8 to 3.14


def _ciphers(df: pd.DataFrame, thesis: Thesis) -> list[Table]:
    from lab.crypto import beside

    return [*beside.build(df, thesis.ciphers), _errata(thesis)]


def _errata(thesis: Thesis) -> Table:
    from lab import tables

    notes = [f"{one.where}: {one.what}. Used: {one.used}." for one in thesis.errata]
    return tables.Table("thesis errata", "Errata of the source", [], [], 0, notes)
