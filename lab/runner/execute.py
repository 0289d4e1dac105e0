# SPDX-License-Identifier: MIT
"""Carry out a plan. Every sample, whatever its outcome, is on the disk before the next one begins."""

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
from lab.runner.looking import Looks
from lab.runner.missing import Taken
from lab.runner.outcome import outcomes
from lab.runner.plan import Step, offset
from lab.runner.side_by_side import side_by_side


def execute(site: Site, store: Store, follower: Follower, looks: Looks | None = None) -> dict[str, int]:
    """Take every sample that is missing or went wrong. Returns the number of samples by outcome.

    Each of n engines takes every n-th group of samples. A run that is resumed is divided in the same way. With `looks`
    the run is taken in stages, and may end after any of them.

    Raises:
        LabError: the store cannot be written, or an engine is gone. Stopped: a signal came. Earlier samples are kept.
    """
    with store.writing():
        run, steps = Execution(site, store, Taken(store), follower), site.plan.steps()
        run.note_impossible()
        with follower.start(sum(map(run.taken.wants, steps)), len(steps)):
            for blocks in (looks or Looks()).parts(store, site.plan.blocks):
                lanes = [partial(run.on_engine, number, blocks) for number in range(len(site.engines))]
                side_by_side(site.engines, lanes)
    return outcomes(store.last())


@dataclass(frozen=True)
class Execution:
    """What all engines share. The `lock` protects the store and the follower."""

    site: Site
    store: Store
    taken: Taken
    follower: Follower
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note_impossible(self) -> None:
        """Store a sample for each cell that cannot run, once. Raises what `Taken.impossible` raises."""
        for step, reason in self.taken.impossible(self.site.plan).items():
            self.store.append(self._sample(step, {"outcome": "unsupported", "reason": reason}))

    def on_engine(self, number: int, blocks: range) -> None:
        """Take one engine's share of these blocks of the run."""
        site, engine = self.site, self.site.engines[number]
        with answering(engine), site.share(number, self.store.folder.name) as share:
            if number == 0 and (completed := share.completed(meta := self.store.meta())) != meta:
                self.store.write_meta(completed)
            groups = site.plan.groups(site.plan.steps())[number :: len(site.engines)]
            self.take(engine, share, [group for group in groups if group[0].block in blocks])

    def take(self, engine: Engine, share: Share, groups: Iterable[Sequence[Step]]) -> None:
        """Take every sample of `groups` that is missing in the store or went wrong."""
        for group in groups:
            for attempt in attempts(engine, share, [*filter(self.taken.wants, group)], self._begin):
                sample = self.taken.numbered(attempt.step, self._sample(attempt.step, attempt.known))
                with self.lock:
                    self.store.append(sample)
                    self.follower.after(attempt.step, sample)

    def _sample(self, step: Step, known: Mapping[str, Any]) -> dict[str, Any]:
        """A sample as it is stored: its step, the engine and clock, and what is known of it."""
        place = {"run": self.store.folder.name, "block": step.block, "position": step.position}
        return {**place, **asdict(step.cell), **self.site.about(step), **known}

    def _begin(self, step: Step) -> Attempt:
        """Start an attempt at a step, and notify the follower."""
        with self.lock:
            self.follower.before(step)
        return Attempt(step, offset(self.site.plan.seed, step))
