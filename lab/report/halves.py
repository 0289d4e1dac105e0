# SPDX-License-Identifier: MIT
"""A run against itself: half of its blocks against the other half, in which nothing was changed (an A/A).

Each block holds every cell once, so both halves measure the same plan. What differs between them is chance, or a
machine that did not stay as it was. Two ways to divide the blocks tell these apart:

- The first half against the second is what `lab compare` would say of two runs, one after the other. It holds what
  drifts: a machine that warms up, or other work that came and went.
- Every other block against the rest shares the drift between both sides. What is left is how well the test fits the
  noise: its shape, its modes.

Labels drawn at random would find the nominal 5 % whatever the machine does: it is what randomising is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scipy.special import betaincinv

from lab.core.errors import UsageError
from lab.report import comparison
from lab.stats.differences import HIGHER, LOWER
from lab.stats.inference import CONFIDENCE, MIN_SAMPLES

if TYPE_CHECKING:
    import pandas as pd

IN_TIME, EVERY_OTHER = "in time", "every other block"
Halves = tuple["pd.DataFrame", "pd.DataFrame"]


def in_time(df: pd.DataFrame) -> tuple[Halves, tuple[str, str]]:
    """The first half of a run's blocks and the second, and the names of both.

    Raises:
        UsageError: a half has too few blocks to be compared.
    """
    blocks = _blocks(df)
    middle = blocks[len(blocks) // 2]
    names = f"blocks 1 to {middle}", f"blocks {middle + 1} to {blocks[-1] + 1}"
    return (df[df["block"] < middle], df[df["block"] >= middle]), names


def every_other(df: pd.DataFrame) -> Halves:
    """Every other of a run's blocks, and the rest. Raises what `in_time` raises."""
    chosen = df["block"].isin(_blocks(df)[::2])
    return df[chosen], df[~chosen]


def _blocks(df: pd.DataFrame) -> list[int]:
    blocks = sorted(set(df.loc[df["outcome"] != "unsupported", "block"].tolist()))
    if len(blocks) < 2 * MIN_SAMPLES:
        raise UsageError(
            f"a run is compared with itself from {2 * MIN_SAMPLES} blocks on, and this one has {len(blocks)}",
            f"measure more: `--blocks {2 * MIN_SAMPLES}`, better 20",
        )
    return blocks


@dataclass(frozen=True)
class Rate:
    """How many `figures` were compared, how many differ at an uncorrected p under 5 %, and how many are shown to."""

    figures: int
    differ: int
    shown: int

    @classmethod
    def of(cls, compared: pd.DataFrame) -> Rate:
        """The rate of a comparison: p is under 5 % where the 95 % interval leaves 1 out."""
        known = compared[compared["low"].notna()]
        differ = (known["low"] > 1) | (known["high"] < 1)
        return cls(len(known), int(differ.sum()), int(known["verdict"].isin([HIGHER, LOWER]).sum()))

    @property
    def share(self) -> float:
        """The share of figures that differ by chance; NaN of none."""
        return self.differ / self.figures if self.figures else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """The share's 95 % interval (C. J. Clopper, E. S. Pearson, Biometrika 26, 1934).

        It takes figures for independent. Those of one sample are not, so it is too narrow where a cell has several.
        """
        if not self.figures:
            return float("nan"), float("nan")
        rest, tail = self.figures - self.differ, (1 - CONFIDENCE) / 2
        low = betaincinv(self.differ, rest + 1, tail) if self.differ else 0
        return float(low), float(betaincinv(self.differ + 1, rest, 1 - tail)) if rest else 1.0

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"{self.differ} of {self.figures} figures differ at p under 5 %: {self.share:.1%} "
            f"(95 % interval {low:.1%} to {high:.1%}); corrected for all, {self.shown} differ"
        )

    def plain(self) -> dict[str, Any]:
        """Plain data for a program."""
        low, high = self.interval
        share = {"share": self.share, "low": low, "high": high} if self.figures else {}
        return {"figures": self.figures, "differ": self.differ, "shown": self.shown, **share}


def rates(df: pd.DataFrame, compared: pd.DataFrame, margin: float | None) -> dict[str, Rate]:
    """The rate of the first half against the second, which is `compared` already, and of every other block."""
    return {IN_TIME: Rate.of(compared), EVERY_OTHER: Rate.of(comparison.compare(*every_other(df), margin))}


def shown(compared: pd.DataFrame) -> pd.DataFrame:
    """The rows that are shown to differ: each of them is a false finding, or the machine changed under the run."""
    return compared[compared["verdict"].isin([HIGHER, LOWER])]
