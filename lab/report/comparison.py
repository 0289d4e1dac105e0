# SPDX-License-Identifier: MIT
"""Two runs, cell by cell: the figures, their ratio, and whether it says that something changed.

Only runs of one engine and one clock are compared, by Welch's test on logarithms: two runs share no blocks. Ratios to
the control in the same block would take the machine's state out of a comparison on the wall clock, but bring the
control's own noise in: in the run 20261123-021128-aad the standard deviation of a cell's logarithms falls from 0.17 to
0.15 for throughput, and grows from 0.16 to 0.54 for file transfers.
"""
# ruff: noqa: RUF001 - en dashes are what a reader of tables expects

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab.core.errors import LabError, UsageError
from lab.report import gate, tables
from lab.report.gate import LOST, ONLY_A, ONLY_B, USUAL
from lab.results.store import Store, kind_of, listed, runs
from lab.stats import differences, history
from lab.stats.analysis import (
    CELL,
    METRIC,
    among,
    clocked,
    margin_of,
    measured,
    one_clock,
    quantities,
    summarise,
    tidy,
    undisturbed,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence
    from pathlib import Path

METHOD: differences.Method = "holm"
"""One false finding among all rows would close a gate, whatever else differs."""
KEYS = [*CELL, *METRIC]
Clocked = tuple[str, str, str]
"""A run's name, its engine and its clock."""


def compare(
    a: pd.DataFrame,
    b: pd.DataFrame,
    margin: float | None = None,
    past: Sequence[pd.DataFrame] = (),
) -> pd.DataFrame:
    """Each figure of a cell that is `better` one way (`more` or `less`), in run `b` against run `a`.

    Figures of both, the ratio b / a of geometric means, and its interval.
    `p` is corrected for all rows (Holm). `verdict` is `tie`, `higher`, `lower` or `undecided`; then `blocks` is how
    many would decide. A difference that lies within `fence`, which the cell's changes over the runs of the `past` give
    (`lab.stats.history`, in the order of time), is `usual`. What one run lacks is `only in A`, `only in B`, or `lost`
    if `b` tried to measure it. `modes_a` and `modes_b` are pairs of median and n, one for each mode; a cell of several
    modes has no median, and its ratio is that of the means over all its samples. `margin` is by default the clock's.

    Raises:
        LabError: the runs' engines or clocks differ.
    """
    left = one_clock(a)
    for other in (b, *past):
        if left != (right := one_clock(other)):
            raise refusal(("the one", *left), ("the other", *right))
    margin = margin or margin_of(left[1])
    better = directions(a) | directions(b)
    tried, measured_b = ({*rows[CELL].itertuples(index=False, name=None)} for rows in (tidy(b), chosen_rows(b, better)))
    lost = tried - measured_b
    a, b = (undisturbed(chosen_rows(df, better)) for df in (a, b))
    both = _cells(a).merge(_cells(b), on=KEYS, how="outer", suffixes=("_a", "_b"))
    both[["n_a", "n_b"]] = both[["n_a", "n_b"]].fillna(0).astype(int)
    for side in ("modes_a", "modes_b"):
        both[side] = [found if isinstance(found, tuple) else () for found in both[side]]
    cells = list(both[KEYS].itertuples(index=False, name=None))
    found = differences.welch(_logs(b, cells), _logs(a, cells))
    p, verdicts = differences.judge(found, margin, METHOD)
    fences = np.array(history.fences([levels(undisturbed(chosen_rows(df, better))) for df in past], cells), float)
    shown = np.isin(verdicts, (differences.HIGHER, differences.LOWER))
    verdicts[shown & (np.abs(found.gap) <= np.log(fences))] = USUAL
    for row, cell in enumerate(cells):
        if both.at[row, "n_a"] == 0:
            verdicts[row] = ONLY_B
        elif both.at[row, "n_b"] == 0:
            verdicts[row] = LOST if cell[: len(CELL)] in lost else ONLY_A
    low, high = found.interval
    blocks = differences.blocks_to_decide(found, p, verdicts, margin, METHOD)
    both = both.assign(ratio=found.ratio, low=low, high=high, p=p, fence=fences, blocks=blocks, verdict=verdicts)
    both["better"] = [better[key] for key in zip(both["measure"], both["metric"], strict=True)]
    figures = [f"{name}_{side}" for side in ("a", "b") for name in ("n", "median", "modes")]
    return both[[*KEYS, "better", *figures, "ratio", "low", "high", "p", "fence", "blocks", "verdict"]]


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
    """Refuse runs of different kinds, engines or clocks, or whose conditions only have a name in common.

    Nothing is read before.

    Raises:
        UsageError: one is of another command: they have no cell in common. Or a condition is another one in each.
        LabError: names both, and the runs beside them that can be compared with either.
    """
    kind, other = kind_of(meta_a), kind_of(meta_b)
    if kind != other:
        said = f"{a.name} is one of `lab {kind}`, {b.name} one of `lab {other}`"
        alike = ", ".join(each.folder.name for each in runs(a.parent, kind) if each.folder != a) or "none"
        raise UsageError(f"these runs cannot be compared: {said}", f"other runs of `lab {kind}`: {alike}")
    left, right = clock_of(a.name, meta_a), clock_of(b.name, meta_b)
    if left[1:] == right[1:]:
        if others := differing(meta_a, meta_b):
            condition, value, its, another = others[0]
            said = f"{condition} {value} is another one in each: in {a.name} {its}; in {b.name} {another}"
            raise UsageError(f"these runs cannot be compared: {said}", "give one of the two another name, and measure")
        return
    error = refusal(left, right, [clock_of(each.folder.name, each.meta()) for each in runs(a.parent, kind)])
    error.hint = "\n".join([error.hint, *listed(a.parent)[1]])
    raise error


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """The conditions of one name that stand for different things in two runs: name, value, and what it is in each."""
    told, other = a.get("conditions", {}), b.get("conditions", {})
    return [
        (name, value, said, other[name][value])
        for name in told.keys() & other.keys()
        for value, said in told[name].items()
        if other[name].get(value, said) != said
    ]


def directions(df: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Which way each figure that runs are compared by is better, by measure and metric."""
    return {
        (measure, each.metric): each.better for measure, its in quantities(df).items() for each in its if each.better
    }


def chosen_rows(df: pd.DataFrame, better: Mapping[tuple[str, str], str]) -> pd.DataFrame:
    """The rows that are compared: at the whole machine alone, if it was read there.

    An end's own processes hold nothing of what the kernel does for a VPN.
    """
    rows = measured(df, sorted({metric for _, metric in better}))
    rows = among(rows, ["measure", "metric"], better)
    whole = rows["end"] == "machine"
    return rows[whole | ~whole.groupby([rows["measure"], rows["metric"]]).transform("any")]


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


def _logs(df: pd.DataFrame, cells: Sequence[Hashable]) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    """The logarithms of each cell's samples; none of a cell that read nothing in one of them, or is not there."""
    groups: dict[Hashable, Any] = {key: group.to_numpy(float) for key, group in df.groupby(KEYS)["value"]}
    values = [groups.get(cell, np.array([])) for cell in cells]
    return [np.log(each) if (each > 0).all() else np.array([]) for each in values]


def levels(df: pd.DataFrame) -> dict[Hashable, float]:
    """The geometric mean of each cell of a run."""
    cells = list(dict.fromkeys(df[KEYS].itertuples(index=False, name=None)))
    return {cell: float(np.exp(logs.mean())) for cell, logs in zip(cells, _logs(df, cells), strict=True) if len(logs)}


COLUMNS = ("B / A", tables.INTERVAL, "blocks", "verdict")


def table(compared: pd.DataFrame, names: tuple[str, str], margin: float | None = None) -> tables.Table:
    """The result of `compare`, one row a cell and metric."""
    engine, clock = one_clock(compared) if len(compared) else ("", "")
    lines = []
    for row in tables.each(compared):
        values = [row.vpn, row.variant, row.suite, f"{row.measure} {row.conditions}".strip()]
        values += [f"{row.metric}, {tables.of_clock(row.unit, clock)} ({row.end})"]
        values += [_figures(row.modes_a), _figures(row.modes_b), tables.figure(row.ratio)]
        values += ["–" if pd.isna(row.low) else f"{tables.figure(row.low)}–{tables.figure(row.high)}"]
        values += ["" if pd.isna(row.blocks) else f"{row.blocks:.0f}", row.verdict]
        lines.append([tables.Cell(str(value)) for value in values])
    columns = ["vpn", "variant", "suite", "measure", "metric", f"A: {names[0]}", f"B: {names[1]}", *COLUMNS]
    where = clocked(engine, clock) if engine else ""
    return tables.Table(
        "comparison", "Two runs, cell by cell", columns, lines, 5, notes(compared, margin, clock), where
    )


def notes(compared: pd.DataFrame, margin: float | None, clock: str) -> list[str]:
    """How to read a comparison."""
    found = set(compared["verdict"])
    within = f"{(margin or margin_of(clock)) * 100:g} %"
    said = [f"B / A: of geometric means, {tables.INTERVAL} by Welch's test; tie: it lies within {within}"]
    said.append("higher, lower: p under 5 %, corrected for all rows (Holm)")
    if clock == "wall":
        said.append("samples that were taken beside programs of others (bottleneck foreign) are left out")
    if any(len(each) > 1 for side in ("modes_a", "modes_b") for each in compared[side]):
        said.append("a cell of several modes is compared by the mean of its samples: the modes are in its spread")
    if compared["blocks"].notna().any():
        said.append("blocks: how many in each run would decide what is undecided, if spread and ratio stay as they are")
    if USUAL in found:
        said.append("usual: it differs, but by no more than its past runs did from one to the next (Q3 + 3 IQR)")
    if LOST in found:
        said.append("lost: A measured it; B tried to, and has no sample that counts")
    return said


def _figures(found: Sequence[tuple[float, int]]) -> str:
    if len(found) == 1:
        return f"{tables.figure(found[0][0])} n{found[0][1]}"
    return tables.several([tables.figure(median) for median, _ in found], [n for _, n in found]) or "–"


def data(
    a: tuple[str, pd.DataFrame],
    b: tuple[str, pd.DataFrame],
    margin: float | None = None,
    past: Sequence[pd.DataFrame] = (),
) -> dict[str, Any]:
    """The comparison of two runs (name and frame) as plain data: what is not there is None.

    Raises:
        LabError: the runs' engines or clocks differ.
    """
    (left, frame), (right, other) = a, b
    return plain(compare(frame, other, margin, past), (left, right), one_clock(frame), margin, len(past))


def plain(
    compared: pd.DataFrame, names: tuple[str, str], where: tuple[str, str], margin: float | None, past: int
) -> dict[str, Any]:
    """The result of `compare` as plain data, with the result of the gate. `where`: engine and clock."""
    rows = tables.plain(compared.drop(columns=["modes_a", "modes_b"]))
    margin = margin or margin_of(where[1])
    gated = gate.judge(compared, margin)
    for row, outcome, ours, theirs in zip(rows, gated.outcomes, compared["modes_a"], compared["modes_b"], strict=True):
        for name, found in (("modes_a", ours), ("modes_b", theirs)):
            row[name] = [{"median": median, "n": n} for median, n in found]
        row["gate"] = outcome
    about = {"a": names[0], "b": names[1], "engine": where[0], "clock": where[1], "margin": margin, "past": past}
    return {**about, "gate": gated.plain(), "cells": rows}


def comparison_data(
    a: Store, b: Store, margin: float | None = None, past: Sequence[pd.DataFrame] = ()
) -> dict[str, Any]:
    """Run `b` against run `a` as plain data, for a program.

    Raises:
        LabError: their engines or clocks differ; says what can be compared.
    """
    check(a.folder, b.folder, a.meta(), b.meta())
    return data((a.folder.name, a.frame()), (b.folder.name, b.frame()), margin, past)


def origin(name: str, meta: Mapping[str, Any]) -> str:
    """A run's name, engine, clock, kernel and processor in one line: two kernels may be what a comparison is about."""
    engine, machine = meta.get("engine", {}), meta.get("machine", {})
    clock = f"{engine.get('name')} engine, {engine.get('clock')} clock" if engine else ""
    under = (engine.get("guest") or {}).get("accelerator", "")
    told = (name, clock, under, machine.get("kernel", ""), machine.get("cpu", ""))
    return ", ".join(text for text in told if text)
