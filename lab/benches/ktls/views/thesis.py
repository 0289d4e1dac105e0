# SPDX-License-Identifier: MIT
"""A run beside the thesis: tables C.1 to C.10. Machines and clocks differ: absolute figures are shown, ratios compared.

One MB/s figure of the thesis is four figures here: sent and received, by wall time and by CPU time.
"""
# ruff: noqa: RUF001 - en dashes and multiplication signs are what a reader of tables expects

from __future__ import annotations

import math

from lab.benches.ktls.views import frame, thesis_model
from lab.benches.ktls.views.frame import CPU, SENT, WALL, Figures, Metric, Spot
from lab.report import tables
from lab.report.tables import Cell, Table, figure, of_clock, percent, value, with_spread

SENDER: Metric = ("cpu_rate", "sender")
RECEIVER: Metric = ("cpu_rate", "receiver")
LOSS: Metric = ("loss", "machine")
FIRST = "÷ first"
READ = (
    "received, sent: bytes by the wall time of that end; CPU: bytes by the CPU time of the sender's process, of the "
    "receiver's, and, of those that arrived, of the whole machine (its interrupts are neither's)"
)
THERE = "there: MB by CPU time of one end, sent and received in one figure (errata); the column that is nearest is CPU"


def build(it: Figures, there: thesis_model.Chapter) -> list[Table]:
    """Every table that has data, and the errata of the source."""
    comparisons = [by_payload(it, source, there.suite) for source in there.payloads]
    for source in there.files:
        comparisons += [files(it, source, there.suite), shares(it, source, there.suite)]
    return [*(table for table in comparisons if table.rows), errata(there)]


def columns(clock: str) -> list[str]:
    """The columns of this run's figures."""
    rate, cpu = of_clock("MB/s", clock), "MB/CPU s"
    return [
        f"received, {rate}", FIRST, "sent", f"CPU: sender, {cpu}", "receiver", "machine", FIRST, "lost", "n",
    ]  # fmt: skip


def here(it: Figures, spot: Spot, first: Spot) -> list[str]:
    """The texts of one spot's columns; ratios to `first` are taken within a block."""
    if spot not in it.found:
        return ["–"] * len(columns(it.clock))
    texts = [with_spread(it.get(spot, WALL)), _ratio(it, spot, first, WALL), value(it.get(spot, SENT))]
    texts += [value(it.get(spot, metric)) for metric in (SENDER, RECEIVER, CPU)]
    return [*texts, _ratio(it, spot, first, CPU), value(it.get(spot, LOSS), percent), str(it.count(spot))]


def _ratio(it: Figures, spot: Spot, first: Spot, metric: Metric) -> str:
    return "" if spot == first else plain(it.ratio(spot, first, metric))


def plain(ratio: float) -> str:
    """A ratio, or a dash if there is none."""
    return "–" if math.isnan(ratio) else f"{ratio:.3f}"


def by_payload(it: Figures, source: thesis_model.Payloads, suite: str) -> Table:
    """C.1, C.2, C.9 and C.10, by payload: the thesis's columns, then the other paths of this run."""
    spots = [spot for spot in it.of_scenario(source.scenario, source.protocol) if spot.suite == suite]
    known = {(column.path, column.way): column for column in source.columns}
    lead = source.columns[0]
    notes, lines = tables.Notes(), []
    for payload in sorted({spot.payload for spot in spots}):
        first = Spot(source.protocol, suite, source.scenario, lead.path, lead.way, payload)
        payload_spots = [spot for spot in spots if spot.payload == payload]
        for spot in sorted(payload_spots, key=lambda spot: (spot.path, spot.way) not in known):
            column = known.get((spot.path, spot.way))
            printed = column.values.get(payload) if column else None
            base = lead.values.get(payload)
            texts = [str(payload), name(spot), figure(printed) if printed else "–"]
            texts.append(plain(printed / base) if printed and base and column is not lead else "")
            lines.append([Cell(text) for text in (*texts, *here(it, spot, first))])
            texts_of_failures(it, spot, notes, lines[-1])
    title = f"Thesis, table {source.source}, figure {source.figure}: {source.title}, by bytes of payload"
    heads = ["payload", "path", "there, MB/s", FIRST, *columns(it.clock)]
    return Table(f"ktls {source.source}", title, heads, lines, 2, [THERE, READ, *notes.lines()], it.where)


def texts_of_failures(it: Figures, spot: Spot, notes: tables.Notes, line: list[Cell]) -> None:
    """Mark a row that has samples that do not count with the reason."""
    if spot in it.why:
        kind = it.why[spot].partition(":")[0]
        line[1] = Cell(f"{line[1].text}{notes.mark(it.why[spot])}", kind if spot not in it.found else "")


def name(spot: Spot) -> str:
    """A path and how its data is handed over."""
    return f"{frame.title_of(spot.path)}, {spot.way}"


def files(it: Figures, source: thesis_model.Files, suite: str) -> Table:
    """C.3 and C.6, one protocol each: the thesis's ways to send a file, then the others."""
    spots = [spot for spot in it.of_scenario("file", source.protocol) if spot.suite in (suite, "none")]
    known = {(column.path, column.way): column for column in source.columns}
    lead, order = source.columns[0], list(known)
    notes, lines = tables.Notes(), []
    for payload in sorted({spot.payload for spot in spots}):
        payload_spots = [spot for spot in spots if spot.payload == payload]
        first = Spot(source.protocol, payload_spots[0].suite, "file", lead.path, lead.way, payload)
        for spot in sorted(
            payload_spots, key=lambda spot: order.index(_key(spot)) if _key(spot) in known else len(order)
        ):
            column = known.get(_key(spot)) if payload == source.payload else None
            texts = [str(payload), name(spot), figure(column.value) if column else "–"]
            texts.append(plain(column.value / lead.value) if column and column is not lead else "")
            lines.append([Cell(text) for text in (*texts, *here(it, spot, first))])
            texts_of_failures(it, spot, notes, lines[-1])
    title = f"Thesis, table {source.source}, figure {source.figure}: {source.title}"
    heads = ["payload", "path", "there, MB/s", FIRST, *columns(it.clock)]
    return Table(
        f"ktls {source.source} {source.protocol}", title, heads, lines, 2, [THERE, READ, *notes.lines()], it.where
    )


def _key(spot: Spot) -> tuple[str, str]:
    return spot.path, spot.way


def shares(it: Figures, source: thesis_model.Files, suite: str) -> Table:
    """C.4, C.5, C.7, C.8: each rate as per cent of each other, in the thesis and here by wall and by CPU time."""
    spots = [
        spot for spot in it.of_scenario("file", source.protocol) if spot.payload == source.payload and spot in it.found
    ]
    by_key = {_key(spot): spot for spot in spots if spot.suite in (suite, "none")}
    lines = []
    for row, printed in zip(source.columns, source.percent, strict=True):
        cells = [Cell(row.label)]
        for column, share in zip(source.columns, printed, strict=True):
            over, under = by_key.get((row.path, row.way)), by_key.get((column.path, column.way))
            if share is None:
                cells.append(Cell(""))
                continue
            ratios = [it.ratio(over, under, metric) if over and under else float("nan") for metric in (WALL, CPU)]
            cells.append(Cell(" | ".join([f"{share:.1f} %", *(percent(ratio) for ratio in ratios)])))
        lines.append(cells)
    title = f"Thesis, table {source.shares}: {source.title}, the row's rate as a share of the column's"
    remarks = ["there | here: received by wall time | by CPU time of the machine; medians of ratios within a block"]
    heads = ["", *(column.label for column in source.columns)]
    return Table(f"ktls {source.shares}", title, heads, lines if by_key else [], 1, remarks, it.where)


def errata(there: thesis_model.Chapter) -> Table:
    """What is wrong or unclear in the source."""
    notes = [f"{erratum.where}: {erratum.what}. Used: {erratum.used}." for erratum in there.errata]
    return Table("ktls errata", "Errata of the source", [], [], 0, [f"there: {there.hardware}", *notes])
