# SPDX-License-Identifier: MIT
"""Rank cells in tiers, by a comparison of every pair. Cells that cannot be told apart share a tier.

On the wall clock two cells are compared within blocks, by the ratios there. On the instruction clock blocks have
nothing in common, and the samples of two cells are compared as two groups. A cell of several modes is compared by the
mean of its tunnels: the modes make its spread wide, so it takes more blocks to decide.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab.stats import differences, modes
from lab.stats.analysis import (
    CELL,
    FOREIGN,
    METRIC,
    SERIES,
    WITHIN,
    margin_of,
    measured,
    of_main,
    quantities,
    summarise,
    undisturbed,
)

if TYPE_CHECKING:
    from collections.abc import Hashable

    from lab.stats.differences import Differences

CPU_BOUND = "cpu"
"""The prefix of the bottleneck of a CPU-bound sample (`cpu:server`, `cpu:machine`)."""
METHOD: differences.Method = "bh"
"""Of thousands of pairs. Among equal cells it finds a difference in at most 5 % of runs."""
SHARED = [column for column in WITHIN if column not in ("run", "block")]


def _mains(df: pd.DataFrame) -> pd.DataFrame:
    return of_main(measured(df), quantities(df))


def rankable(df: pd.DataFrame) -> pd.DataFrame:
    """For each cell with a main figure: n, and why it cannot be ranked (empty if it can).

    A cell is ranked if most of its samples were CPU-bound. Others measured the generator, the link or waiting. Those
    that others disturbed do not count, and are not compared. Of samples without a CPU ledger the limit is not known.
    """
    rows = _mains(df)
    limit = rows["bottleneck"]
    rows = rows.assign(
        bound=limit.str.startswith(CPU_BOUND), foreign=limit == FOREIGN, known=limit != "", empty=rows["value"] <= 0
    )
    cells = rows.groupby([*CELL, *METRIC], sort=True).agg(
        n=("value", "size"), **{name: (name, "sum") for name in ("bound", "foreign", "known", "empty")}
    )
    verdicts = []
    for n, bound, foreign, known, empty in cells.itertuples(index=False, name=None):
        disturbed = f", {foreign} beside programs of others" if foreign else ""
        slack = f"CPU-bound in {bound} of {n} samples{disturbed}" if known and 2 * bound <= n - foreign else ""
        verdicts.append(f"{empty} of {n} samples read nothing" if empty else slack)
    return cells[["n"]].assign(why=verdicts).reset_index()


def pairwise(df: pd.DataFrame, margin: float | None = None, looks: int = 1) -> pd.DataFrame:
    """The comparison of every two rankable cells with the same measure and conditions: `every_two`, by main figures."""
    cells = rankable(df)
    ranked_cells = cells.loc[cells["why"] == "", [*CELL, *METRIC]]
    return every_two(_mains(df).merge(ranked_cells, on=[*CELL, *METRIC]), margin, looks)


def every_two(rows: pd.DataFrame, margin: float | None = None, looks: int = 1) -> pd.DataFrame:
    """The comparison of every two cells of the same measure, conditions and metric, by these measured `rows`.

    Columns: the shared ones, `a` and `b` (tuples: vpn, variant, records, suite), n blocks, the ratio a / b of geometric
    means, its 95 % interval, p (corrected within the comparison's family) and verdict: `tie`, `higher`, `lower`,
    `undecided`; `blocks` is how many would decide what is undecided (`differences.Differences.blocks_needed`), NaN if
    not known. n is that of the cell with fewer samples. `margin` is by default that of the clock. If a run is one of
    several `looks` at growing samples, each has its share of the 5 % (`lab.results.looks`).
    """
    rows, alpha = undisturbed(rows), differences.ALPHA / looks
    pair_rows: list[dict[str, Any]] = []
    for key, group in rows.groupby(SHARED):
        shared = dict(zip(SHARED, key, strict=True))
        exact = shared["clock"] == modes.EXACT
        pairs, found = _unpaired(group) if exact else _within_blocks(group)
        pair_rows += [shared | pair for pair in _judged(pairs, found, margin or margin_of(str(shared["clock"])), alpha)]
    columns = [*SHARED, "a", "b", "n", "ratio", "low", "high", "p", "verdict", "blocks"]
    return pd.DataFrame(pair_rows, columns=columns)


Pair = tuple[Any, Any]
"""The names of two cells."""


def _within_blocks(group: pd.DataFrame) -> tuple[list[Pair], Differences]:
    """Pairs on the wall clock, by ratios within blocks: the drift of the machine is in both."""
    table = group.pivot_table(index=["run", "block"], columns=SERIES, values="value", aggfunc="median")
    logs = np.log(table.to_numpy(float))
    pairs = list(combinations(range(logs.shape[1]), 2))
    gaps = [logs[:, i] - logs[:, j] for i, j in pairs]
    names = list(table.columns)
    return [(names[i], names[j]) for i, j in pairs], differences.paired([gap[~np.isnan(gap)] for gap in gaps])


def _unpaired(group: pd.DataFrame) -> tuple[list[Pair], Differences]:
    """Pairs on the instruction clock, whose blocks share no drift: to pair them would halve the degrees of freedom."""
    cells = {name: np.log(rows["value"].to_numpy()) for name, rows in group.groupby(SERIES, sort=True)}
    places = list(combinations(range(len(cells)), 2))
    return list(combinations(cells, 2)), differences.every_two(list(cells.values()), places)


def _judged(pairs: list[Pair], found: Differences, margin: float, alpha: float) -> list[dict[str, Any]]:
    p, verdicts = differences.judge(found, margin, METHOD, alpha)
    blocks = differences.blocks_to_decide(found, p, verdicts, margin, METHOD, alpha)
    low, high = found.interval
    figures = {
        "n": found.n.astype(int), "ratio": found.ratio, "low": low, "high": high, "p": p, "verdict": verdicts,
        "blocks": blocks,
    }  # fmt: skip
    lists = {name: values.tolist() for name, values in figures.items()}
    return [
        {"a": a, "b": b, **dict(zip(lists, row, strict=True))}
        for (a, b), *row in zip(pairs, *lists.values(), strict=True)
    ]


def tiers(
    df: pd.DataFrame,
    margin: float | None = None,
    control: str | None = None,
    pairs: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The summary of each cell, with its tier (1 is best) among cells of the same measure and conditions.

    The best cell leads a tier. The next tier starts at the first cell that is shown to be worse than the leader. So no
    cell is known to be worse than the best of its tier. `tier` is 0 if a cell cannot be ranked; `why` says why. A cell
    of several modes has one row for each, together, at the place of its first. `pairs`: the result of `pairwise` for
    all but the control, if it is known already.
    """
    mains = {measure: its[0] for measure, its in quantities(df).items()}
    summary = summarise(_mains(df)).merge(rankable(df).drop(columns="n"), on=[*CELL, *METRIC])
    summary = summary[summary["vpn"] != control]
    pairs = pairwise(df[df["vpn"] != control], margin) if pairs is None else pairs
    worse: dict[Hashable, set[tuple[Any, Any]]] = {}
    for shared, group in pairs[pairs["verdict"].isin(["lower", "higher"])].groupby(SHARED):
        bad = "higher" if mains[group["measure"].iloc[0]].better == "less" else "lower"
        rows = zip(group["a"], group["b"], group["verdict"], strict=True)
        worse[shared] = {(a, b) if verdict == bad else (b, a) for a, b, verdict in rows}
    parts = []
    for key, group in summary.groupby(SHARED):
        rank = mains[group["measure"].iloc[0]].rank
        first_modes = group.drop_duplicates(SERIES)
        first_modes = first_modes.assign(rank=first_modes["median"].map(rank)).sort_values(["rank", *SERIES])
        ranked = first_modes[SERIES].assign(tier=_number(first_modes, worse.get(key, set())))
        parts.append(ranked.merge(group, on=SERIES)[[*summary.columns, "tier"]])
    if not parts:
        return summary.assign(tier=0)
    return pd.concat(parts, ignore_index=True)


def _number(ranked: pd.DataFrame, worse: set[tuple[Any, Any]]) -> list[int]:
    numbers, tier, leader = [], 0, None
    for *name, why in ranked[[*SERIES, "why"]].itertuples(index=False, name=None):
        if why:
            numbers.append(0)
            continue
        if leader is None or (tuple(name), leader) in worse:
            tier, leader = tier + 1, tuple(name)
        numbers.append(tier)
    return numbers
