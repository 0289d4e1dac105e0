# SPDX-License-Identifier: MIT
"""Several engines of this machine at the same time, each with its share of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from lab.engines.engine import LOST, Engine, answering
from lab.runner.bench import Site
from lab.runner.plan import Plan, Step

if TYPE_CHECKING:
    from lab.runner.execute import Execution


@dataclass(frozen=True)
class SideBySide:
    """The crew of a site: each of its n engines takes every n-th group of samples.

    A run that is resumed is divided in the same way.
    """

    site: Site

    @property
    def plan(self) -> Plan:
        """The plan that fits the engines."""
        return self.site.plan

    def announced(self) -> str:
        """The size of the plan, in words."""
        return self.site.announced()

    def meta(self) -> dict[str, Any]:
        """What `meta.json` records about a run of this plan."""
        return self.site.meta()

    def about(self, step: Step) -> dict[str, Any]:
        """The `records`, `engine` and `clock` of a sample."""
        return self.site.about(step)

    def take(self, run: Execution, blocks: range) -> None:
        """Take these blocks of the run on all engines."""
        lanes = [partial(self._on_engine, number, run, blocks) for number in range(len(self.site.engines))]
        side_by_side(self.site.engines, lanes)

    def _on_engine(self, number: int, run: Execution, blocks: range) -> None:
        """Take one engine's share of these blocks of the run."""
        site, engine = self.site, self.site.engines[number]
        with answering(engine), site.share(number, run.name) as share:
            if number == 0:
                run.complete(share.completed)
            groups = run.groups()[number :: len(site.engines)]
            run.take(engine, share, [group for group in groups if group[0].block in blocks])


def side_by_side(engines: Sequence[Engine], lanes: Sequence[Callable[[], None]]) -> None:
    """Run all lanes at the same time. If one fails, or a signal comes, the machines of all engines are killed.

    A single lane runs in this thread, and its machine is left to the caller.
    """
    if len(lanes) == 1:
        lanes[0]()
        return
    with ThreadPoolExecutor(max_workers=len(lanes)) as pool:
        jobs = [pool.submit(lane) for lane in lanes]
        try:
            for job in as_completed(jobs):
                job.result()
        except BaseException:
            for engine in engines:
                engine.given_up = True
                if engine.kill:
                    with suppress(*LOST):
                        engine.kill()
            raise
