# SPDX-License-Identifier: MIT
"""`--blocks auto`: when a run is looked at, and what each look found.

To look at a run after every block and to stop as soon as it says something finds differences that are not there: with
enough looks one always turns up (P. Armitage, C. K. McPherson, B. C. Rowe, J. R. Stat. Soc. A 132, 1969). So the
numbers of blocks at which a run is looked at follow from its limit alone, before anything is measured, and each look
has an equal share of the 5 % (Bonferroni): among equal cells of one load, whatever is seen and whenever the run stops,
a false difference turns up in no more than 5 % of runs. Equal shares are S. J. Pocock's plan (Biometrika 64, 1977),
whose own, found by integration, are a little larger.

The number of blocks is not computed from a pilot. C. Stein's two stages (Ann. Math. Stat. 16, 1945) take it from the
pilot's spread alone, and would measure cells that already differ by half as often as cells that are alike. Taken from
the pilot's difference as well, it is no longer independent of what is tested, and more than 5 % of equal cells
would be told apart (M. A. Proschan, S. A. Hunsberger, Biometrics 51, 1995).
"""

from __future__ import annotations

from pydantic import Field

from lab.core.documents import Document

AUTO = "auto"
"""The number of blocks of a run that stops when its comparisons are decided."""
FIRST = 5
"""The fewest blocks at which a run is looked at: three have a spread, but one that is hardly known."""


def stages(most: int) -> list[int]:
    """The numbers of blocks at which a run of at most so many is looked at: the limit, its half, its quarter, ..."""
    found = [most]
    while (half := -(-found[0] // 2)) >= FIRST and half < found[0]:
        found.insert(0, half)
    return found


class Look(Document):
    """What was found after so many `blocks`: the comparisons that were made, and how many of them are undecided."""

    blocks: int = Field(ge=1)
    compared: int = Field(ge=0)
    undecided: int = Field(ge=0)

    @property
    def over(self) -> bool:
        """Whether the run stops here."""
        return not self.undecided

    def __str__(self) -> str:
        if not self.compared:
            return f"after {self.blocks} blocks there is nothing to compare"
        left = f"{self.undecided} of {self.compared} comparisons are" if self.undecided else "no comparison is"
        return f"after {self.blocks} blocks {left} undecided"
