# SPDX-License-Identifier: MIT
"""Modes: a cell on the instruction clock repeats exactly, but may repeat one figure or another.

How TCP, wake-ups and daemons interleave is chaotic: without any noise, one cell gave 117.8 and 115.4 Mbit/s and, with
nothing but addresses changed, 161.8 and 162.9, while every other cell came back within 3 %. An average of those four
is a throughput that was never seen. So the samples of such a cell are told apart before anything is summarised.

A mode is a property of a sample, not of a figure: the measure's own figure decides (`DECIDES`), and all that was read
in the sample goes with it. Figures sampled by a tick would fall apart into its steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

EXACT = "instructions"
"""The clock without noise: what differs between samples was caused by what was perturbed on purpose, by its seed."""
DECIDES = ("throughput", "rtt_p50", "handshake", "instructions_per_packet")
"""The figure that a measure is about: the first of these that a sample has, of the whole machine where it has that."""
MIN_SAMPLES = 3
"""Of two figures that differ nothing says whether they are two modes."""
AGREE = 0.03
"""Figures of one mode: the perturbed cells that had one mode spread by 3 % at most (117.8/115.4: 2.1 %)."""
GAP = 0.05
"""Neighbours this far apart are of two modes: what the lab calls a difference (`analysis.MARGIN`). 37 % were seen."""


def split(values: Sequence[float]) -> list[int]:
    """The mode of each value, from 1: the mode with most values first, of equal ones the greater.

    Sorted values are cut where neighbours differ by more than GAP. That makes modes only if every part agrees within
    AGREE and one of them was seen twice: figures that are all different, or drift, are a spread, and stay together.
    """
    array = np.asarray(values, float)
    alone = [1] * len(array)
    if len(array) < MIN_SAMPLES or not np.isfinite(array).all() or array.min() <= 0:
        return alone
    ordered = np.sort(array)
    parts = np.split(ordered, np.flatnonzero(ordered[1:] / ordered[:-1] > 1 + GAP) + 1)
    repeats = 1 < len(parts) < len(array)
    if not repeats or any(part[-1] / part[0] > 1 + AGREE for part in parts):
        return alone
    ranked = sorted(parts, key=lambda part: (-len(part), -part[0]))
    return [next(number for number, part in enumerate(ranked, 1) if part[0] <= value <= part[-1]) for value in array]


def label(rows: pd.DataFrame, cell: Sequence[str], sample: Sequence[str]) -> pd.Series[int]:
    """The mode of each row of `rows`; `cell` and `sample` are the columns that name either."""
    labels = pd.Series(1, index=rows.index, dtype=int, name="mode")
    exact = rows[(rows["clock"] == EXACT) & rows["metric"].isin(DECIDES)]
    if exact.empty:
        return labels
    first = exact.assign(rank=exact["metric"].map(DECIDES.index), part=exact["end"] != "machine")
    first = first.sort_values(["rank", "part", "end"]).drop_duplicates(list(sample))
    found: dict[tuple[object, ...], int] = {}
    for _, group in first.groupby(list(cell), sort=False):
        names = group[list(sample)].itertuples(index=False, name=None)
        found |= dict(zip(names, split(group["value"].tolist()), strict=True))
    names = rows[list(sample)].itertuples(index=False, name=None)
    return pd.Series([found.get(name, 1) for name in names], index=rows.index, dtype=int, name="mode")
