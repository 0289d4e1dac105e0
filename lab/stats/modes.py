# SPDX-License-Identifier: MIT
"""Modes: a cell on the instruction clock repeats closely, but it may have several figures that repeat.

The interleaving of TCP, wake-ups and daemons is chaotic. Without any noise, one cell gave 117.8 and 115.4 Mbit/s. With
only the addresses changed, it gave 161.8 and 162.9. Every other cell repeated within 3 %. The average of those four is
a throughput that never occurred. So the samples of such a cell are split into modes before the summary.

A mode is a property of a sample, not of a figure. The main figure of its measure decides, and all other figures of
the sample follow it. Figures that a tick samples would split into its steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

EXACT = "instructions"
"""The clock without noise. Only the seeded perturbation makes samples differ."""
MIN_SAMPLES = 3
"""Two different figures do not show whether there are two modes."""
GAP = 0.05
"""Modes are at least this far apart. What differs by less is shown as one figure, and 37 % occurred."""
APART = {3: 49.0, 4: 10.5, 5: 6.2, 6: 5.3, 7: 3.9, 8: 3.1, 9: 2.8, 10: 2.5, 20: 2.0}
"""How much wider than the widest mode the gap between modes must be, by the number of samples (and more).

With one mode and noise, this is exceeded in at most 5 % of cells, whether the noise is normal, uniform, Laplace's,
Student's with 3 degrees of freedom or exponential, of any size: the greatest of the five 95 % quantiles, from 6000
cells each (`benchmarks/instrument.py` checks the rates). For three samples it is Dixon's test for an outlier (W. J.
Dixon, Biometrics 9, 1953). From ten on it could be less, but costs no power: modes 1.3x apart, within which samples
differ by 1 %, are 5 to 8 times as far apart as they are wide.
"""
FEW = 6
"""From so many samples on three modes are looked for, below it two."""
ROUNDING = 1e-9
"""Logarithms of a mode whose samples are equal differ by this."""


def split(values: Sequence[float]) -> list[int]:
    """The mode of each value, from 1. Mode 1 has the most values; of equal modes the greater comes first.

    Sorted values are cut at their largest gap, or the two largest. The parts are modes if the least of these gaps is
    over GAP, and wider than the widest part by the factor APART. Figures that are all different, or drift, are a
    spread: they stay together. Gaps and widths are ratios.
    """
    array = np.asarray(values, float)
    single_mode = [1] * len(array)
    if len(array) < MIN_SAMPLES or not np.isfinite(array).all() or array.min() <= 0:
        return single_mode
    parts = _parts(np.sort(array))
    ranked = sorted(parts, key=lambda part: (-len(part), -part[0]))
    return [next(number for number, part in enumerate(ranked, 1) if part[0] <= value <= part[-1]) for value in array]


def _parts(ordered: np.ndarray[Any, np.dtype[np.float64]]) -> list[Any]:
    """Sorted values, cut into modes."""
    logs, n = np.log(ordered), len(ordered)
    gaps = np.diff(logs)
    widest = np.argsort(-gaps, kind="stable")
    best, found = APART[max(size for size in APART if size <= n)], [ordered]
    for cuts in range(1, 2 if n < FEW else 3):
        places = np.sort(widest[:cuts]) + 1
        gap = gaps[widest[cuts - 1]]
        width = max(float(np.ptp(part)) for part in np.split(logs, places))
        if gap > np.log1p(GAP) and gap / max(width, ROUNDING) > best:
            best, found = gap / max(width, ROUNDING), np.split(ordered, places)
    return found


def label(rows: pd.DataFrame, cell: Sequence[str], sample: Sequence[str], mains: Mapping[str, str]) -> pd.Series[int]:
    """The mode of each row. `cell` and `sample` are the columns that identify a cell and a sample.

    `mains`: the main metric of each measure; of the whole machine if the sample has that.
    """
    labels = pd.Series(1, index=rows.index, dtype=int, name="mode")
    exact_rows = rows[(rows["clock"] == EXACT) & (rows["metric"] == rows["measure"].map(mains))]
    if exact_rows.empty:
        return labels
    deciding = exact_rows.assign(part=exact_rows["end"] != "machine").sort_values(["part", "end"])
    deciding = deciding.drop_duplicates(list(sample))
    groups: dict[tuple[object, ...], dict[tuple[object, ...], float]] = {}
    names = zip(_names(deciding, cell), _names(deciding, sample), deciding["value"].tolist(), strict=True)
    for its_cell, name, value in names:
        groups.setdefault(its_cell, {})[name] = value
    mode_of: dict[tuple[object, ...], int] = {}
    for group in groups.values():
        mode_of |= dict(zip(group, split(list(group.values())), strict=True))
    numbers = [mode_of.get(name, 1) for name in _names(rows, sample)]
    return pd.Series(numbers, index=rows.index, dtype=int, name="mode")


def _names(rows: pd.DataFrame, columns: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """These columns of each row. Lists: an array of text is slow to ask for one item after the other."""
    return zip(*(rows[column].tolist() for column in columns), strict=True)
