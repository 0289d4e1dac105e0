# SPDX-License-Identifier: MIT
"""The samples that a run still has to take: those that were never taken, and those that went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.core.errors import LabError
from lab.results.schema import Meta
from lab.results.store import AGAIN, ATTEMPT, Key, Store, key_of
from lab.runner.plan import Plan, Step

NEXT = "restore the machine to its former state, or start a new run"


class Taken:
    """The samples in a run's folder when it starts or is resumed: the last attempt at each step."""

    def __init__(self, store: Store) -> None:
        self.name = store.folder.name
        self.last: dict[Key, Mapping[str, Any]] = {key_of(sample): sample for sample in store.last()}
        self.decided = Meta.model_validate(store.meta()).decided

    def wants(self, step: Step) -> bool:
        """Whether a step is to be taken: it has no sample, or the last one failed or was invalid.

        After the block with which a run was decided, none is.
        """
        if self.decided and step.block >= self.decided:
            return False
        former = self.last.get((step.block, step.cell))
        return former is None or former["outcome"] in AGAIN

    def numbered(self, step: Step, sample: Mapping[str, Any]) -> dict[str, Any]:
        """The sample, with the number of its attempt if it is not the first."""
        former = self.last.get((step.block, step.cell))
        return dict(sample) if former is None else {**sample, ATTEMPT: former.get(ATTEMPT, 1) + 1}

    def impossible(self, plan: Plan) -> dict[Step, str]:
        """The cells that cannot run and have no sample yet, with the reasons.

        Raises:
            LabError: a cell can run now but could not when the run started, or the reverse.
        """
        noted = {key[1] for key, sample in self.last.items() if sample["position"] < 0}
        measured = {key[1] for key, sample in self.last.items() if sample["position"] >= 0}
        for cell in noted.intersection(plan.cells):
            reason = self.last[0, cell]["reason"]
            raise LabError(
                f"{self.name} cannot be resumed: {cell} can run now, but could not when it started: {reason}", NEXT
            )
        for cell in measured.intersection(plan.unsupported):
            reason = plan.unsupported[cell]
            raise LabError(f"{self.name} cannot be resumed: {cell} can no longer run: {reason}", NEXT)
        return {Step(0, -1, cell): reason for cell, reason in plan.unsupported.items() if cell not in noted}
