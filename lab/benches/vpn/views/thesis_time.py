# SPDX-License-Identifier: MIT
"""CPU time beside the thesis: tables 3.15 to 3.18 (file transfer), and what explains the order of the VPNs."""
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
    from lab.stats.summary import Summary

Figures = dict[tuple[str, str], list[Any]]
"""The modes of each metric at each end."""


class Here:
    """The CPU time and the system calls of a run, in the suite of the thesis's components."""

    def __init__(self, run: Summary, wanted: Components) -> None:
        self.wanted = wanted
        self.load, rows = _load(run, wanted.measure)
        self.clock = run.clock
        parts = [cpu_tables.seconds(rows), cpu_time.kernel_share(rows), cpu_time.reads_and_writes(rows)]
        self.figures: dict[tuple[str, str], Figures] = {}
        for part in parts:
            for row in tables.each(analysis.summarise(part[part["suite"] == wanted.suite])):
                figures = self.figures.setdefault((row.vpn, row.variant), {})
                figures.setdefault((row.metric, row.end), []).append(row)

    def variant(self, vpn: str) -> str:
        """The first variant of a VPN that has figures; empty if none has."""
        return next((name for name in self.wanted.variants.get(vpn, []) if (vpn, name) in self.figures), "")

    def of(self, vpn: str) -> Figures:
        """The figures of that variant."""
        return self.figures.get((vpn, self.variant(vpn)), {})

    def total(self, vpn: str, end: str) -> float:
        """CPU seconds per GB of an endpoint's processes, in the mode with most samples; NaN if there is none."""
        parts = [self.of(vpn).get((metric, end)) for metric in ("cpu_system", "cpu_user")]
        return sum(rows[0].median if rows else float("nan") for rows in parts)

    def rows(self, there: Sequence[Component]) -> list[tuple[str, str, str, Component | None]]:
        """Source, end and VPN of each row, and its thesis figures; also rows for VPNs that the thesis lacks."""
        rows: list[tuple[str, str, str, Component | None]] = [(row.source, row.end, row.vpn, row) for row in there]
        for source, end in dict.fromkeys((row.source, row.end) for row in there):
            known = {row.vpn for row in there if row.source == source}
            rows += [(source, end, vpn, None) for vpn in self.wanted.variants if vpn not in known and self.of(vpn)]
        return sorted(rows, key=lambda row: row[0])


def _load(run: Summary, measure: str) -> tuple[str, pd.DataFrame]:
    """The first load of a measure, or of any if it was not taken: its name and readings."""
    loads = run.loads()
    chosen = next((load for load in loads if load[0] == measure), loads[0] if loads else None)
    return (tables.named(chosen), run.under(chosen).measured) if chosen else ("nothing", run.measured.iloc[:0])


def time(here: Here) -> Table:
    """3.15 and 3.17: kernel and user time of each endpoint."""
    components, notes = here.wanted, Notes()
    totals_there = {(row.vpn, row.end): sum(row.value) for row in components.time}
    lines = []
    for source, end, vpn, row in here.rows(components.time):
        figures, base = here.of(vpn), (components.reference, end)
        texts = [source, end, vpn, "–", "–", "–"]
        if row:
            kernel, user = row.value
            printed = f"{row.percent[0]:.1f} %" if row.percent else "–"
            texts[3:] = [f"{kernel:.2f} / {user:.2f}", percent(kernel / (kernel + user)), printed]
        share = figures.get(("kernel_share", end))
        counted = f" n{tables.count(share)}" if share else ""
        texts += [here.variant(vpn) or "–", cpu_tables.pair(figures, end)]
        texts.append(cpu_tables.kernel_share(figures, end, notes) + counted)
        texts.append(figure(totals_there[vpn, end] / totals_there[base]) if row else "–")
        texts.append(figure(here.total(vpn, end) / here.total(*base)))
        lines.append([Cell(text) for text in texts])
    columns = ["table", "end", "vpn", "kernel / user s there", "kernel share", "as printed", "variant"]
    columns += [
        f"kernel / user {of_clock('s/GB', here.clock)}",
        "kernel share",
        f"total ÷ {components.reference} there",
    ]
    title = f"3.15, 3.17: kernel and user time, {components.suite}; here: {here.load}"
    return Table("thesis time", title, [*columns, "here"], lines, 3, notes.lines())


def calls(here: Here) -> Table:
    """3.16 and 3.18: read and write system calls."""
    components = here.wanted
    values = {(row.vpn, row.end): row.value for row in components.calls}
    lines = []
    for source, end, vpn, row in here.rows(components.calls):
        base_there = values[components.reference, end]
        figures, base = (
            [here.of(name).get((metric, end)) for metric in ("reads", "writes")] for name in (vpn, components.reference)
        )
        texts = [source, end, vpn, " / ".join(f"{number:.0f}" for number in row.value) if row else "–"]
        texts += [here.variant(vpn) or "–", " / ".join(value(rows) for rows in figures)]
        texts.append(" / ".join(figure(x / y) for x, y in zip(row.value, base_there, strict=True)) if row else "–")
        ratios = [
            rows[0].median / base_rows[0].median if rows and base_rows and base_rows[0].median else float("nan")
            for rows, base_rows in zip(figures, base, strict=True)
        ]
        texts.append(" / ".join(map(figure, ratios)))
        lines.append([Cell(text) for text in texts])
    columns = ["table", "end", "vpn", "reads / writes there", "variant", "here, one transfer"]
    columns += [f"÷ {components.reference} there", "here"]
    return Table("thesis calls", f"3.16, 3.18: read and write calls, {components.suite}", columns, lines, 3)


# Why


def ledger(run: Summary, wanted: Throughputs, orders: Sequence[Order]) -> list[dict[str, Any]]:
    """Where the CPU seconds of a GB went, for each VPN, suite and data path in an order.

    Each mode is a {figure: value}, in s/GB. `cost` is of the whole machine.
    """
    parts = [analysis.summarise(cpu_tables.seconds(under(run.measured, wanted)))]
    parts.append(under(run.figures_of("cost"), wanted))
    costs: dict[tuple[str, str, str, int], dict[str, Any]] = {}
    for part in parts:
        for row in tables.each(part):
            name = row.metric if row.metric == "cost" else row.metric.removeprefix("cpu_")
            figures = costs.setdefault((row.suite, row.vpn, row.variant, row.mode), {})
            figures[f"{row.end} {name}"] = row.median
    entries: list[dict[str, Any]] = []
    for suite, path in dict.fromkeys(
        (order.suite, (row.rows[0].vpn, row.variant)) for order in orders for row in order.here
    ):
        speeds = next(
            row.rows
            for order in orders
            for row in order.here
            if (row.rows[0].vpn, row.variant) == path and order.suite == suite
        )
        for row in speeds:
            figures = costs.get((suite, *path, row.mode), {})
            entries.append(
                {"suite": suite, "vpn": path[0], "variant": path[1], "throughput": row.median, "n": row.n, **figures}
            )
    return entries


PLACES = ("server system", "server user", "client system", "client user", "load system", "load user")
MACHINE = ("machine softirq", "machine kernel_threads", "machine cost")


def why(told: Sequence[Mapping[str, Any]], orders: Sequence[Order], clock: str) -> Table:
    """The ledger of each VPN in an order, and whether the order of costs explains the order of speeds."""
    lines = []
    for row in told:
        figures = [figure(row.get(name, float("nan"))) for name in (*PLACES, *MACHINE)]
        pairs = [" / ".join(figures[index : index + 2]) for index in range(0, len(PLACES), 2)]
        texts = [
            row["suite"],
            f"{row['vpn']}/{row['variant']}",
            figure(row["throughput"]),
            *pairs,
            *figures[len(PLACES) :],
        ]
        lines.append([Cell(text) for text in (*texts, str(row["n"]))])
    columns = ["suite", "vpn/variant", of_clock("Mbit/s", clock)]
    columns += [f"{place}: kernel / user" for place in ("server", "client", "load")]
    columns += ["softirq", "kernel threads", "machine, all", "n"]
    title = f"Why: where the CPU {of_clock('s/GB', clock)} went"
    notes = [cpu_tables.ELSEWHERE.replace("its processes took", "an end whose processes took", 1)]
    return Table(
        "thesis why", title, columns, lines, 2, [*(_explained(order, told) for order in orders if order.here), *notes]
    )


def _explained(one: Order, told: Sequence[Mapping[str, Any]]) -> str:
    """Whether a lower cost goes with a higher speed, in the mode with most samples."""
    first: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in told:
        if row["suite"] == one.suite:
            first.setdefault((row["vpn"], row["variant"]), row)
    rows = [first[figures.rows[0].vpn, figures.variant] for figures in one.here]
    if not all("machine cost" in row for row in rows):
        return f"{one.suite}: no ledger here"
    against = [
        f"{a['vpn']} and {b['vpn']}"
        for a, b in combinations(rows, 2)
        if (a["machine cost"] - b["machine cost"]) * (a["throughput"] - b["throughput"]) > 0
    ]
    costs = " < ".join(f"{row['vpn']}/{row['variant']} {figure(row['machine cost'])}" for row in rows)
    exceptions = (
        f"but not for {', '.join(against)}: there something else than CPU time was the limit" if against else ""
    )
    return (
        f"{one.suite}: the faster, the cheaper: {costs} s/GB"
        if not exceptions
        else f"{one.suite}: the faster, the cheaper, {exceptions}"
    )
