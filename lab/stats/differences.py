# SPDX-License-Identifier: MIT
"""Whether two cells differ, are the same, or neither is shown: Student's tests on logarithms, in both directions.

A difference of logarithms is the logarithm of a ratio, so what is estimated is a ratio of geometric means. Its
interval, the test for a difference and the test for sameness come from one estimate and one standard error: they never
disagree. All three become sharper with the number of samples.

Samples that share blocks are compared within them (Student, `paired`). Others are compared as two groups whose spreads
may differ (B. L. Welch, Biometrika 34, 1947; `welch`). Sameness is two one-sided tests against a margin (D. J.
Schuirmann, J. Pharmacokinet. Biopharm. 15, 1987), which is the same as an interval that lies inside the margin.

Many comparisons find differences by chance. `correct` adjusts p for the size of the family, in one of two ways:

- Holm (`holm`), where one false finding is one too many, such as a gate: whatever truly differs, a false difference
  turns up in at most 5 % of families (S. Holm, Scand. J. Stat. 6, 1979).
- Benjamini and Hochberg (`bh`), where thousands of pairs are ranked: at most 5 % of the differences found are false,
  and among cells that are all equal one is found in at most 5 % of runs (J. R. Stat. Soc. B 57, 1995).

Sameness needs no correction: `all the same` is said only if each is shown (R. L. Berger, Technometrics 24, 1982).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import stdtr, stdtrit

from lab.stats.inference import CONFIDENCE, MIN_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.stats.inference import Array, Vector

Method = Literal["holm", "bh"]
ALPHA = 1 - CONFIDENCE
EXACT = 1e-12
"""Logarithms closer than this differ by rounding only."""
TIE, HIGHER, LOWER, UNDECIDED = "tie", "higher", "lower", "undecided"
POWER = 0.95
"""The probability with which `blocks_needed` decides."""
MOST_BLOCKS = 1000
"""More blocks than this are no advice."""


@dataclass(frozen=True)
class Differences:
    """Estimates of differences of logarithms, one an entry: the gap, its standard error, its degrees of freedom.

    `n` is the number of pairs, or of the smaller group. Where it is under `MIN_SAMPLES`, there is a gap alone: all else
    is NaN.
    """

    n: Array
    gap: Array
    error: Array
    freedom: Array

    def part(self, chosen: Any) -> Differences:
        """Some of the estimates, chosen as entries of an array are."""
        return Differences(self.n[chosen], self.gap[chosen], self.error[chosen], self.freedom[chosen])

    @property
    def ratio(self) -> Array:
        """The ratio of geometric means."""
        return np.asarray(np.exp(self.gap))

    @property
    def interval(self) -> tuple[Array, Array]:
        """The 95 % interval of the ratio, each for itself. Values without any spread give one without width."""
        return self.within(ALPHA)

    def within(self, alpha: float) -> tuple[Array, Array]:
        """The interval that misses the ratio with probability `alpha`."""
        reach = stdtrit(self.freedom, 1 - alpha / 2) * self.error
        return np.exp(self.gap - reach), np.exp(self.gap + reach)

    @property
    def p(self) -> Array:
        """Two-sided p that the ratio is 1, uncorrected. Without any spread it is 1 if the values are equal, else 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            p = 2 * stdtr(self.freedom, -np.abs(self.gap) / self.error)
        return np.where(self.error <= EXACT, np.where(np.abs(self.gap) < EXACT, 1.0, 0.0), p)

    def verdicts(self, corrected: Vector, margin: float, alpha: float = ALPHA) -> list[str]:
        """What is shown of each ratio, given its corrected p. `alpha` is less than 5 % if it is one of several looks.

        `tie`: the 95 % interval lies within the margin (two one-sided tests, each at 2.5 %); 5 % allows 1/1.05 to 1.05.
        Else `higher` or `lower`, if the corrected p is under 5 %. Else `undecided`.
        """
        low, high = self.within(alpha)
        tie = (low >= 1 / (1 + margin)) & (high <= 1 + margin)
        shown = np.asarray(corrected, float) < alpha
        return list(np.select([tie, shown & (self.gap > 0), shown & (self.gap < 0)], [TIE, HIGHER, LOWER], UNDECIDED))

    def blocks_needed(self, margin: float, level: float, alpha: float = ALPHA) -> Array:
        """The number of blocks that would decide with `POWER`, if gap and spread are as estimated; NaN over 1000.

        It is the smaller of two: enough to show the difference at an uncorrected p under `level` (see `level`), or
        enough to show sameness. Both by the usual formulas with quantiles of t (S. A. Julious, Stat. Med. 23, 2004).
        """
        gap, edge = np.abs(self.gap), np.log1p(margin)
        spread = self.error * np.sqrt(self.n)  # the standard error of a single block
        steps = self.freedom / np.maximum(self.n - 1, 1)  # degrees of freedom that a block brings

        def enough(n: Array) -> Any:
            freedom, error = steps * (n - 1), spread / np.sqrt(n)
            found = stdtrit(freedom, 1 - level / 2) + stdtrit(freedom, POWER)
            same = stdtrit(freedom, 1 - alpha / 2) + stdtrit(freedom, (1 + POWER) / 2)
            return (error * found <= gap) | (error * same <= edge - gap)

        least, most = np.full(gap.shape, float(MIN_SAMPLES)), np.full(gap.shape, float(MOST_BLOCKS))
        reachable = enough(most)
        while (open_ := most > least).any():
            middle = np.floor((least + most) / 2)
            fits = enough(middle)
            most, least = np.where(open_ & fits, middle, most), np.where(open_ & ~fits, middle + 1, least)
        return np.where(reachable & ~np.isnan(gap), most, np.nan)


def paired(logs: Sequence[Vector]) -> Differences:
    """Student's estimate for rows of log ratios, a ratio a block."""
    n, mean, variance = _moments(logs)
    return Differences(n, mean, np.sqrt(variance / n), n - 1)


def welch(over: Sequence[Vector], under: Sequence[Vector]) -> Differences:
    """Welch's estimate for pairs of samples of logarithms."""
    return welch_of(_moments(over), _moments(under))


Moments = tuple[Any, Any, Any]
"""Sizes, means and variances of samples; the variance is NaN under `MIN_SAMPLES` values."""


def _moments(logs: Sequence[Vector]) -> Moments:
    n = np.array([len(row) for row in logs], int)
    mean, variance = np.full(len(n), np.nan), np.full(len(n), np.nan)
    for size in set(n[n > 0].tolist()):
        rows = np.flatnonzero(n == size)
        values = np.array([logs[row] for row in rows.tolist()], float)
        mean[rows] = values.mean(axis=1)
        if size >= MIN_SAMPLES:
            variance[rows] = values.var(axis=1, ddof=1)
    return n.astype(float), mean, variance


def every_two(logs: Sequence[Vector], pairs: Sequence[tuple[int, int]]) -> Differences:
    """Welch's estimate for pairs of these samples of logarithms, given by their places."""
    moments = _moments(logs)
    places = np.array(pairs, int).reshape(-1, 2).T
    over, under = (tuple(part[side] for part in moments) for side in places)
    return welch_of(over, under)


def welch_of(over: Moments, under: Moments) -> Differences:
    """Welch's estimate from sizes, means and variances. Without any spread the degrees of freedom are the least."""
    (n, mean, variance), (m, other, spread) = over, under
    one, two = variance / n, spread / m
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = (one + two) ** 2 / (one**2 / (n - 1) + two**2 / (m - 1))
    least = np.minimum(n, m)
    return Differences(least, mean - other, np.sqrt(one + two), np.where(one + two > 0, freedom, least - 1))


def correct(p: Vector, method: Method) -> Array:
    """Each p, corrected for the number of comparisons, by Holm or by Benjamini and Hochberg. NaN stays NaN."""
    raw = np.asarray(p, float)
    corrected = np.full(raw.shape, np.nan)
    is_number = ~np.isnan(raw)
    if not is_number.any():
        return corrected
    values = raw[is_number]
    order, size = np.argsort(values), len(values)
    if method == "bh":  # a step up: from the greatest p down
        steps = np.minimum.accumulate((values[order] * (size / np.arange(1, size + 1)))[::-1])[::-1]
    else:
        steps = np.maximum.accumulate(values[order] * np.arange(size, 0, -1))
    stepped = np.empty_like(values)
    stepped[order] = np.minimum(steps, 1)
    corrected[is_number] = stepped
    return corrected


def judge(found: Differences, margin: float, method: Method, alpha: float = ALPHA) -> tuple[Array, Any]:
    """The corrected p and the verdict of each comparison of one family."""
    p = correct(found.p, method)
    return p, np.array(found.verdicts(p, margin, alpha), object)


def blocks_to_decide(
    found: Differences, p: Array, verdicts: Any, margin: float, method: Method, alpha: float = ALPHA
) -> Array:
    """How many blocks would decide each undecided comparison of a family (`Differences.blocks_needed`); else NaN."""
    blocks, open_ = np.full(len(p), np.nan), np.asarray(verdicts) == UNDECIDED
    blocks[open_] = found.part(open_).blocks_needed(margin, level(p, method, alpha), alpha)
    return blocks


def level(corrected: Vector, method: Method, alpha: float = ALPHA) -> float:
    """The uncorrected p under which the next comparison of this family would be found to differ."""
    p = np.asarray(corrected, float)
    size, found = int((~np.isnan(p)).sum()), int((p < alpha).sum())
    return alpha / max(size - found, 1) if method == "holm" else alpha * min(found + 1, size or 1) / (size or 1)
