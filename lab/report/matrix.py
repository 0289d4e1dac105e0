# SPDX-License-Identifier: MIT
"""The first thing of a page: for each load a matrix of suites by series, and the samples behind every field of it.

A field holds the main figure of its cell (`lab.results.quantity`). A cell without a figure says how it ended. What a
sample read, how it was proved and where its logs are opens from its field.
"""
# ruff: noqa: RUF001 - en dashes are what a reader of tables expects

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from lab.report import tables
from lab.results.store import AGAIN
from lab.stats import analysis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.results.quantity import Quantity
    from lab.stats.summary import Load, Summary

DIGITS = 5
"""Significant digits of a reading on the page; all of them are in results.csv."""
WORST = (*AGAIN, "unsupported", "ok")
"""Outcomes, the most alarming first: the state of a cell with samples of several is the first that it has."""


Key = tuple[str, str, str, str, str, str]


@dataclass(frozen=True)
class Entry:
    """One field: its text, its state, its place between the worst (0) and the best (1) of its matrix, its cell."""

    text: str
    state: str
    heat: float
    cell: int
    note: str = ""


@dataclass(frozen=True)
class Matrix:
    """One load: a row for each suite, a column for each series (vpn, variant, records)."""

    name: str
    measure: str
    title: str
    columns: Sequence[tuple[str, str, str]]
    rows: Sequence[tuple[str, Sequence[Entry | None]]]


@dataclass
class Cells:
    """Everything behind the fields, as the page embeds it."""

    metrics: list[tuple[str, str, str]] = field(default_factory=list)
    cells: list[dict[str, Any]] = field(default_factory=list)
    numbers: dict[Key, int] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As JSON: metrics by number, and cells with their samples."""
        return {"metrics": self.metrics, "cells": self.cells}


def build(run: Summary) -> tuple[list[Matrix], Cells]:
    """The matrices of a run, and what is behind their fields."""
    cells = _cells(run)
    outcomes = run.outcomes
    loads = dict.fromkeys(outcomes[["measure", "conditions"]].itertuples(index=False, name=None))
    return [_matrix(run, load, cells) for load in loads], cells


def _matrix(run: Summary, load: Load, cells: Cells) -> Matrix:
    part = run.under(load)
    figures: dict[Key, list[Any]] = {}
    for row in tables.each(part.mains):
        figures.setdefault(_key(row), []).append(row)
    states: dict[Key, list[Any]] = {}
    for row in tables.each(part.outcomes):
        states.setdefault(_key(row), []).append(row)
    columns = sorted({key[:3] for key in states}, key=lambda key: (key[0] != run.control, *map(tables.natural, key)))
    compared = [rows for key, rows in figures.items() if key[0] != run.control] or list(figures.values())
    scale = Scale(part.main, [row.median for rows in compared for row in rows if row.median > 0])
    best: dict[str, float] = {}
    for key, modes_of in figures.items():
        best[key[3]] = max(best.get(key[3], -math.inf), *(scale.rank(row.median) for row in modes_of))
    suites = sorted({key[3] for key in states}, key=lambda suite: (-best.get(suite, -math.inf), tables.natural(suite)))
    rows = []
    for suite in suites:
        keys: list[Key] = [(*column, suite, *load) for column in columns]
        entries = [_entry(figures.get(key, []), states.get(key, []), scale, cells.numbers.get(key, 0)) for key in keys]
        rows.append((suite, entries))
    unit = f": {main.metric.replace('_', ' ')}, {tables.of_clock(main.unit, run.clock)}" if (main := part.main) else ""
    return Matrix(" ".join(part for part in load if part), load[0], tables.named(load) + unit, columns, rows)


@dataclass(frozen=True)
class Scale:
    """The main figures of a load but the control's, to place one among them."""

    main: Quantity | None
    medians: Sequence[float]

    def rank(self, value: float) -> float:
        """The greater, the better."""
        return -self.main.rank(value) if self.main else value

    def heat(self, value: float) -> float:
        """Where a value lies between the worst (0) and the best (1), on a logarithmic scale."""
        if not self.medians or value <= 0 or min(self.medians) == max(self.medians):
            return 1.0
        part = math.log(value / min(self.medians)) / math.log(max(self.medians) / min(self.medians))
        part = min(max(part, 0), 1)  # a control may be better than the best
        return round(1 - part if self.rank(1) < 0 else part, 3)


def _entry(figures: Sequence[Any], ended: Sequence[Any], scale: Scale, number: int) -> Entry | None:
    if not ended:
        return None
    kinds = [row.outcome for row in ended]
    state = next(kind for kind in WORST if kind in kinds)
    others = [f"{row.n} {row.outcome}: {row.reason}" for row in ended if row.outcome != "ok"]
    if not figures:
        return Entry("–" if state == "unsupported" else state, state, 0.0, number)
    text = " | ".join(tables.figure(row.median) for row in figures)
    # A good median keeps its colour: that a sibling sample failed is said beside it.
    return Entry(text, "mixed" if others else "ok", scale.heat(figures[0].median), number, "; ".join(others))


def _cells(run: Summary) -> Cells:
    """Every cell with its samples, their readings in the order of the cell's metrics, their proofs and their logs."""
    cells = Cells()
    metric_numbers: dict[tuple[str, str, str], int] = {}
    samples: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in tables.each(run.rows.sort_values([*analysis.CELL, *analysis.SAMPLE[:3], "metric", "end"])):
        key = _key(row)
        number = cells.numbers.setdefault(key, len(cells.cells))
        if number == len(cells.cells):
            cells.cells.append({"key": key, "metrics": [], "samples": []})
        place = (key, row.run, row.block, row.position)
        if place not in samples:
            outcome = "" if row.outcome == "ok" else row.outcome  # the page takes it for granted, for brevity
            state = {"outcome": outcome, "reason": row.reason, "limit": row.bottleneck}
            samples[place] = {"block": row.block, **{name: text for name, text in state.items() if text}, "read": {}}
            cells.cells[number]["samples"].append(samples[place])
        if row.metric:
            index = metric_numbers.setdefault((row.metric, row.unit, row.end), len(metric_numbers))
            samples[place]["read"][index] = _rounded(row.value)
    cells.metrics = list(metric_numbers)
    for cell in cells.cells:
        cell["metrics"] = sorted({index for sample in cell["samples"] for index in sample["read"]})
        for sample in cell["samples"]:
            sample["read"] = [sample["read"].get(index) for index in cell["metrics"]] if sample["read"] else []
    for sample in run.samples:
        key = _key(SimpleNamespace(**sample))
        if shown := samples.get((key, sample["run"], sample["block"], sample["position"])):
            logs = {end: text for end, text in (sample.get("logs") or {}).items() if text}
            shown |= {name: entry for name, entry in (("proof", sample.get("proof")), ("logs", logs)) if entry}
    return cells


def _key(row: Any) -> Key:
    return row.vpn, row.variant, row.records, row.suite, row.measure, row.conditions


def _rounded(value: float) -> float | int | None:
    if math.isnan(value):
        return None
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() else short
