# SPDX-License-Identifier: MIT
"""The tasks that are under way in a cluster, and who may take them. Dask chooses, and repeats what is lost."""

from __future__ import annotations

import queue
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import Any

from distributed import Client

from lab.cluster.identity import Machine
from lab.cluster.unit import Unit

TICK = 2.0
"""Seconds after which it is asked again which workers there are."""


@dataclass(eq=False)
class Job:
    """A task, its arguments, and who may take it.

    `host`: the one machine that may (a block that was begun there). `other_than`: the worker that may not (it took the
    same unit before). `address`: the one worker that may. `tries`: how often an engine went away under it.
    """

    call: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    unit: Unit | None = None
    host: str | None = None
    other_than: Machine | None = None
    address: str | None = None
    tries: int = 0
    repeated: bool = False
    where: Collection[str] = field(default=())

    def fitting(self, machines: Collection[Machine]) -> list[str]:
        """The addresses of those machines' workers that may take it; of another machine, if there is any."""
        if self.address is not None:
            return [self.address]
        if self.host is not None:
            return [each.address for each in machines if each.host == self.host]
        if (former := self.other_than) is not None:
            others = [each for each in machines if each.worker != former.worker]
            return [each.address for each in others if each.host != former.host] or [each.address for each in others]
        return [each.address for each in machines]


@dataclass(frozen=True)
class Done:
    """A job that ended: with a `result`, or an `error`. Neither: nobody is left who may take it."""

    job: Job
    result: Any = None
    error: BaseException | None = None


class Jobs:
    """The jobs that are under way. Dask keeps the tasks; here it is only known which there are."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.pending: dict[Future[Any], Job] = {}
        self._ended: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()

    def __len__(self) -> int:
        return len(self.pending)

    def submit(self, job: Job, where: Collection[str], *, anybody: bool) -> None:
        """Give a job to the cluster: to `anybody`, or to the workers with the addresses `where`."""
        job.where = () if anybody else where
        restriction = {} if anybody else {"workers": list(where)}
        executor = self.client.get_executor(pure=False, **restriction)  # type: ignore[no-untyped-call]
        future = executor.submit(job.call, *job.arguments)
        self.pending[future] = job
        future.add_done_callback(self._ended.put)

    def ended(self, present: Collection[str]) -> Iterator[Done]:
        """Wait for jobs to end, at most a moment. Those that only workers could take that are gone end with nothing."""
        for future in [each for each, job in self.pending.items() if job.where and not {*job.where} & {*present}]:
            future.cancel()
        try:
            futures = [self._ended.get(timeout=TICK)]
            while not self._ended.empty():
                futures.append(self._ended.get())
        except queue.Empty:
            return
        for future in futures:
            if job := self.pending.pop(future, None):
                yield _outcome(future, job)

    def cancel(self) -> None:
        """Withdraw everything that is under way."""
        for future in list(self.pending):
            future.cancel()
        self.pending.clear()


def _outcome(future: Future[Any], job: Job) -> Done:
    try:
        return Done(job, result=future.result())
    except CancelledError:
        return Done(job)
    except Exception as error:  # noqa: BLE001 - whatever a task raises: the crew decides
        return Done(job, error=error)
