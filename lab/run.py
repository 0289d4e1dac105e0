"""Carry a plan out: one fresh, proved tunnel for every sample, and every sample on the disk before the next begins."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from lab import ledger, proof
from lab.attempts import Taken
from lab.catalog import Catalog
from lab.engine import LOST, because, gone
from lab.errors import NONSENSE, InvalidSample, LabError, Unsupported, told
from lab.ledger import Reading
from lab.measures import Measure, Options
from lab.meter import Meter
from lab.plan import Cell, Plan, Step, parse_conditions
from lab.store import Store
from lab.testbed import Testbed
from lab.tunnel import Tunnel, tunnel

OUTCOMES: dict[type[Exception], str] = {Unsupported: "unsupported", InvalidSample: "invalid"}
"""The outcome of a sample by the error that ended it; any other error of the lab is a failure."""


class Follow(Protocol):
    """Whoever is told of each sample."""

    def before(self, step: Step) -> None:
        """A sample begins."""

    def after(self, step: Step, sample: Mapping[str, Any]) -> None:
        """A sample is on the disk."""


@dataclass
class Stopwatch:
    """Seconds spent in each phase of a sample."""

    phases: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time of the block to a phase."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.phases[name] = round(self.phases.get(name, 0.0) + time.monotonic() - started, 4)


@dataclass(frozen=True)
class Run:
    """What all samples of one execution share."""

    catalog: Catalog
    bed: Testbed
    meter: Meter
    store: Store
    measures: Mapping[str, Measure]
    options: Options
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held for the store and whoever follows: several runs may share both."""

    def note_unsupported(self, plan: Plan) -> None:
        """Put down what the plan cannot run, once. Raises what `Taken.impossible` raises."""
        for step, reason in Taken(self.store).impossible(plan).items():
            self.store.append(self._record(step, {"outcome": "unsupported", "reason": reason}))

    def execute(self, tunnels: Iterable[Sequence[Step]], seed: int, follow: Follow) -> None:
        """Take every sample of `tunnels` that the store does not hold yet, and once more each that went wrong.

        Raises:
            LabError: the engine is gone, or the store cannot be written. What was measured is kept.
        """
        taken = Taken(self.store)
        for steps in tunnels:
            for step, result in self.samples([*filter(taken.wants, steps)], seed, follow.before):
                sample = taken.numbered(step, self._record(step, result))
                with self.lock:
                    self.store.append(sample)
                    follow.after(step, sample)

    def _record(self, step: Step, result: Mapping[str, Any]) -> dict[str, Any]:
        engine = self.bed.engine
        variant = self.catalog.vpns[step.cell.vpn].file.variants[step.cell.variant]
        return {
            "run": self.store.folder.name,
            "block": step.block,
            "position": step.position,
            **asdict(step.cell),
            "records": variant.records,
            "engine": engine.name,
            "clock": engine.clock,
            **result,
        }

    def samples(
        self, steps: Sequence[Step], seed: int, before: Callable[[Step], None]
    ) -> Iterator[tuple[Step, dict[str, Any]]]:
        """One attempt at each of `steps`, in one tunnel; whatever goes wrong with it or the load is the outcome.

        After one that went wrong the tunnel is brought up anew; one that is unsupported is so for all of them.
        """
        todo = deque(steps)
        while todo:
            step, result, watch = self._begin(todo, before)
            up = False
            vpn, suite = self.catalog.vpns[step.cell.vpn], self.catalog.suites[step.cell.suite]
            try:
                self._revive(result)
                with watch.phase("whole"), tunnel(self.bed, self.meter, vpn, step.cell.variant, suite) as this:
                    up = True
                    this.offset = offset(seed, step)
                    self._measure(this, step.cell, watch, result)
                    while todo:
                        yield step, result
                        step, result, watch = self._begin(todo, before)
                        this.offset = offset(seed, step)
                        self._revive(result)
                        with watch.phase("whole"):
                            self._measure(this, step.cell, watch, result)
            except LabError as error:
                outcome = OUTCOMES.get(type(error), "failed")
                result |= {"outcome": outcome, "reason": error.message, "logs": error.logs}
            except NONSENSE as error:
                result |= {"outcome": "failed", "reason": told(error)}
            except LOST as error:
                ended = gone(self.bed.engine, error)
                reason = ended.message if ended else f"the engine refused: {because(error)}"
                result |= {"outcome": "failed", "reason": reason}
                if ended:
                    # A machine of its own ended under this sample, maybe because of it: what is known stays. An engine
                    # that serves others too is no sample's doing.
                    if self.bed.engine.kill and not self.bed.engine.given_up:
                        yield step, result
                    raise ended from error
            yield step, result
            while result["outcome"] == "unsupported" and todo and not up:
                step, unsupported, _ = self._begin(todo, before)
                yield step, unsupported | {key: result[key] for key in ("outcome", "reason", "logs")}

    def _begin(self, todo: deque[Step], before: Callable[[Step], None]) -> tuple[Step, dict[str, Any], Stopwatch]:
        """The next of `todo`, what will be known of it, and its stopwatch."""
        step, watch = todo.popleft(), Stopwatch()
        with self.lock:
            before(step)
        return (
            step,
            {
                "outcome": "ok",
                "reason": "",
                "started": datetime.now(UTC).isoformat(),
                "readings": [],
                "phases": watch.phases,
            },
            watch,
        )

    def _revive(self, result: dict[str, Any]) -> None:
        """See to it that the meter runs: without it a load waits until its time is out, and seems to be at fault."""
        if wrong := self.meter.revived():
            result["meter"] = f"started anew before this sample: {wrong}"

    def _measure(self, this: Tunnel, cell: Cell, watch: Stopwatch, result: dict[str, Any]) -> None:
        """Prove, measure, prove again by the counters, and read the figures: fills `result`."""
        measure = self.measures[cell.measure]
        result["handshake"] = this.handshake
        with watch.phase("prove"):
            result["proof"] = this.evidence
            if "wire" not in this.evidence:  # once for a tunnel; the look after a sample is the look before the next
                this.prove()
        this.loads.clear()
        with watch.phase("measure"):
            raw = measure.run(this, parse_conditions(cell.conditions), self.options)
        result["raw"] = raw
        readings = measure.parse(raw)
        with watch.phase("prove"):
            this.prove_suite()
            for load in this.loads:
                proof.kept_to(load, this.vpn.file.interface)
        if "load" in raw:
            load, payload = raw["load"], next(reading.value for reading in readings if reading.metric == "payload")
            with watch.phase("prove"):
                proof.explained(load, int(payload), raw["direction"])
                proof.moved(load, this.vpn.file.interface, int(payload), raw["direction"])
                proof.counted(load, int(payload), raw["direction"])
            others = [reading for reading in readings if reading.metric != "payload"]
            readings = [*others, *ledger.readings(load, payload, counted=self.bed.engine.clock == "instructions")]
            processors = this.bed.engine.processors
            readings.append(Reading("ledger_gap", "fraction", "machine", ledger.gap(readings, processors)))
        result["readings"] = [asdict(reading) for reading in readings]


def offset(seed: int, step: Step) -> float:
    """Seconds, up to 50 ms, by which a load starts later.

    On a deterministic clock a cell would otherwise only ever be seen in the one interleaving of TCP, wake-ups and
    daemon that its start leads to. Seeded, so that a run can be repeated.
    """
    return random.Random(f"{seed}/{step.block}/{step.cell}").random() * 0.05


def outcomes(samples: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many samples ended in each outcome."""
    counts: dict[str, int] = {}
    for sample in samples:
        counts[sample["outcome"]] = counts.get(sample["outcome"], 0) + 1
    return counts
