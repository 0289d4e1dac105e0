# SPDX-License-Identifier: MIT
"""Where the time went, beside the thesis: 3.15 to 3.18 of its file transfer, and what explains the VPNs' order."""
# ruff: noqa: RUF001 - en dashes and multiplication signs are what a reader of tables expects

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from lab.benches.vpn.views import cpu_tables, cpu_time
from lab.benches.vpn.views.thesis_speed import under
from lab.report import tables
from lab.report.tables import Cell, Notes, Table, figure, of_clock, percent, value
from lab.stats import analysis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from lab.benches.vpn.views.thesis_model import Component, Components, Throughputs
    from lab.benches.vpn.views.thesis_speed import Order

Figures = dict[tuple[str, str], list[Any]]
"""The modes of each metric at each end."""


class Here:
    """The CPU time and the calls of a run, in the suite of the thesis's components."""

    def __init__(self, df: pd.DataFrame, wanted: Components) -> None:
        self.wanted = wanted
        self.load, rows = _load(df, wanted.measure)
        self.clock = analysis.one_clock(df)[1]
        parts = [cpu_tables.seconds(rows), cpu_time.kernel_share(rows), cpu_time.reads_and_writes(rows)]
        self.figures: dict[tuple[str, str], Figures] = {}
        for part in parts:
            for row in tables.each(analysis.summarise(part[part["suite"] == wanted.suite])):
                found = self.figures.setdefault((row.vpn, row.variant), {})
                found.setdefault((row.metric, row.end), []).append(row)

    def variant(self, vpn: str) -> str:
        """The first variant of a VPN that has figures; none is an empty text."""
        return next((name for name in self.wanted.variants.get(vpn, []) if (vpn, name) in self.figures), "")

    def of(self, vpn: str) -> Figures:
        """The figures of a VPN, by that variant."""
        return self.figures.get((vpn, self.variant(vpn)), {})

    def total(self, vpn: str, end: str) -> float:
        """CPU seconds per GB of an end's processes, in the mode with most samples; NaN where there is none."""
        parts = [self.of(vpn).get((metric, end)) for metric in ("cpu_system", "cpu_user")]
        return sum(rows[0].median if rows else float("nan") for rows in parts)

    def rows(self, there: Sequence[Component]) -> list[tuple[str, str, str, Component | None]]:
        """Source, end and VPN of each row, and its figures there: also of the VPNs that the thesis left out."""
        found: list[tuple[str, str, str, Component | None]] = [(row.source, row.end, row.vpn, row) for row in there]
        for source, end in dict.fromkeys((row.source, row.end) for row in there):
            known = {row.vpn for row in there if row.source == source}
            found += [(source, end, vpn, None) for vpn in self.wanted.variants if vpn not in known and self.of(vpn)]
        return sorted(found, key=lambda row: row[0])


def _load(df: pd.DataFrame, measure: str) -> tuple[str, pd.DataFrame]:
    """The rows of the first conditions of a measure, and their name; of any other load where it was not taken."""
    loads = tables.loads(df)
    chosen = next((load for load in loads if load[0] == measure), loads[0] if loads else None)
    return (tables.named(chosen), tables.of_load(df, chosen)) if chosen else ("nothing", df.iloc[:0])


def time(here: Here) -> Table:
    """3.15 and 3.17: kernel and user time of each end."""
    wanted, notes = here.wanted, Notes()
    totals_there = {(row.vpn, row.end): sum(row.value) for row in wanted.time}
    lines = []
    for source, end, vpn, row in here.rows(wanted.time):
        found, base = here.of(vpn), (wanted.reference, end)
        texts = [source, end, vpn, "–", "–", "–"]
        if row:
            kernel, user = row.value
            printed = f"{row.percent[0]:.1f} %" if row.percent else "–"
            texts[3:] = [f"{kernel:.2f} / {user:.2f}", percent(kernel / (kernel + user)), printed]
        share = found.get(("kernel_share", end))
        counted = f" n{tables.count(share)}" if share else ""
        texts += [here.variant(vpn) or "–", cpu_tables.pair(found, end)]
        texts.append(cpu_tables.kernel_share(found, end, notes) + counted)
        texts.append(figure(totals_there[vpn, end] / totals_there[base]) if row else "–")
        texts.append(figure(here.total(vpn, end) / here.total(*base)))
        lines.append([Cell(text) for text in texts])
    columns = ["table", "end", "vpn", "kernel / user s there", "kernel share", "as printed", "variant"]
    columns += [f"kernel / user {of_clock('s/GB', here.clock)}", "kernel share", f"total ÷ {wanted.reference} there"]
    title = f"3.15, 3.17: kernel and user time, {wanted.suite}; here: {here.load}"
    return Table("thesis time", title, [*columns, "here"], lines, 3, notes.lines())


def calls(here: Here) -> Table:
    """3.16 and 3.18: system calls that read and write."""
    wanted = here.wanted
    there = {(row.vpn, row.end): row.value for row in wanted.calls}
    lines = []
    for source, end, vpn, row in here.rows(wanted.calls):
        base_there = there[wanted.reference, end]
        ours, base = (
            [here.of(name).get((metric, end)) for metric in ("reads", "writes")] for name in (vpn, wanted.reference)
        )
        texts = [source, end, vpn, " / ".join(f"{number:.0f}" for number in row.value) if row else "–"]
        texts += [here.variant(vpn) or "–", " / ".join(value(one) for one in ours)]
        texts.append(" / ".join(figure(x / y) for x, y in zip(row.value, base_there, strict=True)) if row else "–")
        ratios = [
            one[0].median / two[0].median if one and two and two[0].median else float("nan")
            for one, two in zip(ours, base, strict=True)
        ]
        texts.append(" / ".join(map(figure, ratios)))
        lines.append([Cell(text) for text in texts])
    columns = ["table", "end", "vpn", "reads / writes there", "variant", "here, one transfer"]
    columns += [f"÷ {wanted.reference} there", "here"]
    return Table("thesis calls", f"3.16, 3.18: read and write calls, {wanted.suite}", columns, lines, 3)


# Why


def ledger(df: pd.DataFrame, wanted: Throughputs, orders: Sequence[Order]) -> list[dict[str, Any]]:
    """Where the CPU seconds of a GB went, of each VPN, suite and data path that an order was told by.

    Each with its modes, as {figure: value}; figures in s/GB. `cost` is of the whole machine.
    """
    rows = under(df, wanted)
    parts = [cpu_tables.seconds(rows), analysis.measured(rows, "cost")]
    found: dict[tuple[str, str, str, int], dict[str, Any]] = {}
    for part in parts:
        for row in tables.each(analysis.summarise(part)):
            name = row.metric if row.metric == "cost" else row.metric.removeprefix("cpu_")
            figures = found.setdefault((row.suite, row.vpn, row.variant, row.mode), {})
            figures[f"{row.end} {name}"] = row.median
    told: list[dict[str, Any]] = []
    for suite, here in dict.fromkeys((one.suite, (row.rows[0].vpn, row.variant)) for one in orders for row in one.here):
        speeds = next(
            row.rows
            for one in orders
            for row in one.here
            if (row.rows[0].vpn, row.variant) == here and one.suite == suite
        )
        for row in speeds:
            figures = found.get((suite, *here, row.mode), {})
            told.append(
                {"suite": suite, "vpn": here[0], "variant": here[1], "throughput": row.median, "n": row.n, **figures}
            )
    return told


PLACES = ("server system", "server user", "client system", "client user", "load system", "load user")
MACHINE = ("machine softirq", "machine kernel_threads", "machine cost")


def why(told: Sequence[Mapping[str, Any]], orders: Sequence[Order], clock: str) -> Table:
    """The ledger of each VPN that an order was told by, and whether the order of costs explains that of speeds."""
    lines = []
    for row in told:
        figures = [figure(row.get(name, float("nan"))) for name in (*PLACES, *MACHINE)]
        both = [" / ".join(figures[at : at + 2]) for at in range(0, len(PLACES), 2)]
        texts = [
            row["suite"],
            f"{row['vpn']}/{row['variant']}",
            figure(row["throughput"]),
            *both,
            *figures[len(PLACES) :],
        ]
        lines.append([Cell(text) for text in (*texts, str(row["n"]))])
    columns = ["suite", "vpn/variant", of_clock("Mbit/s", clock)]
    columns += [f"{place}: kernel / user" for place in ("server", "client", "load")]
    columns += ["softirq", "kernel threads", "machine, all", "n"]
    title = f"Why: where the CPU {of_clock('s/GB', clock)} went"
    notes = [cpu_tables.ELSEWHERE.replace("its processes took", "an end whose processes took", 1)]
    return Table(
        "thesis why", title, columns, lines, 2, [*(_explained(one, told) for one in orders if one.here), *notes]
    )


def _explained(one: Order, told: Sequence[Mapping[str, Any]]) -> str:
    """Whether a lower cost goes with a higher speed, in the mode with most samples."""
    first: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in told:
        if row["suite"] == one.suite:
            first.setdefault((row["vpn"], row["variant"]), row)
    rows = [first[here.rows[0].vpn, here.variant] for here in one.here]
    if not all("machine cost" in row for row in rows):
        return f"{one.suite}: no ledger here"
    against = [
        f"{a['vpn']} and {b['vpn']}"
        for a, b in combinations(rows, 2)
        if (a["machine cost"] - b["machine cost"]) * (a["throughput"] - b["throughput"]) > 0
    ]
    costs = " < ".join(f"{row['vpn']}/{row['variant']} {figure(row['machine cost'])}" for row in rows)
    said = f"but not for {', '.join(against)}: there something else than CPU time was the limit" if against else ""
    return (
        f"{one.suite}: the faster, the cheaper: {costs} s/GB"
        if not said
        else f"{one.suite}: the faster, the cheaper, {said}"
    )
