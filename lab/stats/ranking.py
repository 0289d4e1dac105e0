# SPDX-License-Identifier: MIT
"""Rank cells in tiers, by a comparison of every pair. Cells that cannot be told apart share a tier.

On the wall clock two cells are compared within blocks, and the verdict needs an interval and a corrected p. The
instruction clock has no drift and no noise: all samples of one cell must be above all of the other.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab.stats import inference, modes
from lab.stats.analysis import CELL, MARGIN, METRIC, SERIES, WITHIN, measured, summarise

if TYPE_CHECKING:
    from collections.abc import Hashable

CPU_BOUND = "cpu"
"""The prefix of the bottleneck of a CPU-bound sample (`cpu:server`, `cpu:machine`)."""
SHARED = [column for column in WITHIN if column not in ("run", "block")]


def rankable(df: pd.DataFrame, metric: str = "throughput") -> pd.DataFrame:
    """For each measured cell: n, and why it cannot be ranked (empty if it can).

    A cell is ranked if most of its samples were CPU-bound. Others measured the generator, the link or waiting.
    """
    rows = measured(df, metric)
    rows = rows.assign(bound=rows["bottleneck"].str.startswith(CPU_BOUND), empty=rows["value"] <= 0)
    cells = rows.groupby([*CELL, *METRIC], sort=True).agg(
        n=("value", "size"), bound=("bound", "sum"), empty=("empty", "sum")
    )
    verdicts = []
    for n, bound, empty in cells.itertuples(index=False, name=None):
        slack = "" if 2 * bound > n else f"CPU-bound in {bound} of {n} samples"
        verdicts.append(f"{empty} of {n} samples read nothing" if empty else slack)
    return cells.assign(why=verdicts).drop(columns=["bound", "empty"]).reset_index()


def pairwise(df: pd.DataFrame, metric: str = "throughput", margin: float = MARGIN) -> pd.DataFrame:
    """The comparison of every two rankable cells of the same measure and conditions.

    Columns: the shared ones, `a` and `b` (tuples: vpn, variant, records, suite), n blocks, the median ratio a / b, its
    interval, p (corrected within the comparison's family) and verdict: `tie`, `higher`, `lower`, `undecided`. On the
    instruction clock the interval is from the least to the greatest ratio of any two samples. There is no p. The ratio
    is NaN if a cell has more than one mode. n is that of the cell with fewer samples.
    """
    cells = rankable(df, metric)
    ranked_cells = cells.loc[cells["why"] == "", [*CELL, *METRIC]]
    rows = measured(df, metric).merge(ranked_cells, on=[*CELL, *METRIC])
    pair_lists = []
    for key, group in rows.groupby(SHARED):
        shared = dict(zip(SHARED, key, strict=True))
        of_clock = _exact if shared["clock"] == modes.EXACT else _noisy
        pair_lists.append([shared | pair for pair in of_clock(group, margin)])
    columns = [*SHARED, "a", "b", "n", "ratio", "low", "high", "p", "verdict"]
    return pd.DataFrame([row for rows in pair_lists for row in rows], columns=columns)


def _noisy(group: pd.DataFrame, margin: float) -> list[dict[str, Any]]:
    """Pairs on the wall clock, by ratios within blocks."""
    table = group.pivot_table(index=["run", "block"], columns=SERIES, values="value", aggfunc="median")
    logs, names = np.log(table.to_numpy(float)), list(table.columns)
    pairs = list(combinations(range(len(names)), 2))
    gaps = [logs[:, i] - logs[:, j] for i, j in pairs]
    gaps = [gap[~np.isnan(gap)] for gap in gaps]
    ratios = [np.exp(gap) for gap in gaps]
    low, high = inference.median_intervals(ratios)
    p = inference.correct(inference.p_paired(gaps))
    return [
        {
            "a": names[i], "b": names[j], "n": len(ratios[k]),
            "ratio": float(np.median(ratios[k])) if len(ratios[k]) else float("nan"),
            "low": low[k], "high": high[k], "p": p[k], "verdict": inference.verdict(low[k], high[k], p[k], margin),
        }
        for k, (i, j) in enumerate(pairs)
    ]  # fmt: skip


def _exact(group: pd.DataFrame, margin: float) -> list[dict[str, Any]]:
    """Pairs on the instruction clock, by the ranges of all their samples."""
    cells = {name: rows["value"].tolist() for name, rows in group.groupby(SERIES, sort=True)}
    modes_of = group.groupby(SERIES)["mode"].max().to_dict()
    medians = {name: float(np.median(values)) for name, values in cells.items()}
    pairs = list(combinations(cells, 2))
    low, high = inference.ranges([cells[a] for a, _ in pairs], [cells[b] for _, b in pairs])
    pair_rows = []
    for k, (a, b) in enumerate(pairs):
        single = modes_of[a] == modes_of[b] == 1
        pair_rows.append(
            {
                "a": a, "b": b, "n": min(len(cells[a]), len(cells[b])),
                "ratio": medians[a] / medians[b] if single else float("nan"),
                "low": low[k], "high": high[k], "p": float("nan"),
                "verdict": inference.exact_verdict(low[k], high[k], margin),
            }
        )  # fmt: skip
    return pair_rows


def tiers(
    df: pd.DataFrame,
    metric: str = "throughput",
    margin: float = MARGIN,
    control: str | None = None,
    pairs: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The summary of each cell, with its tier (1 is best) among cells of the same measure and conditions.

    The best cell leads a tier. The next tier starts at the first cell that is shown to be lower than the leader. So no
    cell is known to be worse than the best of its tier. `tier` is 0 if a cell cannot be ranked; `why` says why. A cell
    of several modes has one row for each, together, at the place of its first. `pairs`: the result of `pairwise` for
    all but the control, if it is known already.
    """
    summary = summarise(df, metric).merge(rankable(df, metric).drop(columns="n"), on=[*CELL, *METRIC])
    summary = summary[summary["vpn"] != control]
    pairs = pairwise(df[df["vpn"] != control], metric, margin) if pairs is None else pairs
    lower: dict[Hashable, set[tuple[Any, Any]]] = {}
    for shared, group in pairs[pairs["verdict"].isin(["lower", "higher"])].groupby(SHARED):
        rows = zip(group["a"], group["b"], group["verdict"], strict=True)
        lower[shared] = {(a, b) if verdict == "lower" else (b, a) for a, b, verdict in rows}
    parts = []
    for key, group in summary.groupby(SHARED):
        first_modes = group.drop_duplicates(SERIES).sort_values(
            ["median", *SERIES], ascending=[False, True, True, True, True]
        )
        ranked = first_modes[SERIES].assign(tier=_number(first_modes, lower.get(key, set())))
        parts.append(ranked.merge(group, on=SERIES)[[*summary.columns, "tier"]])
    if not parts:
        return summary.assign(tier=0)
    return pd.concat(parts, ignore_index=True)


def _number(ranked: pd.DataFrame, lower: set[tuple[Any, Any]]) -> list[int]:
    numbers, tier, leader = [], 0, None
    for *name, why in ranked[[*SERIES, "why"]].itertuples(index=False, name=None):
        if why:
            numbers.append(0)
            continue
        if leader is None or (tuple(name), leader) in lower:
            tier, leader = tier + 1, tuple(name)
        numbers.append(tier)
    return numbers
