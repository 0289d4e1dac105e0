# SPDX-License-Identifier: MIT
"""Where a figure changed in the course of many runs: the change points of a series, one level a run.

A series is cut where the levels before and after differ most (the greatest Student's t over all cuts), and each part is
cut again as long as that is more than chance (L. Y. Vostrikova, Soviet Math. Doklady 24, 1981). A figure that became
worse and was put right again hides from a single cut, so two cuts at once are tried as well: what lies between them,
against the rest (A. B. Olshen et al., Biostatistics 5, 2004). The greatest of many t is large by chance too, so its p
is that of one t, times the number that were tried: Bonferroni's bound, close for series of tens of runs (K. J. Worsley,
J. Am. Stat. Assoc. 74, 1979).

The spread between runs is what counts here, not the spread within them: a run is one level. A cut has at least `FEWEST`
runs on each side, so one run that is off is no change, and a change is seen when it is three runs old.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtr

from lab.stats import differences

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.stats.inference import Array, Vector

FEWEST = 3
"""The fewest levels on a side of a change."""
SHORTEST = 2 * FEWEST
"""A shorter series has no change points."""


@dataclass(frozen=True)
class Change:
    """A change between two levels of a series: `at` is the place of the first level after it, from 0.

    `ratio` is that of the geometric means after and before, up to the neighbouring changes; `low` to `high` its 95 %
    interval; `p` the probability of such a change among equal levels, corrected for all cuts and series.
    """

    at: int
    before: float
    after: float
    ratio: float
    low: float
    high: float
    p: float


def changes(levels: Vector, family: int = 1) -> list[Change]:
    """The changes in a series of positive levels (any unit), in the order of time.

    `family` is the number of series that are long enough to be looked at. In all of them together a change that is not
    there is found with a probability of at most 5 %: each series has its part of it, and so has each part of a series.
    """
    logs = np.log(np.asarray(levels, float))
    found = list(_cuts(logs, 0, float(family)))
    ends = _placed(logs, [at for at, _ in found])
    sides = [logs[first:last] for first, last in pairwise(ends)]
    rows = differences.welch(sides[1:], sides[:-1])
    low, high = rows.interval
    return [
        Change(
            at, float(np.exp(before.mean())), float(np.exp(after.mean())), float(rows.ratio[row]), float(low[row]),
            float(high[row]), p,
        )
        for row, (at, (before, after), (_, p)) in enumerate(zip(ends[1:-1], pairwise(sides), found, strict=True))
    ]  # fmt: skip


def _cuts(logs: Array, first: int, family: float) -> Iterator[tuple[int, float]]:
    """The cuts of a part of a series that begins at `first`, each with its p."""
    if len(logs) < SHORTEST:
        return
    cuts, p = _strongest(logs)
    if p * family >= differences.ALPHA:
        return
    for begin, end in pairwise([0, *cuts, len(logs)]):
        if begin:
            yield first + begin, p * family
        yield from _cuts(logs[begin:end], first + begin, (len(cuts) + 1) * family)


def _strongest(logs: Array) -> tuple[list[int], float]:
    """The cut, or the two cuts, with the greatest t, and p of a t as great in any place."""
    n, places = len(logs), range(FEWEST, len(logs) - FEWEST + 1)
    two = [(begin, end) for begin in places for end in places if end - begin >= FEWEST]
    total, least = float(((logs - logs.mean()) ** 2).sum()), n * differences.EXACT**2
    found: list[tuple[float, list[int]]] = [(1.0, [])]
    for parts in filter(None, (_single(n), two)) if total > least else ():
        between = _between(logs, parts)
        best = int(np.argmax(between))
        within = max(total - float(between[best]), least)
        p = 2 * stdtr(n - 2, -np.sqrt(between[best] / within * (n - 2)))
        found.append((min(2 * len(parts) * float(p), 1.0), [cut for cut in parts[best] if cut]))
    p, cuts = min(found)
    return cuts, p


def _single(n: int) -> list[tuple[int, int]]:
    """The parts before each possible cut of a series of n levels."""
    return [(0, end) for end in range(FEWEST, n - FEWEST + 1)]


def _between(logs: Array, parts: list[tuple[int, int]]) -> Array:
    """The sum of squares between each part of a series, from its first place to before its last, and the rest."""
    n, sums = len(logs), np.concatenate([[0.0], np.cumsum(logs - logs.mean())])
    begin, end = np.array(parts).T
    return np.asarray((sums[end] - sums[begin]) ** 2 * n / ((end - begin) * (n - end + begin)))


def _placed(logs: Array, cuts: list[int]) -> list[int]:
    """The ends of the parts, each cut where the levels between its neighbours differ most.

    A cut that was found beside others that were not known yet may be off (J. Bai, Econometric Theory 13, 1997).
    """
    ends = [0, *cuts, len(logs)]
    for place in range(1, len(ends) - 1):
        part = logs[ends[place - 1] : ends[place + 1]]
        singles = _single(len(part))
        ends[place] = ends[place - 1] + singles[int(np.argmax(_between(part, singles)))][1]
    return ends
