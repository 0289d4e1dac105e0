# SPDX-License-Identifier: MIT
"""The stages of a run of `--blocks auto`: after each the run is looked at, and ends if its comparisons are decided.

A look is noted in `meta.json`, and is taken once: a run that is resumed goes on from there, whatever its repeated
samples say by now. So resuming is no way to look more often.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lab.core.errors import LabError
from lab.results.looks import Look
from lab.results.schema import Meta
from lab.results.store import Store


def looked(store: Store, blocks: int) -> Look:
    """Look at a run after so many blocks, in a process of its own (`lab.stats.deciding`).

    Raises:
        LabError: the run cannot be read.
    """
    command = [sys.executable, "-m", "lab.stats.deciding", str(store.folder), str(blocks)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"the process that looks ended with {done.returncode}"]
        raise LabError(
            f"{store.folder.name} cannot be looked at after {blocks} blocks: {said[-1]}",
            f"its samples are kept: `lab report {store.folder.name}` shows them, `--resume` goes on",
        )
    return Look.model_validate_json(done.stdout)


def _quietly(look: Look) -> None:
    """Nobody is told."""


@dataclass(frozen=True)
class Looks:
    """The numbers of blocks at which a run is looked at (none if it has a fixed number), who is told, and who looks."""

    stages: Sequence[int] = ()
    tell: Callable[[Look], None] = _quietly
    look: Callable[[Store, int], Look] = looked

    def parts(self, store: Store, blocks: int) -> Iterator[range]:
        """The blocks to take, part by part; all `blocks` at once in a run without looks."""
        noted = {each.blocks: each for each in Meta.model_validate(store.meta()).looks}
        first, stages = 0, self.stages or [blocks]
        for stage in stages:
            if stage in noted and not noted[stage].over and stage != stages[-1]:
                continue  # it is looked at already; what is missing in it is taken with the next
            yield range(first, stage)
            first = stage
            if self.stages and stage not in noted:
                noted[stage] = self.look(store, stage)
                store.write_meta({**store.meta(), "looks": [look.model_dump() for look in noted.values()]})
                self.tell(noted[stage])
            if stage in noted and noted[stage].over:
                return
