# SPDX-License-Identifier: MIT
"""The factorial view: the cost of a record from the library to the kernel to no copies, one change per step.

On the instruction clock the cost is a count of instructions. The machine's cost contains everything executed for a
record that arrived. An endpoint's cost is that of its process, including the interrupts that run on it.
"""
# ruff: noqa: RUF001 - en dashes, minus and multiplication signs are what a reader of tables expects

from __future__ import annotations

import math

import numpy as np

from lab.benches.ktls import cells
from lab.benches.ktls.views import frame
from lab.benches.ktls.views.frame import COST, Figures, Metric, Spot
from lab.benches.ktls.views.thesis import name, plain, texts_of_failures
from lab.report import tables
from lab.report.tables import Cell, Table, figure, value, with_spread

SENDER: Metric = ("cost_record", "sender")
RECEIVER: Metric = ("cost_record", "receiver")
CALLS: tuple[Metric, Metric] = (("calls_record", "sender"), ("calls_record", "receiver"))
SWITCHES: tuple[Metric, Metric] = (("switches_record", "sender"), ("switches_record", "receiver"))
ENDS = (COST, SENDER, RECEIVER)
ENOUGH = 3
"""The least payloads with which a fitted line can miss a point."""


def build(it: Figures) -> list[Table]:
    """Steps, cost by payload, and cost by record and by byte."""
    return [table for table in (steps(it), by_payload(it), lines(it)) if table.rows]


def ladders(it: Figures) -> list[tuple[list[Spot], cells.Ladder]]:
    """Every ladder whose first step and at least one more were measured, by scenario, protocol, suite and payload."""
    measured = []
    for ladder in cells.load().ladders:
        keys = dict.fromkeys(
            (spot.protocol, spot.suite, spot.payload) for spot in it.found if spot.scenario == ladder.scenario
        )
        for protocol, suite, payload in keys:
            spots = [Spot(protocol, suite, ladder.scenario, step.path, step.way, payload) for step in ladder.steps]
            if spots[0] in it.found and len([spot for spot in spots if spot in it.found]) > 1:
                measured.append((spots, ladder))
    return measured


def steps(it: Figures) -> Table:
    """What each step changes, and its cost as the difference to the step before."""
    rows, notes = [], tables.Notes()
    for spots, ladder in ladders(it):
        previous, changes = None, list[str]()
        for spot, step in zip(spots, ladder.steps, strict=True):
            changes.append(step.by)  # also of a step that was not measured: the next step then has both changes
            if spot not in it.found:
                continue
            texts = [_where(spot), name(spot), "\n".join(changes), with_spread(it.get(spot, COST))]
            changes.clear()
            texts += [*_change(it, spot, previous), plain(it.ratio(spot, spots[0], COST)) if previous else ""]
            texts += [value(it.get(spot, metric)) for metric in (SENDER, RECEIVER)]
            texts += [" / ".join(value(it.get(spot, metric)) for metric in ends) for ends in (CALLS, SWITCHES)]
            texts.append(value(it.get(spot, ("loss", "machine")), tables.percent))
            rows.append([Cell(text) for text in texts])
            texts_of_failures(it, spot, notes, rows[-1])
            previous = spot
    unit = frame.cost_name(it.clock)
    heads = ["", "step", "what changes", f"{unit} a record", "− step before", "÷ step before", "÷ first"]
    heads += ["sender's process", "receiver's", "calls a record: sender / receiver", "switches a record", "lost"]
    remarks = [
        f"{unit} of the whole machine for each record that arrived; each process's for each that it sent or received",
        "− and ÷: medians within a block; a saving that calls and copies do not explain is the cipher's implementation",
        "switches: where one path wakes the receiver for each record and another does not, that is a difference too",
    ]
    return Table(
        "ktls factors",
        "What each step saves: from the library to the kernel, and from the kernel's own TLS to AF_KTLS",
        heads,
        rows,
        3,
        remarks + notes.lines(),
        it.where,
    )


def _where(spot: Spot) -> str:
    return f"{spot.scenario}, {spot.protocol}, {spot.payload} B" + (f", {spot.suite}" if spot.suite != "none" else "")


def _change(it: Figures, spot: Spot, before: Spot | None) -> list[str]:
    if before is None:
        return ["", ""]
    gap = it.difference(spot, before, COST)
    signed = "–" if math.isnan(gap) else f"{'−' if gap < 0 else '+'}{figure(abs(gap))}"
    return [signed, plain(it.ratio(spot, before, COST))]


def by_payload(it: Figures) -> Table:
    """The machine's cost of a record on every path, by payload."""
    payloads = sorted({spot.payload for spot in it.found if spot.payload})
    groups = grouped(it)
    rows = []
    for key, spots in groups.items():
        texts = [*key]
        texts += [value(it.get(spots[payload], COST)) if payload in spots else "–" for payload in payloads]
        rows.append([Cell(text) for text in texts])
    unit = frame.cost_name(it.clock)
    title = f"Cost of a record by payload: {unit} of the whole machine, median"
    heads = ["scenario", "protocol", "suite", "path", *(f"{payload} B" for payload in payloads)]
    return Table("ktls cost", title, heads, rows, 4, tables.spread_note(it.clock), it.where)


def grouped(it: Figures) -> dict[tuple[str, str, str, str], dict[int, Spot]]:
    """The spots of each path by payload."""
    groups: dict[tuple[str, str, str, str], dict[int, Spot]] = {}
    for spot in it.spots:
        if spot.payload and spot in it.found:
            key = (spot.scenario, spot.protocol, spot.suite, name(spot))
            groups.setdefault(key, {})[spot.payload] = spot
    return groups


def lines(it: Figures) -> Table:
    """Cost as a part per record and a part per byte: a line through the medians of all payloads."""
    rows = []
    for key, spots in grouped(it).items():
        if len(spots) > 1:
            texts = [_line([(payload, it.median(spot, metric)) for payload, spot in spots.items()]) for metric in ENDS]
            rows.append([Cell(text) for text in (*key, str(len(spots)), *texts)])
    unit = frame.cost_name(it.clock)
    heads = ["scenario", "protocol", "suite", "path", "payloads", "machine", "sender's process", "receiver's"]
    note = (
        f"so many {unit} a record + so many a byte × payload, by least squares through the medians; in brackets the "
        f"largest distance of one, as a share of it, where there are {ENOUGH} payloads or more"
    )
    return Table("ktls lines", f"Cost by record and by byte: {unit}", heads, rows, 4, [note], it.where)


def _line(points: list[tuple[int, float]]) -> str:
    sizes, medians = (np.array(column, float) for column in zip(*points, strict=True))
    if np.isnan(medians).any():
        return "–"
    slope, fixed = map(float, np.polyfit(sizes, medians, 1))
    error = float(np.max(np.abs(fixed + slope * sizes - medians) / medians))
    text = f"{'−' if fixed < 0 else ''}{figure(abs(fixed))} {'−' if slope < 0 else '+'} {figure(abs(slope))} × B"
    return text + (f" ({tables.percent(error)})" if len(points) >= ENOUGH else "")
