# SPDX-License-Identifier: MIT
"""The worker's side: a plugin of a Dask worker, which keeps the worker's engine open while it takes units of a run."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from typing import Any, TypeVar

from distributed import Worker, WorkerPlugin, get_worker

from lab import benches
from lab.cluster import identity
from lab.cluster.identity import Identity
from lab.cluster.unit import Lost, Order, Reference, Survey, Taken, Unfit, Unit
from lab.core.errors import EngineGone, LabError
from lab.engines.engine import LOST, answering, because
from lab.results.store import differences
from lab.runner import settings as common
from lab.runner.attempt import Attempt
from lab.runner.bench import Share, Site
from lab.runner.group import attempts
from lab.runner.lock import alone
from lab.runner.plan import Step, offset

Answer = TypeVar("Answer")
NAME = "lab"
IDLE = 600.0
"""After so many seconds without a unit a worker closes its engine: the client may have been killed."""
HUNG = 75
"""The exit code of a worker that hangs. Its nanny starts it anew, and the scheduler gives its unit to another."""
log = logging.getLogger("distributed.worker.lab")  # Dask shows what is under `distributed`


class Workplace(WorkerPlugin):
    """One run's place on one worker. The client registers it; Dask gives it to workers that come later, too.

    A worker takes one unit at a time, whatever its number of threads. Its engine is opened for the first unit, and
    closed when the client leaves, when the worker ends, or after a while without units.
    """

    name = NAME

    def __init__(self, order: Order) -> None:
        self.order = order

    def setup(self, worker: Worker) -> None:
        """Prepare on the worker. Nothing is opened yet."""
        self.worker = worker
        self.lock = threading.RLock()
        self.stopping = False
        self.stack = ExitStack()
        self.site: Site | None = None
        self.meta: dict[str, Any] = {}
        self.shares: dict[str, Share] = {}
        self.watchdog: threading.Timer | None = None
        self.idle: threading.Timer | None = None

    async def teardown(self, worker: Worker) -> None:
        """Close the engine. A unit that is being taken ends after its sample; a guest is killed under it."""
        log.info("%s leaves the run", worker.name)
        self.stopping = True
        for engine in self.site.engines if self.site else ():
            engine.given_up = True
            if engine.kill and self.watchdog:
                with suppress(*LOST):
                    await asyncio.to_thread(engine.kill)
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Close the engine, if it is open, when no unit is being taken."""
        with self.lock:
            if self.idle:
                self.idle.cancel()
            stack, self.stack = self.stack, ExitStack()
            self.site, self.shares = None, {}
            try:
                stack.close()
            except (LabError, *LOST) as error:
                log.warning("the engine could not be closed: %s", _said(error))

    def survey(self) -> Survey:
        """Open the engine, and say what it can run. Raises what opening it raises."""
        with self._busy():
            site = self._opened()
            cells = [*site.plan.cells, *site.plan.unsupported]
            about = {cell: site.about(Step(0, 0, cell)) for cell in cells}
            return Survey(self.identity.machine, site.plan, self.meta, site.announced(), about)

    def complete(self, unit: Unit, meta: Mapping[str, Any]) -> dict[str, Any]:
        """`meta` with the facts that are known only when a lab is up."""
        with self._busy(), answering(self._opened().engines[0]):
            return self._share(unit).completed(meta)

    def take(self, unit: Unit) -> Taken:
        """Take the samples of a unit. Raises EngineGone, or what opening the engine raises."""
        samples: list[tuple[Step, Mapping[str, Any]]] = []
        with self._busy(), answering(engine := self._opened().engines[0]):
            share = self._share(unit)
            for group in unit.groups:
                for attempt in attempts(engine, share, group, self._begin):
                    samples.append((attempt.step, attempt.known))
                    if self.stopping:
                        raise EngineGone("the client left")
            return Taken(self.identity.machine, samples)

    def _begin(self, step: Step) -> Attempt:
        """Start an attempt, and give the worker the time of one sample for it."""
        self._watch()
        return Attempt(step, offset(self._opened().plan.seed, step))

    @cached_property
    def identity(self) -> Identity:
        """Who this worker is. Its images are asked for once: a run keeps those that it began with."""
        return identity.of_worker(str(self.worker.name), str(self.worker.contact_address))

    def _share(self, unit: Unit) -> Share:
        """The share of a run. Raises LabError if this worker differs from the others."""
        if unit.run not in self.shares:
            site = self._opened()
            self._check(unit.reference)
            self.shares[unit.run] = self.stack.enter_context(site.share(0, unit.run))
        return self.shares[unit.run]

    def _opened(self) -> Site:
        """The site of this worker, opened with the first call."""
        if self.site is None:
            model, bench = benches.settings(self.order.kind).Settings, benches.bench(self.order.kind)
            settings = common.settings(model, self.order.settings)
            try:
                self.stack.enter_context(alone(settings.engine.clock))
                site: Site = self.stack.enter_context(bench.opened(bench.choose(settings), log.info))
                self.meta = site.meta()
            except BaseException:
                self.close()
                raise
            self.site = site
        return self.site

    def _check(self, reference: Reference) -> None:
        """Raise LabError if something is not as the reference has it."""
        own = self.identity
        if lines := identity.differing({"the other workers": reference.digests, own.machine.worker: own.digests}):
            raise LabError("\n".join(lines))
        if changed := differences(reference.meta, self.meta, benches.bench(self.order.kind).KEPT):
            raise LabError(f"other than on the other workers: {', '.join(changed)}")

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """One unit at a time. A worker that hangs in it ends itself."""
        with self.lock:
            if self.stopping:
                raise EngineGone("the client left")
            if self.idle:
                self.idle.cancel()
            self._watch()
            try:
                yield
            except EngineGone:
                self.close()
                raise
            finally:
                if self.watchdog:
                    self.watchdog.cancel()
                self.watchdog = None
                self.idle = _timer(IDLE, self.close)

    def _watch(self) -> None:
        """Give the worker the time of one sample, from now on."""
        if self.watchdog:
            self.watchdog.cancel()
        self.watchdog = _timer(self.order.limit, self._hung)

    def _hung(self) -> None:
        """End this process: nothing else frees a thread that hangs."""
        log.error("no sample was taken for %g s: this worker hangs, and ends itself", self.order.limit)
        logging.shutdown()
        os._exit(HUNG)


def _timer(seconds: float, call: Any) -> threading.Timer:
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()
    return timer


def _here() -> Workplace:
    """The workplace of the worker that carries out this task."""
    plugin = get_worker().plugins.get(NAME)
    if not isinstance(plugin, Workplace):
        raise EngineGone("the client left")
    return plugin


def _said(error: Exception) -> str:
    if not isinstance(error, LabError):
        return because(error)
    return f"{error.message}; {error.hint}" if error.hint else error.message


def _answered(call: Callable[[], Answer]) -> Answer | Lost | Unfit:
    """What the call returns, or why the worker could not do it."""
    address = str(get_worker().contact_address)
    try:
        return call()
    except EngineGone as error:
        return Lost(address, error.message)
    except (LabError, *LOST) as error:
        return Unfit(address, _said(error))


def identify() -> Identity | Lost | Unfit:
    """A task: who the worker is."""
    worker = get_worker()
    return _answered(lambda: identity.of_worker(str(worker.name), str(worker.contact_address)))


def survey() -> Survey | Lost | Unfit:
    """A task: what the worker can run."""
    return _answered(lambda: _here().survey())


def complete(unit: Unit, meta: Mapping[str, Any]) -> dict[str, Any] | Lost | Unfit:
    """A task: `meta` with what is known only when a lab is up."""
    return _answered(lambda: _here().complete(unit, meta))


def take(unit: Unit) -> Taken | Lost | Unfit:
    """A task: the samples of a unit."""
    return _answered(lambda: _here().take(unit))
