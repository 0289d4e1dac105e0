# SPDX-License-Identifier: MIT
"""Which cells are better, and which cannot be told apart: tiers, led by what a comparison of every pair shows.

On the wall clock two cells meet within blocks, and the verdict needs an interval and a corrected p. On the instruction
clock nothing drifts and nothing is noise: all of one cell must lie above all of the other.
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
"""How the bottleneck of a CPU-bound sample begins (`cpu:server`, `cpu:machine`)."""
SHARED = [column for column in WITHIN if column not in ("run", "block")]


def rankable(df: pd.DataFrame, metric: str = "throughput") -> pd.DataFrame:
    """For each measured cell: n, and why it cannot be ranked (empty if it can).

    Ranked are cells most of whose samples were CPU-bound: others measured the generator, the link or waiting.
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
    """Every two cells that can be ranked and share a measure and conditions.

    Columns: the shared ones, `a` and `b` (tuples: vpn, variant, records, suite), n blocks, the median ratio a / b, its
    interval, p (corrected within the comparison's family) and verdict: `tie`, `higher`, `lower`, `undecided`. On the
    instruction clock the interval is from the least to the greatest ratio of any two samples, there is no p, and the
    ratio is NaN where a cell has more than one mode; n is that of the cell with fewer samples.
    """
    cells = rankable(df, metric)
    good = cells.loc[cells["why"] == "", [*CELL, *METRIC]]
    rows = measured(df, metric).merge(good, on=[*CELL, *METRIC])
    found = []
    for key, group in rows.groupby(SHARED):
        shared = dict(zip(SHARED, key, strict=True))
        of_clock = _exact if shared["clock"] == modes.EXACT else _noisy
        found.append([shared | pair for pair in of_clock(group, margin)])
    columns = [*SHARED, "a", "b", "n", "ratio", "low", "high", "p", "verdict"]
    return pd.DataFrame([row for rows in found for row in rows], columns=columns)


def _noisy(group: pd.DataFrame, margin: float) -> list[dict[str, Any]]:
    """Pairs on the wall clock: by ratios within blocks."""
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
    """Pairs on the instruction clock: by the ranges of all their samples."""
    cells = {name: (rows["value"].to_numpy(), rows["mode"].max()) for name, rows in group.groupby(SERIES, sort=True)}
    pairs = list(combinations(cells, 2))
    low, high = inference.ranges([cells[a][0] for a, _ in pairs], [cells[b][0] for _, b in pairs])
    found = []
    for k, (a, b) in enumerate(pairs):
        (ours, ours_modes), (theirs, their_modes) = cells[a], cells[b]
        single = max(ours_modes, their_modes) == 1
        found.append(
            {
                "a": a, "b": b, "n": min(len(ours), len(theirs)),
                "ratio": float(np.median(ours) / np.median(theirs)) if single else float("nan"),
                "low": low[k], "high": high[k], "p": float("nan"),
                "verdict": inference.exact_verdict(low[k], high[k], margin),
            }
        )  # fmt: skip
    return found


def tiers(
    df: pd.DataFrame, metric: str = "throughput", margin: float = MARGIN, control: str | None = None
) -> pd.DataFrame:
    """The summary of each cell with its rank tier (1 is best) among those of the same measure and conditions.

    A tier is led by its best cell and holds those that follow until one is shown to be lower than the leader: within
    a tier nothing is known to be worse than its best. `tier` is 0 where a cell cannot be ranked, and `why` says why.
    A cell of several modes has a row for each, one after the other, and the place of its first.
    """
    summary = summarise(df, metric).merge(rankable(df, metric).drop(columns="n"), on=[*CELL, *METRIC])
    summary = summary[summary["vpn"] != control]
    pairs = pairwise(df[df["vpn"] != control], metric, margin)
    lower: dict[Hashable, set[tuple[Any, Any]]] = {}
    for row in pairs.to_dict("records"):
        worse = {"lower": (row["a"], row["b"]), "higher": (row["b"], row["a"])}.get(row["verdict"])
        if worse:
            lower.setdefault(tuple(row[column] for column in SHARED), set()).add(worse)
    parts = []
    for key, group in summary.groupby(SHARED):
        lead = group.drop_duplicates(SERIES).sort_values(["median", *SERIES], ascending=[False, True, True, True, True])
        ranked = lead[SERIES].assign(tier=_number(lead, lower.get(key, set())))
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
