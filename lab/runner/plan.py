# SPDX-License-Identifier: MIT
"""The cells to measure, and their order: seeded randomised complete blocks.

Every block holds every cell once, in its own random order. So a drift of the machine affects all cells alike, and
ratios within a block cancel it.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from lab.core.errors import UsageError
from lab.results.cell import Cell, parse_conditions

BLOCKS = 10_000
"""The most blocks of a run. One cell, at a second a block, then takes three hours."""
SAMPLES = 1_000_000
"""The most samples of a run. At a second each they take eleven days."""


@dataclass(frozen=True)
class Step:
    """One sample to take: the cell, its block (from 0) and its position in that block (from 0)."""

    block: int
    position: int
    cell: Cell


@dataclass(frozen=True)
class Plan:
    """The cells that can run, in blocks; and those that cannot, each with its reason.

    If `shared`, the cells of one subject are neighbours in a block and share one session (a tunnel), unless they differ
    in a condition that a session is opened for, which `apart` names. Otherwise every sample has its own session.
    """

    cells: tuple[Cell, ...]
    unsupported: Mapping[Cell, str]
    blocks: int
    seed: int
    shared: bool = False
    apart: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a plan that is too large, before all of its steps are made."""
        if (samples := len(self.cells) * self.blocks) > SAMPLES:
            raise UsageError(
                f"{len(self.cells)} cells in {self.blocks} blocks are {samples} samples; a run has at most {SAMPLES}",
                "choose fewer blocks, or fewer cells: subjects, suites, measures, conditions",
            )

    def steps(self) -> list[Step]:
        """Every sample in order. The order of block n depends only on the seed and n."""
        steps = []
        for block in range(self.blocks):
            order = list(self.cells)
            draw = random.Random(f"{self.seed}/{block}")
            draw.shuffle(order)
            if self.shared:  # sessions in the order of their first cells after the shuffle
                first = {self._session(cell): place for place, cell in reversed(list(enumerate(order)))}
                order.sort(key=lambda cell: first[self._session(cell)])
            steps += [Step(block, position, cell) for position, cell in enumerate(order)]
        return steps

    def _session(self, cell: Cell) -> tuple[str | None, ...]:
        """What a session is opened for."""
        conditions = parse_conditions(cell.conditions)
        return (*cell.subject, *(conditions.get(key) for key in self.apart))

    def fingerprint(self) -> str:
        """A digest of the cells. A run can only be resumed with the plan that it was started with."""
        return hashlib.sha256("\n".join(self.listed()).encode()).hexdigest()[:16]

    def listed(self) -> list[str]:
        """Every cell as text, also those that cannot run. `meta.json` has them, to check samples."""
        return sorted(map(str, [*self.cells, *self.unsupported]))

    def groups(self, steps: Sequence[Step]) -> list[list[Step]]:
        """The groups of `steps` that share a session, in their order."""
        if not self.shared:
            return [[step] for step in steps]
        return [list(group) for _, group in groupby(steps, key=lambda step: (step.block, self._session(step.cell)))]


def offset(seed: int, step: Step) -> float:
    """The delay before a load in seconds, up to 0.05.

    On a deterministic clock every sample of a cell would otherwise see the same interleaving of TCP, wake-ups and
    daemon. The delay is seeded, so that a run can be repeated.
    """
    return random.Random(f"{seed}/{step.block}/{step.cell}").random() * 0.05
