# SPDX-License-Identifier: MIT
"""Modes: a cell on the instruction clock repeats exactly, but it may have several figures that repeat.

The interleaving of TCP, wake-ups and daemons is chaotic. Without any noise, one cell gave 117.8 and 115.4 Mbit/s. With
only the addresses changed, it gave 161.8 and 162.9. Every other cell repeated within 3 %. The average of those four is
a throughput that never occurred. So the samples of such a cell are split into modes before the summary.

A mode is a property of a sample, not of a figure. The measure's own figure decides (`DECIDES`), and all other figures
of the sample follow it. Figures that a tick samples would split into its steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXACT = "instructions"
"""The clock without noise. Only the seeded perturbation makes samples differ."""
DECIDES = ("throughput", "rtt_p50", "handshake", "instructions_per_packet")
"""The main figure of a measure: the first of these in the sample, of the whole machine if the sample has that."""
MIN_SAMPLES = 3
"""Two different figures do not show whether there are two modes."""
AGREE = 0.03
"""The largest spread within a mode. Perturbed cells with one mode spread by 3 % at most (117.8/115.4: 2.1 %)."""
GAP = 0.05
"""Neighbours farther apart are of two modes. The lab calls this a difference (`analysis.MARGIN`). 37 % occurred."""


def split(values: Sequence[float]) -> list[int]:
    """The mode of each value, from 1. Mode 1 has the most values; of equal modes the greater comes first.

    Sorted values are cut where neighbours differ by more than GAP. The parts are modes only if each agrees within AGREE
    and one has two values. Figures that are all different, or drift, are a spread: they stay together.
    """
    array = np.asarray(values, float)
    single_mode = [1] * len(array)
    if len(array) < MIN_SAMPLES or not np.isfinite(array).all() or array.min() <= 0:
        return single_mode
    ordered = np.sort(array)
    parts = np.split(ordered, np.flatnonzero(ordered[1:] / ordered[:-1] > 1 + GAP) + 1)
    repeats = 1 < len(parts) < len(array)
    if not repeats or any(part[-1] / part[0] > 1 + AGREE for part in parts):
        return single_mode
    ranked = sorted(parts, key=lambda part: (-len(part), -part[0]))
    return [next(number for number, part in enumerate(ranked, 1) if part[0] <= value <= part[-1]) for value in array]


def label(rows: pd.DataFrame, cell: Sequence[str], sample: Sequence[str]) -> pd.Series[int]:
    """The mode of each row. `cell` and `sample` are the columns that identify a cell and a sample."""
    labels = pd.Series(1, index=rows.index, dtype=int, name="mode")
    exact_rows = rows[(rows["clock"] == EXACT) & rows["metric"].isin(DECIDES)]
    if exact_rows.empty:
        return labels
    deciding = exact_rows.assign(rank=exact_rows["metric"].map(DECIDES.index), part=exact_rows["end"] != "machine")
    deciding = deciding.sort_values(["rank", "part", "end"]).drop_duplicates(list(sample))
    mode_of: dict[tuple[object, ...], int] = {}
    for _, group in deciding.groupby(list(cell), sort=False):
        mode_of |= dict(zip(_names(group, sample), split(group["value"].tolist()), strict=True))
    numbers = [mode_of.get(name, 1) for name in _names(rows, sample)]
    return pd.Series(numbers, index=rows.index, dtype=int, name="mode")


def _names(rows: pd.DataFrame, sample: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """What identifies the sample of each row. Lists: an array of text is slow to ask for one item after the other."""
    return zip(*(rows[column].tolist() for column in sample), strict=True)
