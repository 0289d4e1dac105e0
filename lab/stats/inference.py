# SPDX-License-Identifier: MIT
"""The interval of a median by order statistics; with too few samples for that, the range, which says no more.

The interval supposes nothing of the distribution but that the samples are independent: the number of samples below the
median is binomial (H. A. David, H. N. Nagaraja, Order Statistics, 3rd ed., 7.1; scipy.stats.quantile_test has the
same).

scipy.special has the distributions: scipy.stats takes a second to import, and every command that shows a run would.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import bdtr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Vector = Sequence[float] | Array

MIN_SAMPLES = 3
"""With fewer samples nothing is compared: the spread is as good as unknown."""
CONFIDENCE = 0.95
INTERVAL_FROM = 6
"""The fewest samples whose least and greatest hold the median with `CONFIDENCE`: five do so with 1 - 2/2^5 = 0.9375."""
INTERVAL, RANGE = "interval", "range"


def kind(n: int) -> str:
    """What `median_intervals` gives for n samples: `interval`, `range` (least to greatest), or nothing for one."""
    return INTERVAL if n >= INTERVAL_FROM else RANGE if n > 1 else ""


def median_intervals(samples: Sequence[Vector]) -> tuple[Array, Array]:
    """Low and high of each sample: an interval that holds the median with 95 % or a little more, or the range.

    The two are the k-th least and the k-th greatest value, with the largest k whose coverage is 95 %. Under
    `INTERVAL_FROM` values they are the least and the greatest; for one value NaN.
    """
    low, high = np.full(len(samples), np.nan), np.full(len(samples), np.nan)
    for index, sample in enumerate(samples):
        if kind(n := len(sample)):
            ordered, k = np.sort(np.asarray(sample, float)), _place(n)
            low[index], high[index] = ordered[k - 1], ordered[n - k]
    return low, high


@cache
def _place(n: int) -> int:
    """k: below the k-th least of n values the median lies with at most half of what `CONFIDENCE` leaves."""
    below = bdtr(np.arange(n, dtype=float), n, 0.5)  # how likely at most so many of the values are under the median
    return max(int(np.searchsorted(below, (1 - CONFIDENCE) / 2)), 1)
