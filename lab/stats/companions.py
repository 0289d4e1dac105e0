# SPDX-License-Identifier: MIT
"""What differs together: of several figures of the same samples, which one goes with another from sample to sample.

Within groups alone (the samples of one cell), so that what differs from cell to cell does not count.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtr

if TYPE_CHECKING:
    from numpy.typing import NDArray

FALSE = 0.05
"""How often a figure may be named although none goes with the other, over all that are asked about."""


@dataclass(frozen=True)
class Companion:
    """A figure that goes with another: the share of that one's variance within groups (R²), and which way.

    `more`: where this one is greater, so is the other. `chance`: how often one of as many figures without any relation
    would do as well.
    """

    name: str
    share: float
    more: bool
    chance: float


def deviation(groups: Sequence[Hashable], values: Sequence[float]) -> float:
    """The standard deviation within groups; NaN if none has two values."""
    centred, free = _centred(groups, values)
    return sqrt(float(centred @ centred) / free) if free > 0 else float("nan")


def leading(
    groups: Sequence[Hashable], values: Sequence[float], figures: Mapping[str, Sequence[float]]
) -> Companion | None:
    """Of some figures the one that goes best with `values`; None if it may as well be chance.

    By the t-test of a correlation within groups (n samples less a mean for each group, and less one), corrected for the
    number of figures (Bonferroni).
    """
    centred, free = _centred(groups, values)
    found = None
    for name, its in figures.items():
        other, _ = _centred(groups, its)
        both, scale = float(centred @ other), float(centred @ centred) * float(other @ other)
        if free > 1 and scale > 1e-18:
            share = min(both**2 / scale, 1.0)
            t = sqrt(share * (free - 1) / (1 - share)) if share < 1 else float("inf")
            chance = min(1.0, len(figures) * 2 * float(stdtr(free - 1, -t)))
            if found is None or share > found.share:
                found = Companion(name, share, both > 0, chance)
    return found if found and found.chance <= FALSE else None


def _centred(groups: Sequence[Hashable], values: Sequence[float]) -> tuple[NDArray[np.float64], int]:
    """Each value less the mean of its group, and how many of these are free."""
    centred, places = np.array(values, dtype=float), dict[Hashable, list[int]]()
    for place, group in enumerate(groups):
        places.setdefault(group, []).append(place)
    for own in places.values():
        centred[own] -= centred[own].mean()
    return centred, len(centred) - len(places)
