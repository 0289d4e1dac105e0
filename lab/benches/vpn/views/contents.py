# SPDX-License-Identifier: MIT
"""The contents of a report: every table and picture that a run has data for, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.benches.vpn.views import (
    cpu_plots,
    cpu_tables,
    curve_plot,
    curves,
    packet_cost,
    packet_plot,
    profile,
    speed_plots,
    speed_tables,
    spreads,
)
from lab.report import plots, tables
from lab.report.tables import (
    Cell,
    Table,
    by_cell,
    each,
    of_clock,
    order,
    percent,
    series,
    spread,
    spread_name,
    spread_note,
    value,
    with_spread,
)
from lab.report.tables import sizes as counted
from lab.results.store import OUTCOMES
from lab.stats import analysis

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from lab.benches.vpn.views.speed_tables import CipherShare
    from lab.report.plots import Picture
    from lab.stats.summary import Load, Summary


OWN_TABLES = ("latency", "handshake", "cost", "setup")
"""Measures whose table holds all their loads; each load of any other has a table of suites, and one of ranks."""
UNRANKED = ("transfer",)
"""Its loads are for the CPU ledger. Its rate is that of throughput, of too short a time to rank by."""


def loads(run: Summary, rows: pd.DataFrame) -> list[Load]:
    """The loads in some rows of a run: measures as the run was asked for them, conditions in natural order."""
    measures = list(run.quantities)
    found = rows[["measure", "conditions"]].drop_duplicates().itertuples(index=False, name=None)
    last = len(measures)  # a measure that neither declares nor read a figure
    return sorted(
        found, key=lambda load: (measures.index(load[0]) if load[0] in measures else last, *map(tables.natural, load))
    )


def build(run: Summary, *, every_load: bool = False, raw: CipherShare | None = None) -> list[Table]:
    """Every table that has data; CPU tables of the first load, or of `every_load`.

    Raises:
        LabError: the run mixes engines or clocks.
    """
    contents = [overview(run)]
    for load in loads(run, run.outcomes):
        if load[0] not in OWN_TABLES:
            contents.append(speed_tables.matrix(run, load))
            contents += [] if load[0] in UNRANKED else [speed_tables.ranks(run, load, raw)]
    carrying = run.loads()
    for load in carrying if every_load else carrying[:1]:
        contents += [cpu_tables.kernel_and_user(run, load), cpu_tables.switches(run, load), cpu_tables.cost(run, load)]
    contents += [spreads.table(run), packet_cost.table(run), *profile.tables(run)]
    contents += [latency(run), handshake(run), *curves.tables(run)]
    return [table for table in contents if table.rows]


def overview(run: Summary) -> Table:
    """The outcomes of each series, the reasons of failures, and whether the CPU ledger closes."""
    outcomes = run.outcomes
    counts = outcomes.assign(series=series(outcomes)).pivot_table(
        index="series", columns="outcome", values="n", aggfunc="sum", fill_value=0
    )
    numbers_of = counts.to_dict("index")
    rows = []
    for name in order(counts.index):
        numbers = [numbers_of[name].get(outcome, 0) for outcome in OUTCOMES]
        kinds = ["", *OUTCOMES[1:]]
        rows.append([Cell(name), *(Cell(str(n), kind if n else "") for n, kind in zip(numbers, kinds, strict=True))])
    failures = run.failures
    alike = ["vpn", "variant", "suite", "outcome", "reason"]
    notes = [
        f"{row.n} {row.outcome}: {row.vpn}/{row.variant} {row.suite} ({row.measure}): {row.reason}"
        for row in each(
            failures.groupby(alike)
            .agg(n=("n", "sum"), measure=("measure", lambda names: ", ".join(order(names))))
            .reset_index()
        )
    ]
    notes += [*analysis.retaken(run.df), *cpu_tables.closure(run)]
    return Table("samples", "Samples by outcome", ["", *OUTCOMES], rows, 1, notes, run.where)


def latency(run: Summary) -> Table:
    """Round-trip times through the tunnel, idle and under load."""
    summary = run.figures[run.figures["measure"] == "latency"]
    lines = []
    for conditions in order(summary["conditions"]):
        for key, figures in by_cell(summary[summary["conditions"] == conditions]).items():
            quantiles = [with_spread(figures.get((f"rtt_{name}", "client"))) for name in ("p50", "p90", "p99")]
            lost = value(figures.get(("loss", "client")), percent)
            lines.append([Cell(text) for text in (*key, conditions, *quantiles, lost, counted(figures))])
    columns = [*cpu_tables.KEYS, "conditions", "p50", "p90", "p99", "loss", "n"]
    title = f"Round trip, {of_clock('ms', run.clock)}: median of each percentile ({spread_name(run)})"
    notes = [*tables.meant(run, loads(run, summary)), *spread_note(run.clock)]
    return Table("latency", title, columns, lines, 4, notes, run.where)


def handshake(run: Summary) -> Table:
    """Seconds from the start of the client to the first byte through the tunnel, and bytes on the wire."""
    summary = run.figures
    lines = []
    for key, figures in by_cell(summary[summary["measure"] == "handshake"]).items():
        row, size = figures[("handshake", "client")], figures.get(("handshake_bytes", "client"))
        lines.append([Cell(text) for text in (*key, value(row), spread(row), value(size), str(tables.count(row)))])
    columns = [*cpu_tables.KEYS, "s", spread_name(run), "B on the wire", "n"]
    title = f"Handshake, {of_clock('s', run.clock)}: from the client's start to the first byte through"
    return Table("handshake", title, columns, lines, 3, spread_note(run.clock), run.where)


def pictures(run: Summary) -> Iterator[tuple[str, Picture]]:
    """Every picture that has data, one at a time, with its file name without the suffix.

    Raises:
        LabError: the run mixes engines or clocks.
    """
    mains = run.others.mains
    for load in loads(run, mains[mains["metric"] != packet_cost.METRIC]):  # which has a picture of all its loads
        for name, picture in speed_plots.pictures(run, load):
            yield plots.slug(" ".join((*load, name))), picture
    for load in run.loads()[:1]:
        for draw in (cpu_plots.cpu_split, cpu_plots.switches, cpu_plots.cost):
            yield plots.slug(draw.__name__), draw(run, load)
    if len(packet_cost.sized(run)):
        yield "instructions-per-packet", packet_plot.draw(run)
    for name, picture in curve_plot.pictures(run):
        yield plots.slug(name), picture
