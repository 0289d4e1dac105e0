# SPDX-License-Identifier: MIT
"""What a cell's own past says of its noise: how much its figure moves from one run to the next.

A test compares two runs by the spread within them. What differs between runs alone (the state of a machine, an address,
the mode that all tunnels of a run fell on) is not in that spread, and shows in the past. The fence is that of
rustc-perf (docs/comparison-analysis.md there): the third quartile of the past changes, without their signs, plus three
times the distance between the quartiles (J. W. Tukey, Exploratory Data Analysis, 1977).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

MIN_CHANGES = 4
"""Changes between neighbours in the past, from five runs, before there is a fence: fewer have no quartiles."""


def fence(levels: Sequence[float]) -> float:
    """The greatest change, as a ratio of at least 1, that the past of a figure explains; NaN if it is too short.

    `levels` are the figure's levels (positive, any unit), one a run, in the order of time.
    """
    changes = np.abs(np.diff(np.log(np.asarray(levels, float))))
    if len(changes) < MIN_CHANGES:
        return float("nan")
    first, third = np.quantile(changes, [0.25, 0.75])
    return float(np.exp(third + 3 * (third - first)))


def fences(past: Sequence[Mapping[Any, float]], cells: Sequence[Hashable]) -> list[float]:
    """The fence of each cell, from its level in each of the past runs that has it."""
    return [fence([run[cell] for run in past if cell in run]) for cell in cells]
