# SPDX-License-Identifier: MIT
"""Carry a plan out: every sample on the disk before the next begins, whatever becomes of it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from lab.engines.engine import Engine, answering
from lab.results.store import Store
from lab.runner.attempt import Attempt
from lab.runner.bench import Share, Site
from lab.runner.follower import Follower
from lab.runner.group import attempts
from lab.runner.missing import Taken
from lab.runner.outcome import outcomes
from lab.runner.plan import Step, offset
from lab.runner.side_by_side import side_by_side


def execute(site: Site, store: Store, follower: Follower) -> dict[str, int]:
    """Take every sample that is missing or went wrong; returns the number of samples by outcome.

    Of n engines each takes every n-th group of samples, the same ones whenever the plan is carried out.

    Raises:
        LabError: the store cannot be written, or an engine is gone; Stopped: a signal came. What was measured is kept.
    """
    with store.writing():
        run, steps = Execution(site, store, Taken(store), follower), site.plan.steps()
        run.note_impossible()
        with follower.start(sum(map(run.taken.wants, steps)), len(steps)):
            lanes = [partial(run.on_engine, number) for number in range(len(site.engines))]
            side_by_side(site.engines, lanes)
    return outcomes(store.last())


@dataclass(frozen=True)
class Execution:
    """What all engines share: the store and the follower, of which the `lock` is held."""

    site: Site
    store: Store
    taken: Taken
    follower: Follower
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note_impossible(self) -> None:
        """Put down what the plan cannot run, once. Raises what `Taken.impossible` raises."""
        for step, reason in self.taken.impossible(self.site.plan).items():
            self.store.append(self._sample(step, {"outcome": "unsupported", "reason": reason}))

    def on_engine(self, number: int) -> None:
        """One engine's share of the run."""
        site, engine = self.site, self.site.engines[number]
        with answering(engine), site.share(number, self.store.folder.name) as share:
            if number == 0 and (whole := share.completed(meta := self.store.meta())) != meta:
                self.store.write_meta(whole)
            self.take(engine, share, site.plan.groups(site.plan.steps())[number :: len(site.engines)])

    def take(self, engine: Engine, share: Share, groups: Iterable[Sequence[Step]]) -> None:
        """Take every sample of `groups` that the store does not hold yet, and once more each that went wrong."""
        for group in groups:
            for attempt in attempts(engine, share, [*filter(self.taken.wants, group)], self._begin):
                sample = self.taken.numbered(attempt.step, self._sample(attempt.step, attempt.known))
                with self.lock:
                    self.store.append(sample)
                    self.follower.after(attempt.step, sample)

    def _sample(self, step: Step, known: Mapping[str, Any]) -> dict[str, Any]:
        """A sample as it is stored: which one it is, where it was taken, and what is known of it."""
        which = {"run": self.store.folder.name, "block": step.block, "position": step.position}
        return {**which, **asdict(step.cell), **self.site.about(step), **known}

    def _begin(self, step: Step) -> Attempt:
        """An attempt at a step, of which the follower is told."""
        with self.lock:
            self.follower.before(step)
        return Attempt(step, offset(self.site.plan.seed, step))
