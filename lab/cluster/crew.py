# SPDX-License-Identifier: MIT
"""The crew of a cluster: the client's side. It alone writes the run. Dask gives units to workers, and repeats them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING, Any

from distributed import Client, Lock
from distributed.scheduler import KilledWorker

from lab import benches
from lab.cluster import LIMIT, TWICE, workplace
from lab.cluster.connection import connected
from lab.cluster.fleet import HINT, MEND, Fleet, Say
from lab.cluster.identity import Identity, Machine
from lab.cluster.jobs import Done, Job, Jobs
from lab.cluster.unit import Lost, Order, Reference, Survey, Taken, Unfit, Unit, divided
from lab.cluster.workplace import NAME, Workplace
from lab.core.errors import EngineGone, LabError, UsageError
from lab.core.terminal import counted
from lab.results.store import MACHINE, WORKER, differences, key_of
from lab.runner.attempt import Attempt
from lab.runner.plan import Plan, Step
from lab.runner.settings import Settings

if TYPE_CHECKING:
    from lab.runner.execute import Execution

TRIES = 3
"""So many engines may go away under a unit, before its samples count as failed."""
LEAVING = 20.0
"""Seconds within which workers close their engines, before the client leaves all the same."""
LEASE = 45.0
"""Dask takes a lock back from a client that did not show up for 30 s, and looks for such ones every 10 s or so."""


class Cluster:
    """A crew of workers. Its plan is what they said that they can run."""

    def __init__(self, client: Client, kind: str, say: Say, twice: int) -> None:
        self.kind, self.say, self.twice = kind, say, twice
        self.fleet, self.jobs = Fleet(client, say), Jobs(client)
        self.survey = self._surveyed()
        self.reference = Reference(self.fleet.digests, _kept(self.survey.meta, benches.bench(kind).KEPT))
        self.noted: set[Machine] = set()

    @property
    def plan(self) -> Plan:
        """The plan that fits the engines of the workers."""
        return self.survey.plan

    def about(self, step: Step) -> Mapping[str, Any]:
        """The `records`, `engine` and `clock` of a sample."""
        return self.survey.about[step.cell]

    def announced(self) -> str:
        """The size of the plan, and how many workers there are, in words."""
        return f"{self.survey.announced}, by {counted(len(self.fleet.fit), 'worker')}"

    def meta(self) -> dict[str, Any]:
        """What `meta.json` records, and each worker with its machine (`workers`)."""
        return {**self.survey.meta, "workers": {each.worker: each.facts() for each in self.fleet.fit}}

    def take(self, run: Execution, blocks: range) -> None:
        """Take these blocks of the run. A unit that is lost with its worker is taken by another.

        Raises:
            EngineGone: no worker is left that could go on, or the scheduler is gone.
        """
        todo = deque(self._jobs_of(run, blocks))
        try:
            while todo or any(job.unit for job in self.jobs.pending.values()):
                self.fleet.look()
                todo.extendleft(self.fleet.greetings())
                self._hand_out(run, todo)
                for done in self.jobs.ended(self.fleet.present):
                    todo.extendleft(reversed(self._after(run, done)))
                if self._stuck(todo):
                    break
        finally:
            self.jobs.cancel()
        self._left_over(todo)

    def _hand_out(self, run: Execution, todo: deque[Job]) -> None:
        """Give each worker that is free a job. No more are under way than there are workers: each costs memory."""
        fleet = self.fleet
        for job in list(todo):
            greets = job.address is not None
            if not greets and sum(1 for each in self.jobs.pending.values() if each.unit) >= len(fleet.fit):
                break
            if where := job.fitting(fleet.fit):
                todo.remove(job)
                bound = job.host or job.other_than or job.address
                self.jobs.submit(job, where, anybody=fleet.anybody and not bound)
                if job.call is workplace.take and job.unit:
                    run.begun(job.unit.steps[0])

    def _after(self, run: Execution, done: Done) -> list[Job]:
        """What is to be done next after a job has ended."""
        job, result = done.job, done.result
        if job.address is not None:
            self.fleet.met(done)
            return []
        if isinstance(result, Lost):
            self.fleet.lost(result.address, result.reason)
            job.tries += 1
            return [job] if job.tries < TRIES else self._failed(run, job, result.reason)
        if isinstance(result, Unfit):
            self.fleet.reject(result.address, result.reason)
            return [job]
        if isinstance(done.error, KilledWorker):
            return self._failed(run, job, f"{done.error.allowed_failures + 1} workers died while they took it")
        if done.error is not None:
            raise done.error
        if isinstance(result, Taken):
            return self._keep(run, job, result)
        if job.call is workplace.complete and result is not None:
            run.complete(lambda meta: {**result, "workers": meta.get("workers", {})})
            return []
        if self.fleet.client.status != "running":
            raise EngineGone("the scheduler of the cluster no longer answers")
        return [job]

    def _keep(self, run: Execution, job: Job, taken: Taken) -> list[Job]:
        """Store the samples of a unit. Returns the same unit for another worker, if it is one of those taken twice."""
        machine, keep = taken.machine, run.keep_twin if job.other_than else run.keep
        self.fleet.worked(machine.address)
        if machine not in self.noted:
            self.noted.add(machine)
            run.complete(lambda meta: {**meta, "workers": {**meta.get("workers", {}), machine.worker: machine.facts()}})
        for step, known in taken.samples:
            keep(step, {**known, WORKER: machine.worker, MACHINE: machine.host})
        return [Job(workplace.take, job.arguments, job.unit, other_than=machine)] if job.repeated else []

    def _failed(self, run: Execution, job: Job, reason: str) -> list[Job]:
        """Keep the samples of a unit as failed: it is not known whether they or the workers are at fault."""
        for step in job.unit.steps if job.unit and job.call is workplace.take and not job.other_than else ():
            run.keep(step, {**Attempt(step).known, "outcome": "failed", "reason": reason})
        return []

    def _jobs_of(self, run: Execution, blocks: range) -> Iterator[Job]:
        """The units of these blocks that are to be taken, in the order of the plan; before them what is asked once."""
        clock = str(self.survey.meta["engine"]["clock"])
        every = [group for group in run.groups() if group[0].block in blocks]
        wanted = [group for each in every if (group := [*filter(run.taken.wants, each)])]
        units = [Unit(run.name, groups, self.reference) for groups in divided(wanted, clock)]
        twins = {key_of(sample) for sample in run.store.twins.last()}
        hosts = {} if clock == "instructions" else _hosts(run)
        if units and not blocks.start:
            meta = run.store.meta()
            yield Job(workplace.complete, (units[0], meta), units[0])
        for number, unit in enumerate(units):
            first = unit.steps[0]
            twice = number < self.twice and not blocks.start and (first.block, first.cell) not in twins
            yield Job(workplace.take, (unit,), unit, host=hosts.get(first.block), repeated=twice)

    def _stuck(self, todo: Sequence[Job]) -> bool:
        """Whether nothing is under way, and nobody who is there may take what is left."""
        fleet = self.fleet
        known = len(fleet.machines.keys() & {*fleet.present}) == len(fleet.present)
        if len(self.jobs) or not todo or not fleet.present or not known:
            return False
        return not any(job.fitting(fleet.fit) for job in todo)

    def _left_over(self, todo: Sequence[Job]) -> None:
        """Say what nobody could take. Raises EngineGone if that are samples of the run."""
        if any(job.other_than for job in todo):
            self.say("nothing was taken twice: that takes a second worker")
        left = [job for job in todo if not job.other_than]
        if left and not self.fleet.fit:
            reasons = "; ".join(sorted({*self.fleet.unfit.values()}))
            raise EngineGone(f"no worker of the cluster can go on: {reasons}")
        if hosts := sorted({job.host for job in left if job.host is not None}):
            raise EngineGone(
                f"{sum(len(job.unit.steps) for job in left if job.unit)} samples are left: on the wall clock a block "
                f"stays on the machine that began it, and no worker is on {', '.join(host or 'it' for host in hosts)}"
            )

    def _surveyed(self) -> Survey:
        """Wait for workers, compare them, and open the engines of all. Returns what the first one said.

        Raises:
            LabError: they are not the same, or one of them cannot open its engine; names them all.
        """
        fleet = self.fleet
        identities: dict[str, Identity] = self._answers(workplace.identify)
        fleet.compared(identities)
        names = sorted(each.worker for each in fleet.machines.values())
        self.say(f"{counted(len(names), 'worker')}: {', '.join(names)}")
        surveys: dict[str, Survey] = self._answers(workplace.survey)
        first, *others = surveys.values()
        keys = benches.bench(self.kind).KEPT
        lines = [
            f"{key}: other on {other.machine.worker} than on {first.machine.worker}"
            for other in others for key in differences(first.meta, other.meta, keys)
        ]  # fmt: skip
        if lines:
            raise LabError("the workers of the cluster are not the same:\n" + "\n".join(lines), HINT)
        return first

    def _answers(self, call: Callable[[], Any]) -> dict[str, Any]:
        """The answer of every worker that is there, by address. One that goes away meanwhile is left out.

        Raises:
            LabError: one of them cannot answer; names each, and why.
        """
        answers: dict[str, Any] = {}
        while not answers:
            for address in self._workers():
                self.jobs.submit(Job(call, address=address), [address], anybody=False)
            while len(self.jobs):
                self.fleet.look()
                for done in self.jobs.ended(self.fleet.present):
                    if done.error is not None:
                        raise done.error
                    if done.result is not None:
                        answers[str(done.job.address)] = done.result
        refused = {each: answer for each, answer in answers.items() if isinstance(answer, Lost | Unfit)}
        if refused:
            lines = sorted(f"{self.fleet.name(address)}: {answer.reason}" for address, answer in refused.items())
            raise LabError("workers of the cluster cannot take part:\n" + "\n".join(lines), MEND)
        return answers

    def _workers(self) -> list[str]:
        """The addresses of the workers that are there; waits for the first one."""
        self.fleet.look()
        if not self.fleet.present:
            self.say("waiting for a worker")
        while not self.fleet.present:
            list(self.jobs.ended(()))
            self.fleet.look()
        return sorted(self.fleet.present)


@contextmanager
def joined(
    address: str, kind: str, settings: Settings, say: Say, *, twice: int = TWICE, limit: float = LIMIT
) -> Iterator[Cluster]:
    """The workers at the scheduler `address`, ready to take a run of `lab <kind>`. They close their engines afterwards.

    Raises:
        UsageError: the settings want several guests, or `connected` refuses the address.
        LabError: there is no scheduler or no worker, or the workers are not the same; says what differs.
    """
    if settings.engine.guests > 1:
        raise UsageError("--guests: a worker has one guest", "start several workers on a machine for several guests")
    with connected(address) as client, working(client, kind, settings, say, twice=twice, limit=limit) as cluster:
        yield cluster


@contextmanager
def working(client: Client, kind: str, settings: Settings, say: Say, *, twice: int, limit: float) -> Iterator[Cluster]:
    """The workers of a client's cluster, as `joined` gives them."""
    with _alone(client, say):
        client.register_plugin(Workplace(Order(kind, settings.model_dump(), limit)))
        try:
            yield Cluster(client, kind, say, twice)
        finally:
            # A worker first ends its sample, unless its engine can be killed. The client does not wait for that long.
            leaving = Thread(target=_leave, args=(client,), daemon=True)
            leaving.start()
            leaving.join(LEAVING)


@contextmanager
def _alone(client: Client, say: Say) -> Iterator[None]:
    """Have the cluster for one run. The scheduler takes it back from a client that was killed (LEASE).

    Raises:
        LabError: another run has it.
    """
    lock = Lock(NAME, client.scheduler, client.loop)  # type: ignore[no-untyped-call]
    if not lock.acquire(timeout=1):  # type: ignore[no-untyped-call]
        say("another run has the cluster, or had it until it was killed: waiting")
        if not lock.acquire(timeout=LEASE):  # type: ignore[no-untyped-call]
            raise LabError("another run has the cluster", "wait for it, or stop it: a cluster takes one run at a time")
    try:
        yield
    finally:
        with suppress(OSError, RuntimeError):
            lock.release()  # type: ignore[no-untyped-call]


def _leave(client: Client) -> None:
    # A worker that has just come has none yet: that is a LookupError.
    with suppress(OSError, ValueError, RuntimeError, LookupError):
        client.unregister_worker_plugin(NAME)  # type: ignore[no-untyped-call]


def _kept(meta: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """The part of `meta` that the `keys` lead into."""
    return {name: meta.get(name) for name in (key.partition(".")[0] for key in keys)}


def _hosts(run: Execution) -> dict[int, str]:
    """The machine of each block that was begun; empty text where it is not known."""
    last: Sequence[Mapping[str, Any]] = list(run.taken.last.values())
    return {sample["block"]: str(sample.get(MACHINE, "")) for sample in last if sample["position"] >= 0}
