# SPDX-License-Identifier: MIT
"""Samples of VPNs: each in a proved tunnel, that those of one VPN, variant and suite may share in a guest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from lab.benches.vpn import cpu_ledger, proof
from lab.benches.vpn.measures import Measure, Options
from lab.benches.vpn.tunnel import Tunnel, tunnel
from lab.catalog.catalog import Catalog
from lab.core.errors import LabError
from lab.results.cell import Cell, parse_conditions
from lab.results.reading import Reading
from lab.runner.attempt import Attempt
from lab.runner.plan import Plan
from lab.testbed import endpoints
from lab.testbed.meter import Meter
from lab.testbed.testbed import Testbed


@dataclass(frozen=True)
class Bed:
    """A lab on one engine, in which a share of a run is taken."""

    catalog: Catalog
    testbed: Testbed
    meter: Meter
    plan: Plan
    measures: Mapping[str, Measure]
    options: Options

    def completed(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """What `meta.json` says, with offloads and sysctls of both ends, read in the first tunnel that comes up."""
        if "ends" in meta:
            return dict(meta)
        ends: dict[str, Any] = {}
        for cell in self.plan.cells:
            try:
                with self._tunnel(cell) as this:
                    containers = {end: this.containers[end] for end in ("server", "client")}
                    ends = endpoints.describe(self.testbed, containers)
                break
            except LabError:
                continue
        return {**meta, "ends": ends}

    def _tunnel(self, cell: Cell) -> Any:
        vpn, suite = self.catalog.vpns[cell.vpn], self.catalog.suites[cell.suite]
        return tunnel(self.testbed, self.meter, vpn, cell.variant, suite)

    def revive_meter(self, attempt: Attempt) -> None:
        """See to it that the meter runs: without it a load waits until its time is out, and seems to be at fault."""
        if wrong := self.meter.revived():
            attempt.known["meter"] = f"started anew before this sample: {wrong}"

    @contextmanager
    def session(self, attempt: Attempt) -> Iterator[InTunnel]:
        """A fresh tunnel; raises what `tunnel` raises."""
        self.revive_meter(attempt)
        with self._tunnel(attempt.cell) as this:
            yield InTunnel(self, this, attempt)


@dataclass(frozen=True)
class InTunnel:
    """Samples in one tunnel. The meter was seen to for the `first` of them when the tunnel was brought up."""

    bed: Bed
    tunnel: Tunnel
    first: Attempt

    def sample(self, attempt: Attempt) -> None:
        """Prove, measure, prove again by the ends, the wire and the counters, and read the figures.

        Raises:
            InvalidSample: the data path could not be proved. LabError: anything else that went wrong.
        """
        this, known, measure = self.tunnel, attempt.known, self.bed.measures[attempt.cell.measure]
        if attempt is not self.first:
            self.bed.revive_meter(attempt)
        this.offset = attempt.offset
        known["handshake"] = this.handshake
        with attempt.phase("prove"):
            known["proof"] = this.evidence
            if "wire" not in this.evidence:  # once for a tunnel; the look after a sample is the look before the next
                this.prove()
        this.loads.clear()
        with attempt.phase("measure"):
            raw = measure.run(this, parse_conditions(attempt.cell.conditions), self.bed.options)
        known["raw"] = raw
        readings = measure.parse(raw)
        with attempt.phase("prove"):
            this.prove_suite()
            for load in this.loads:
                proof.kept_to(load, this.vpn.file.interface)
        if "load" in raw:
            payload = next(reading.value for reading in readings if reading.metric == "payload")
            with attempt.phase("prove"):
                self._prove_load(raw["load"], int(payload), raw["direction"])
            others = [reading for reading in readings if reading.metric != "payload"]
            readings = [*others, *self._cpu(raw["load"], payload)]
        known["readings"] = [asdict(reading) for reading in readings]

    def _prove_load(self, load: dict[str, Any], payload: int, direction: proof.Direction) -> None:
        proof.explained(load, payload, direction)
        proof.moved(load, self.tunnel.vpn.file.interface, payload, direction)
        proof.counted(load, payload, direction)

    def _cpu(self, load: dict[str, Any], payload: float) -> list[Reading]:
        """The CPU ledger of a load, and the part of the machine's time that it leaves out."""
        engine = self.tunnel.bed.engine
        readings = cpu_ledger.readings(load, payload, counted=engine.clock == "instructions")
        return [*readings, Reading("ledger_gap", "fraction", "machine", cpu_ledger.gap(readings, engine.processors))]
