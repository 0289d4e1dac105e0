# SPDX-License-Identifier: MIT
"""Several engines at the same time, each with its share of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress

from lab.engines.engine import LOST, Engine


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
