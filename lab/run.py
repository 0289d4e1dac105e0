"""Carry a plan out: one fresh, proved tunnel for every sample, and every sample on the disk before the next begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from docker.errors import DockerException
from docker.models.containers import Container
from requests.exceptions import RequestException

from lab import ledger, proof
from lab.catalog import Catalog
from lab.errors import InvalidSample, LabError, Unsupported
from lab.ledger import Reading
from lab.measures import Measure, Options
from lab.plan import Cell, Plan, Step, parse_conditions
from lab.store import Store, cell_of
from lab.testbed import Testbed
from lab.tunnel import Tunnel, tunnel

OUTCOMES: dict[type[LabError], str] = {Unsupported: "unsupported", InvalidSample: "invalid"}
"""The outcome of a sample by the error that ended it; any other error of the lab is a failure."""


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
    meter: Container
    store: Store
    measures: Mapping[str, Measure]
    options: Options

    def execute(
        self, plan: Plan, before: Callable[[Step], None], after: Callable[[Step, dict[str, Any]], None]
    ) -> None:
        """Take every sample of `plan` that the store does not hold yet; `before` and `after` are told of each.

        Raises:
            LabError: the engine is gone, or the store cannot be written. What was measured is kept.
        """
        done = {(sample["block"], cell_of(sample)) for sample in self.store.read()}
        for cell, reason in plan.unsupported.items():
            if (0, cell) not in done:
                self.store.append(self._record(Step(0, -1, cell), {"outcome": "unsupported", "reason": reason}))
        for step in plan.steps():
            if (step.block, step.cell) in done:
                continue
            before(step)
            sample = self._record(step, self.sample(step.cell))
            self.store.append(sample)
            after(step, sample)

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

    def sample(self, cell: Cell) -> dict[str, Any]:
        """One attempt at `cell`; whatever goes wrong with the tunnel or the load is its outcome."""
        watch = Stopwatch()
        result: dict[str, Any] = {
            "outcome": "ok",
            "reason": "",
            "started": datetime.now(UTC).isoformat(),
            "readings": [],
        }
        vpn, suite = self.catalog.vpns[cell.vpn], self.catalog.suites[cell.suite]
        try:
            with watch.phase("whole"), tunnel(self.bed, self.meter, vpn, cell.variant, suite) as this:
                result["handshake"] = this.handshake
                self._measure(this, cell, watch, result)
        except LabError as error:
            outcome = OUTCOMES.get(type(error), "failed")
            result |= {"outcome": outcome, "reason": error.message, "logs": error.logs}
        except (ValueError, LookupError, TypeError) as error:
            result |= {"outcome": "failed", "reason": f"the output could not be understood: {error!r}"}
        except (DockerException, RequestException) as error:
            _still_there(self.bed, error)
            result |= {"outcome": "failed", "reason": f"the engine refused: {error}"}
        result["phases"] = watch.phases
        return result

    def _measure(self, this: Tunnel, cell: Cell, watch: Stopwatch, result: dict[str, Any]) -> None:
        """Prove, measure, prove again by the counters, and read the figures: fills `result`."""
        measure = self.measures[cell.measure]
        with watch.phase("prove"):
            result["proof"] = this.evidence
            this.prove()
        with watch.phase("measure"):
            raw = measure.run(this, parse_conditions(cell.conditions), self.options)
        result["raw"] = raw
        readings = measure.parse(raw)
        if "load" in raw:
            payload = next(reading.value for reading in readings if reading.metric == "payload")
            with watch.phase("prove"):
                load = raw["load"]
                this.prove_suite()
                proof.moved(load["before"], load["after"], this.vpn.file.interface, int(payload))
                proof.counted(load["counters"]["before"], load["counters"]["after"], int(payload))
            others = [reading for reading in readings if reading.metric != "payload"]
            readings = [*others, *ledger.readings(load, payload)]
            processors = this.bed.engine.processors
            readings.append(Reading("ledger_gap", "fraction", "machine", ledger.gap(readings, processors)))
        result["readings"] = [asdict(reading) for reading in readings]


def _still_there(bed: Testbed, error: Exception) -> None:
    """Distinguish an engine that refused something from one that is gone, which ends the run."""
    try:
        bed.engine.client.ping()
    except (DockerException, RequestException):
        raise LabError(f"the {bed.engine.name} engine no longer answers: {error}", "start it, then --resume") from error


def outcomes(samples: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many samples ended in each outcome."""
    counts: dict[str, int] = {}
    for sample in samples:
        counts[sample["outcome"]] = counts.get(sample["outcome"], 0) + 1
    return counts
