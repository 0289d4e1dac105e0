# SPDX-License-Identifier: MIT
"""The interval of a median by order statistics; with too few samples for that, the range, which says no more.

The interval supposes nothing of the distribution but that the samples are independent: the number of samples below the
median is binomial (H. A. David, H. N. Nagaraja, Order Statistics, 3rd ed., 7.1; scipy.stats.quantile_test has the
same).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binom

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
            ordered, k = np.sort(np.asarray(sample, float)), max(int(binom.ppf((1 - CONFIDENCE) / 2, n, 0.5)), 1)
            low[index], high[index] = ordered[k - 1], ordered[n - k]
    return low, high
