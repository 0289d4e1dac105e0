# SPDX-License-Identifier: MIT
"""The statistics of every table, on plain arrays: bootstrap intervals, tests on logarithms, correction.

They are for the wall clock, where samples differ by noise. On the instruction clock nothing is resampled or tested:
`ranges` and `exact_verdict` use every sample as it is.

All seeds are constants, so that a finished run gives the same report byte for byte, whatever else is in the report.
scipy.stats is loaded where it is used: that takes more than a second, and the instruction clock needs none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Vector = Sequence[float] | Array

MIN_SAMPLES = 3
"""With fewer samples the spread is unknown: no interval and no verdict."""
CONFIDENCE = 0.95
RESAMPLES = 1999
SEED = 20160523
EXACT = 1e-12
"""Logarithms closer than this differ by rounding only."""
CHUNK = 256
"""Rows resampled at once. This limits memory to a few tens of megabytes."""


def median_intervals(samples: Sequence[Vector]) -> tuple[Array, Array]:
    """Percentile-bootstrap 95 % interval of the median of each row; NaN for fewer than `MIN_SAMPLES` values.

    A row's interval depends on that row alone. Rows of the same length form a stack. Each stack starts from the same
    seed, and all its rows are resampled alike.
    """
    return _bootstrap([(sample,) for sample in samples], lambda medians: medians)


def ratio_intervals(over: Sequence[Vector], under: Sequence[Vector]) -> tuple[Array, Array]:
    """Like `median_intervals`, of median(over) / median(under), for samples that share no blocks."""
    return _bootstrap(
        list(zip(over, under, strict=True)),
        lambda numerators, denominators: numerators / denominators,
    )


def _bootstrap(rows: Sequence[tuple[Vector, ...]], of_medians: Callable[..., Any]) -> tuple[Array, Array]:
    """The interval of a figure of each row: `of_medians` has it from the medians of the row's parts."""
    low, high = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    shapes: dict[tuple[int, ...], list[int]] = {}
    for index, row in enumerate(rows):
        shapes.setdefault(tuple(len(sample) for sample in row), []).append(index)
    for shape, indices in shapes.items():
        if min(shape) < MIN_SAMPLES:
            continue
        for start in range(0, len(indices), CHUNK):
            chunk = indices[start : start + CHUNK]
            stacks = [np.array([rows[index][part] for index in chunk], float) for part in range(len(shape))]
            low[chunk], high[chunk] = _percentiles(stacks, of_medians)
    return low, high


def _percentiles(stacks: list[Array], of_medians: Callable[..., Any]) -> tuple[Any, Any]:
    """The interval of each row of a stack. What is resampled are places in a row: they are alike for all rows."""
    from scipy.stats import bootstrap

    def statistic(*places: Any, axis: int) -> Any:  # noqa: ARG001 - scipy's name; it is the last one
        return of_medians(*map(_medians, stacks, places))

    interval = bootstrap(
        [np.arange(stack.shape[-1]) for stack in stacks], statistic, axis=-1, vectorized=True, n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE, method="percentile", rng=np.random.default_rng(SEED),
    ).confidence_interval  # fmt: skip
    return interval.low, interval.high


def _medians(stack: Array, places: Any) -> Any:
    """The median of each row at each set of places. Few sets of few places are distinct: five places have 126."""
    distinct, which = np.unique(np.sort(places, axis=-1), axis=0, return_inverse=True)
    return np.median(stack[:, distinct], axis=-1)[:, which]


def p_paired(logs: Sequence[Vector]) -> Array:
    """Two-sided p that the mean of each row of log ratios is 0 (Student); NaN under `MIN_SAMPLES`.

    With five blocks a rank test could never reject (its least p is 1/16). A row of equal values has no spread: its p
    is 1 if they are 0, and 0 otherwise.
    """
    n = np.array([len(row) for row in logs], float)
    enough = n >= MIN_SAMPLES
    mean = np.array([np.mean(row) if ok else np.nan for row, ok in zip(logs, enough, strict=True)])
    error = np.array([np.std(row, ddof=1) if ok else np.nan for row, ok in zip(logs, enough, strict=True)])
    return _student(mean, error / np.sqrt(n), n - 1)


def p_unpaired(one: Sequence[Vector], two: Sequence[Vector]) -> Array:
    """Two-sided p that the means of each pair of samples of logarithms are equal (Welch); NaN under `MIN_SAMPLES`."""
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
    from scipy.stats import t

    exact = np.where(np.abs(gap) < EXACT, 1.0, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * t.sf(np.abs(gap) / error, freedom)
    return np.where(np.asarray(error) <= EXACT, exact, p)


def correct(p: Vector) -> Array:
    """Benjamini and Hochberg's correction for the number of comparisons. NaN stays NaN."""
    from scipy.stats import false_discovery_control

    raw = np.asarray(p, float)
    corrected = np.full(raw.shape, np.nan)
    is_number = ~np.isnan(raw)
    if is_number.any():
        corrected[is_number] = false_discovery_control(raw[is_number], method="bh")
    return corrected


def verdict(low: float, high: float, p: float, margin: float, alpha: float = 1 - CONFIDENCE) -> str:
    """The verdict on a ratio's interval: `tie` inside the equivalence margin, else `higher`, `lower` or `undecided`.

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
    """The least and greatest ratio of any value of `over` to any of `under`; NaN if either has under 3 values."""
    low, high = np.full(len(over), np.nan), np.full(len(over), np.nan)
    for index, (numerators, denominators) in enumerate(zip(over, under, strict=True)):
        if min(len(numerators), len(denominators)) >= MIN_SAMPLES and min(denominators) > 0:
            low[index], high[index] = min(numerators) / max(denominators), max(numerators) / min(denominators)
    return low, high


def exact_verdict(low: float, high: float, margin: float) -> str:
    """Like `verdict`, for a range that holds every sample. Without noise there is no p."""
    return verdict(low, high, 0.0, margin)
