# SPDX-License-Identifier: MIT
"""Which cells to measure, and in which order: seeded randomised complete blocks.

Every block holds every cell once, in an order of its own, so that whatever drifts on a shared machine falls on all
cells alike and ratios taken within a block cancel it.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from lab.core.errors import UsageError
from lab.results.cell import Cell

BLOCKS = 10_000
"""More blocks than any run needs: at a second a block a run of one cell takes three hours."""
SAMPLES = 1_000_000
"""More samples than any run can have: at a second each they take eleven days."""


@dataclass(frozen=True)
class Step:
    """One sample to take: the cell, its block (from 0) and its position in that block (from 0)."""

    block: int
    position: int
    cell: Cell


@dataclass(frozen=True)
class Plan:
    """The cells that can run, in blocks; and those that cannot, each with its reason.

    With `shared`, all cells of one subject follow each other in a block and are taken in one session (a tunnel);
    otherwise every sample has a session of its own.
    """

    cells: tuple[Cell, ...]
    unsupported: Mapping[Cell, str]
    blocks: int
    seed: int
    shared: bool = False

    def __post_init__(self) -> None:
        """Refuse a plan that nobody could wait for, before it is held in memory step by step."""
        if (samples := len(self.cells) * self.blocks) > SAMPLES:
            raise UsageError(
                f"{len(self.cells)} cells in {self.blocks} blocks are {samples} samples; a run has at most {SAMPLES}",
                "fewer blocks, or fewer cells: what is measured, of what, and under which conditions",
            )

    def steps(self) -> list[Step]:
        """Every sample in order. The order of block n depends on the seed and n alone."""
        steps = []
        for block in range(self.blocks):
            order = list(self.cells)
            draw = random.Random(f"{self.seed}/{block}")
            draw.shuffle(order)
            if self.shared:  # subjects in the order in which the shuffle puts their first cell
                first = {cell.subject: place for place, cell in reversed(list(enumerate(order)))}
                order.sort(key=lambda cell: first[cell.subject])
            steps += [Step(block, position, cell) for position, cell in enumerate(order)]
        return steps

    def fingerprint(self) -> str:
        """A digest of the cells: a run is only resumed by the plan that it was started with."""
        return hashlib.sha256("\n".join(self.listed()).encode()).hexdigest()[:16]

    def listed(self) -> list[str]:
        """Every cell as text, those that cannot run too: what `meta.json` keeps, and the samples are held against."""
        return sorted(map(str, [*self.cells, *self.unsupported]))

    def groups(self, steps: Sequence[Step]) -> list[list[Step]]:
        """`steps` by the session that they are taken in, in their order."""
        if not self.shared:
            return [[step] for step in steps]
        return [list(group) for _, group in groupby(steps, key=lambda step: (step.block, step.cell.subject))]


def offset(seed: int, step: Step) -> float:
    """Seconds, up to 50 ms, by which a load starts later.

    On a deterministic clock a cell would otherwise only ever be seen in the one interleaving of TCP, wake-ups and
    daemon that its start leads to. Seeded, so that a run can be repeated.
    """
    return random.Random(f"{seed}/{step.block}/{step.cell}").random() * 0.05
