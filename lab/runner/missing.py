# SPDX-License-Identifier: MIT
"""Which samples a run has still to take: those that it never took, and once more those that went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.core.errors import LabError
from lab.results.store import AGAIN, ATTEMPT, Key, Store, key_of
from lab.runner.plan import Plan, Step

NEXT = "make the machine as it was, or start a new run"


class Taken:
    """What a run's folder holds when it begins or goes on: the last attempt at each step."""

    def __init__(self, store: Store) -> None:
        self.name = store.folder.name
        self.last: dict[Key, Mapping[str, Any]] = {key_of(sample): sample for sample in store.last()}

    def wants(self, step: Step) -> bool:
        """Whether a step is to be taken: it never was, or went wrong the last time. What is unsupported stays so."""
        former = self.last.get((step.block, step.cell))
        return former is None or former["outcome"] in AGAIN

    def numbered(self, step: Step, sample: Mapping[str, Any]) -> dict[str, Any]:
        """A sample with the number of its attempt, where it is not the first."""
        former = self.last.get((step.block, step.cell))
        return dict(sample) if former is None else {**sample, ATTEMPT: former.get(ATTEMPT, 1) + 1}

    def impossible(self, plan: Plan) -> dict[Step, str]:
        """What the plan cannot run and is not yet put down, with the reasons: each cell once.

        Raises:
            LabError: this engine can run what it could not when the run began, or the other way round.
        """
        noted = {key[1] for key, sample in self.last.items() if sample["position"] < 0}
        measured = {key[1] for key, sample in self.last.items() if sample["position"] >= 0}
        for cell in noted.intersection(plan.cells):
            reason = self.last[0, cell]["reason"]
            raise LabError(f"{self.name} cannot go on: {cell} can be run now, and could not: {reason}", NEXT)
        for cell in measured.intersection(plan.unsupported):
            reason = plan.unsupported[cell]
            raise LabError(f"{self.name} cannot go on: {cell} can no longer be run: {reason}", NEXT)
        return {Step(0, -1, cell): reason for cell, reason in plan.unsupported.items() if cell not in noted}
