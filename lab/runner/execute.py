# SPDX-License-Identifier: MIT
"""Carry out a plan. Every sample, whatever its outcome, is on the disk before its engine begins the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lab.engines.engine import Engine
from lab.results.store import Store
from lab.runner.attempt import Attempt
from lab.runner.bench import Share
from lab.runner.crew import Crew
from lab.runner.follower import Follower
from lab.runner.group import attempts
from lab.runner.looking import Looks
from lab.runner.missing import Taken
from lab.runner.outcome import outcomes
from lab.runner.plan import Plan, Step, offset


def execute(crew: Crew, store: Store, follower: Follower, looks: Looks | None = None) -> dict[str, int]:
    """Have the crew take every sample that is missing or went wrong. Returns the number of samples by outcome.

    With `looks` the run is taken in stages, and may end after any of them.

    Raises:
        LabError: the store cannot be written, or an engine is gone. Stopped: a signal came. Earlier samples are kept.
    """
    with store.writing():
        run, steps = Execution(crew, store, Taken(store), follower), crew.plan.steps()
        run.note_impossible()
        with follower.start(sum(map(run.taken.wants, steps)), len(steps)):
            for blocks in (looks or Looks()).parts(store, crew.plan.blocks):
                crew.take(run, blocks)
    return outcomes(store.last())


@dataclass(frozen=True)
class Execution:
    """A run that is carried out by a crew. The `lock` protects the store and the follower."""

    crew: Crew
    store: Store
    taken: Taken
    follower: Follower
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """The name of the run."""
        return self.store.folder.name

    @property
    def plan(self) -> Plan:
        """The cells to measure."""
        return self.crew.plan

    def groups(self) -> list[list[Step]]:
        """All samples of the plan, whether or not they are taken, in the groups that share a session."""
        return self.plan.groups(self.plan.steps())

    def note_impossible(self) -> None:
        """Store a sample for each cell that cannot run, once. Raises what `Taken.impossible` raises."""
        for step, reason in self.taken.impossible(self.plan).items():
            self.store.append(self._sample(step, {"outcome": "unsupported", "reason": reason}))

    def complete(self, completed: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
        """Store what `completed` adds to `meta.json`."""
        with self.lock:
            if (now := completed(meta := self.store.meta())) != meta:
                self.store.write_meta(now)

    def take(self, engine: Engine, share: Share, groups: Iterable[Sequence[Step]]) -> None:
        """Take every sample of `groups` that is missing in the store or went wrong."""
        for group in groups:
            for attempt in attempts(engine, share, [*filter(self.taken.wants, group)], self._begin):
                self.keep(attempt.step, attempt.known)

    def keep(self, step: Step, known: Mapping[str, Any]) -> None:
        """Store a sample, and notify the follower."""
        sample = self.taken.numbered(step, self._sample(step, known))
        with self.lock:
            self.store.append(sample)
            self.follower.after(step, sample)

    def keep_twin(self, step: Step, known: Mapping[str, Any]) -> None:
        """Store a sample that was taken once more, by another worker: to compare, and for nothing else."""
        with self.lock:
            self.store.twins.append(self._sample(step, known))

    def begun(self, step: Step) -> None:
        """Notify the follower that a sample starts."""
        with self.lock:
            self.follower.before(step)

    def _sample(self, step: Step, known: Mapping[str, Any]) -> dict[str, Any]:
        """A sample as it is stored: its step, the engine and clock, and what is known of it."""
        place = {"run": self.name, "block": step.block, "position": step.position}
        return {**place, **asdict(step.cell), **self.crew.about(step), **known}

    def _begin(self, step: Step) -> Attempt:
        """Start an attempt at a step, and notify the follower."""
        self.begun(step)
        return Attempt(step, offset(self.plan.seed, step))
