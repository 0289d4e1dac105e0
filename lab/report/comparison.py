# SPDX-License-Identifier: MIT
"""Two runs, cell by cell: the figures, their ratio, and whether it says that something changed.

Only runs of one engine and one clock are compared. On the wall clock the ratio has a bootstrap interval and a corrected
p; on the instruction clock all samples of one run must lie above all of the other.
"""
# ruff: noqa: RUF001 - en dashes are what a reader of tables expects

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab.core.errors import LabError, UsageError
from lab.report import tables
from lab.results.store import Store, kind_of, listed, runs
from lab.stats import inference, modes
from lab.stats.analysis import CELL, MARGIN, METRIC, clocked, measured, one_clock, summarise

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence
    from pathlib import Path

HEADLINE = ("throughput", "duration", "cost", "rtt_p50", "handshake", "instructions_per_packet", "speed")
"""One metric or two of each measure: what two runs are compared by."""
OF_MACHINE = ("cost", "instructions_per_packet")
"""Compared at the whole machine alone: an end's own processes hold nothing of what the kernel does for a VPN."""
KEYS = [*CELL, *METRIC]
Clocked = tuple[str, str, str]
"""A run's name, its engine and its clock."""


def compare(
    a: pd.DataFrame, b: pd.DataFrame, margin: float = MARGIN, metrics: Sequence[str] = HEADLINE
) -> pd.DataFrame:
    """Each cell's `metrics` in run `b` against run `a`: figures, the ratio b / a of medians, its interval, verdict.

    `modes_a` and `modes_b` are pairs of median and n, one for each mode; a cell of several modes has no median and no
    ratio.

    Raises:
        LabError: the runs' engines or clocks differ.
    """
    left, right = one_clock(a), one_clock(b)
    if left != right:
        raise refusal(("the one", *left), ("the other", *right))
    a, b = (_chosen(df, metrics) for df in (a, b))
    both = _cells(a).merge(_cells(b), on=KEYS, how="outer", suffixes=("_a", "_b"))
    both[["n_a", "n_b"]] = both[["n_a", "n_b"]].fillna(0).astype(int)
    for side in ("modes_a", "modes_b"):
        both[side] = [found if isinstance(found, tuple) else () for found in both[side]]
    cells = list(both[KEYS].itertuples(index=False, name=None))
    ours, theirs = _values(a, cells), _values(b, cells)
    positive = [min(len(x), len(y)) > 0 and min(*x, *y) > 0 for x, y in zip(ours, theirs, strict=True)]
    ours = [x if good else [] for x, good in zip(ours, positive, strict=True)]
    theirs = [y if good else [] for y, good in zip(theirs, positive, strict=True)]
    judged = _exact if left[1] == modes.EXACT else _noisy
    low, high, p, found = judged(ours, theirs, margin)
    only = np.select([both["n_a"] == 0, both["n_b"] == 0], ["only in B", "only in A"], default="")
    ratio = (both["median_b"] / both["median_a"]).where(pd.Series(positive, index=both.index, dtype=bool))
    both = both.assign(ratio=ratio, low=low, high=high, p=p)
    both["verdict"] = [missing or each for missing, each in zip(only, found, strict=True)]
    figures = [f"{name}_{side}" for side in ("a", "b") for name in ("n", "median", "modes")]
    return both[[*KEYS, *figures, "ratio", "low", "high", "p", "verdict"]]


def refusal(a: Clocked, b: Clocked, others: Iterable[Clocked] = ()) -> LabError:
    """The error of two runs that have no common clock, with what each can be compared with among `others`."""
    partners = []
    for name, *pair in (a, b):
        alike = [other for other, *its in others if its == pair and other != name]
        partners.append(f"with {name}: {', '.join(alike) or 'no other run there'}")
    said = " and ".join(f"{name} ({clocked(*pair)})" for name, *pair in (a, b))
    return LabError(
        f"these runs cannot be compared: {said}: seconds of different clocks are different things",
        "compare runs of one engine and one clock" + (f"; {'; '.join(partners)}" if others else ""),
    )


def clock_of(name: str, meta: Mapping[str, Any]) -> Clocked:
    """A run's engine and clock, as its meta.json says."""
    engine = meta.get("engine", {})
    return name, str(engine.get("name", "")), str(engine.get("clock", ""))


def check(a: Path, b: Path, meta_a: Mapping[str, Any], meta_b: Mapping[str, Any]) -> None:
    """Refuse runs of different kinds, engines or clocks, before anything is read.

    Raises:
        UsageError: one is of another command: they have no cell in common.
        LabError: names both, and the runs beside them that can be compared with either.
    """
    kind, other = kind_of(meta_a), kind_of(meta_b)
    if kind != other:
        said = f"{a.name} is one of `lab {kind}`, {b.name} one of `lab {other}`"
        alike = ", ".join(each.folder.name for each in runs(a.parent, kind) if each.folder != a) or "none"
        raise UsageError(f"these runs cannot be compared: {said}", f"other runs of `lab {kind}`: {alike}")
    left, right = clock_of(a.name, meta_a), clock_of(b.name, meta_b)
    if left[1:] == right[1:]:
        return
    error = refusal(left, right, [clock_of(each.folder.name, each.meta()) for each in runs(a.parent, kind)])
    error.hint = "\n".join([error.hint, *listed(a.parent)[1]])
    raise error


def _chosen(df: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    rows = measured(df, metrics)
    return rows[~rows["metric"].isin(OF_MACHINE) | (rows["end"] == "machine")]


def _cells(df: pd.DataFrame) -> pd.DataFrame:
    """One row a cell and metric: n, and the modes as pairs of median and n; a median where there is one mode."""
    found: dict[Hashable, list[tuple[float, int]]] = {}
    summary = summarise(df)
    figures = zip(summary["median"], summary["n"], strict=True)
    for key, (median, n) in zip(summary[KEYS].itertuples(index=False, name=None), figures, strict=True):
        found.setdefault(key, []).append((float(median), int(n)))
    rows = [
        (*key, sum(n for _, n in each), each[0][0] if len(each) == 1 else float("nan"), tuple(each))  # type: ignore[misc]
        for key, each in found.items()
    ]
    return pd.DataFrame(rows, columns=[*KEYS, "n", "median", "modes"])


def _values(df: pd.DataFrame, cells: Sequence[Hashable]) -> list[list[float]]:
    ordered = df.sort_values(["run", "block", "position"])
    groups: dict[Hashable, list[float]] = {key: group.tolist() for key, group in ordered.groupby(KEYS)["value"]}
    return [groups.get(cell, []) for cell in cells]


def _noisy(ours: list[list[float]], theirs: list[list[float]], margin: float) -> tuple[Any, Any, Any, list[str]]:
    low, high = inference.ratio_intervals(theirs, ours)
    p = inference.correct(inference.p_unpaired([np.log(x) for x in ours], [np.log(y) for y in theirs]))
    return low, high, p, [inference.verdict(*row, margin) for row in zip(low, high, p, strict=True)]


def _exact(ours: list[list[float]], theirs: list[list[float]], margin: float) -> tuple[Any, Any, Any, list[str]]:
    low, high = inference.ranges(theirs, ours)
    verdicts = [inference.exact_verdict(*row, margin) for row in zip(low, high, strict=True)]
    return low, high, np.full(len(low), np.nan), verdicts


def table(compared: pd.DataFrame, names: tuple[str, str], margin: float = MARGIN) -> tables.Table:
    """The result of `compare`, one row a cell and metric."""
    engine, clock = one_clock(compared) if len(compared) else ("", "")
    lines = []
    for row in tables.each(compared):
        values = [row.vpn, row.variant, row.suite, f"{row.measure} {row.conditions}".strip()]
        values += [f"{row.metric}, {tables.of_clock(row.unit, clock)} ({row.end})"]
        values += [_figures(row.modes_a), _figures(row.modes_b), tables.figure(row.ratio)]
        values += ["–" if pd.isna(row.low) else f"{tables.figure(row.low)}–{tables.figure(row.high)}", row.verdict]
        lines.append([tables.Cell(str(value)) for value in values])
    columns = ["vpn", "variant", "suite", "measure", "metric", f"A: {names[0]}", f"B: {names[1]}", "B / A"]
    columns += [tables.spread_name(clock), "verdict"]
    said = f"tie: the interval lies within {margin * 100:g} %; p corrected for all rows (Benjamini-Hochberg)"
    if clock == modes.EXACT:
        said = (
            f"tie: every ratio of two samples lies within {margin * 100:g} %; higher, lower: all of one run lie above "
            "all of the other. Nothing is tested: what differs is the perturbation, not noise"
        )
    where = clocked(engine, clock) if engine else ""
    return tables.Table("comparison", "Two runs, cell by cell", columns, lines, 5, [said], where)


def _figures(found: Sequence[tuple[float, int]]) -> str:
    if len(found) == 1:
        return f"{tables.figure(found[0][0])} n{found[0][1]}"
    return tables.several([tables.figure(median) for median, _ in found], [n for _, n in found]) or "–"


def data(a: tuple[str, pd.DataFrame], b: tuple[str, pd.DataFrame], margin: float = MARGIN) -> dict[str, Any]:
    """The comparison of two runs (name and frame) as plain data: what is not there is None.

    Raises:
        LabError: the runs' engines or clocks differ.
    """
    (left, frame), (right, other) = a, b
    compared = compare(frame, other, margin)
    engine, clock = one_clock(frame)
    rows = tables.plain(compared.drop(columns=["modes_a", "modes_b"]))
    for row, ours, theirs in zip(rows, compared["modes_a"], compared["modes_b"], strict=True):
        for name, found in (("modes_a", ours), ("modes_b", theirs)):
            row[name] = [{"median": median, "n": n} for median, n in found]
    return {"a": left, "b": right, "engine": engine, "clock": clock, "margin": margin, "cells": rows}


def comparison_data(a: Store, b: Store, margin: float) -> dict[str, Any]:
    """Run `b` against run `a` as plain data, for a program.

    Raises:
        LabError: their engines or clocks differ; says what can be compared.
    """
    check(a.folder, b.folder, a.meta(), b.meta())
    return data((a.folder.name, a.frame()), (b.folder.name, b.frame()), margin)


def origin(name: str, meta: Mapping[str, Any]) -> str:
    """A run's name, engine, clock, kernel and processor in one line: two kernels may be what a comparison is about."""
    engine, machine = meta.get("engine", {}), meta.get("machine", {})
    clock = f"{engine.get('name')} engine, {engine.get('clock')} clock" if engine else ""
    under = (engine.get("guest") or {}).get("accelerator", "")
    told = (name, clock, under, machine.get("kernel", ""), machine.get("cpu", ""))
    return ", ".join(text for text in told if text)
