# SPDX-License-Identifier: MIT
"""The statistics under every table, on plain arrays: intervals by bootstrap, tests on logarithms, correction.

They are for the wall clock, where samples differ by noise. On the instruction clock nothing is resampled or tested:
`ranges` and `exact_verdict` take every sample as it is.

Everything is seeded by constants, so that a finished run gives the same report byte for byte, whatever else is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import bootstrap, false_discovery_control, t

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Vector = Sequence[float] | Array

MIN_SAMPLES = 3
"""Fewer say nothing about spread: no interval, and no verdict."""
CONFIDENCE = 0.95
RESAMPLES = 1999
SEED = 20160523
EXACT = 1e-12
"""Logarithms closer than this are rounding, not difference."""
CHUNK = 256
"""Rows resampled at once: bounds memory to a few tens of megabytes."""


def median_intervals(samples: Sequence[Vector]) -> tuple[Array, Array]:
    """Percentile-bootstrap 95 % interval of the median of each sample; NaN where it has fewer than `MIN_SAMPLES`.

    A row's interval depends on that row alone: the resampling is seeded anew for each stack of equally long rows, and
    all rows of a stack are resampled alike.
    """
    return _bootstrap([(sample,) for sample in samples], lambda one, axis: np.median(one, axis=axis))


def ratio_intervals(over: Sequence[Vector], under: Sequence[Vector]) -> tuple[Array, Array]:
    """As `median_intervals`, of median(over) / median(under), for samples that share no blocks."""
    return _bootstrap(
        list(zip(over, under, strict=True)),
        lambda one, two, axis: np.median(one, axis=axis) / np.median(two, axis=axis),
    )


def _bootstrap(rows: Sequence[tuple[Vector, ...]], statistic: Callable[..., Any]) -> tuple[Array, Array]:
    low, high = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    shapes: dict[tuple[int, ...], list[int]] = {}
    for index, row in enumerate(rows):
        shapes.setdefault(tuple(len(sample) for sample in row), []).append(index)
    for shape, indices in shapes.items():
        if min(shape) < MIN_SAMPLES:
            continue
        for start in range(0, len(indices), CHUNK):
            chosen = indices[start : start + CHUNK]
            stacks = [np.array([rows[index][part] for index in chosen], float) for part in range(len(shape))]
            low[chosen], high[chosen] = _percentiles(stacks, statistic)
    return low, high


def _percentiles(stacks: list[Array], statistic: Callable[..., Any]) -> tuple[Any, Any]:
    interval = bootstrap(
        stacks, statistic, axis=-1, vectorized=True, n_resamples=RESAMPLES, confidence_level=CONFIDENCE,
        method="percentile", rng=np.random.default_rng(SEED),
    ).confidence_interval  # fmt: skip
    return interval.low, interval.high


def p_paired(logs: Sequence[Vector]) -> Array:
    """Two-sided p that the mean of each row of log ratios is 0 (Student); NaN under `MIN_SAMPLES`.

    A rank test could never reject with five blocks (its least p is 1/16). Rows that repeat exactly have no spread:
    p is 1 where they are 0 and 0 elsewhere.
    """
    n = np.array([len(row) for row in logs], float)
    enough = n >= MIN_SAMPLES
    mean = np.array([np.mean(row) if ok else np.nan for row, ok in zip(logs, enough, strict=True)])
    error = np.array([np.std(row, ddof=1) if ok else np.nan for row, ok in zip(logs, enough, strict=True)])
    return _student(mean, error / np.sqrt(n), n - 1)


def p_unpaired(one: Sequence[Vector], two: Sequence[Vector]) -> Array:
    """Two-sided p that the means of each pair of samples of logarithms agree (Welch); NaN under `MIN_SAMPLES`."""
    p = np.full(len(one), np.nan)
    for index, sides in enumerate(zip(one, two, strict=True)):
        if min(map(len, sides)) < MIN_SAMPLES:
            continue
        parts = np.array([np.var(side, ddof=1) / len(side) for side in sides])
        steps = np.array([len(side) - 1 for side in sides])
        freedom = parts.sum() ** 2 / (parts**2 / steps).sum() if parts.any() else 1.0
        p[index] = _student(np.mean(sides[0]) - np.mean(sides[1]), np.sqrt(parts.sum()), freedom)
    return p


def _student(gap: Any, error: Any, freedom: Any) -> Array:
    exact = np.where(np.abs(gap) < EXACT, 1.0, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * t.sf(np.abs(gap) / error, freedom)
    return np.where(np.asarray(error) <= EXACT, exact, p)


def correct(p: Vector) -> Array:
    """Benjamini and Hochberg's correction for as many comparisons as were made; NaN stays NaN."""
    raw = np.asarray(p, float)
    corrected = np.full(raw.shape, np.nan)
    known = ~np.isnan(raw)
    if known.any():
        corrected[known] = false_discovery_control(raw[known], method="bh")
    return corrected


def verdict(low: float, high: float, p: float, margin: float, alpha: float = 1 - CONFIDENCE) -> str:
    """What a ratio's interval says: `tie` inside the equivalence margin, else `higher`, `lower` or `undecided`.

    The margin is symmetric as a ratio: 5 % allows 1/1.05 to 1.05.
    """
    if np.isnan(low):
        return "undecided"
    if 1 / (1 + margin) <= low and high <= 1 + margin:
        return "tie"
    if p < alpha and low > 1:
        return "higher"
    if p < alpha and high < 1:
        return "lower"
    return "undecided"


def ranges(over: Sequence[Vector], under: Sequence[Vector]) -> tuple[Array, Array]:
    """The least and the greatest ratio of any value of `over` to any of `under`; NaN where either has under 3."""
    low, high = np.full(len(over), np.nan), np.full(len(over), np.nan)
    for index, (one, two) in enumerate(zip(over, under, strict=True)):
        if min(len(one), len(two)) >= MIN_SAMPLES and min(two) > 0:
            low[index], high[index] = min(one) / max(two), max(one) / min(two)
    return low, high


def exact_verdict(low: float, high: float, margin: float) -> str:
    """As `verdict`, of a range that every sample is in: where there is no noise, there is no p."""
    return verdict(low, high, 0.0, margin)
