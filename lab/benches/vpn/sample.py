# SPDX-License-Identifier: MIT
"""Samples of VPNs: each in a proved tunnel. In a guest, samples of one VPN, variant and suite may share a tunnel."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from lab.benches.vpn import clients, cpu_ledger, packets, proof
from lab.benches.vpn.cells import WHOLE, tunnels_of, wire_of
from lab.benches.vpn.measures import Measure, Options
from lab.benches.vpn.tunnel import Tunnel, tunnel
from lab.catalog.catalog import Catalog
from lab.core.errors import LabError
from lab.results import cpu
from lab.results.cell import LOADS, Cell, parse_conditions
from lab.results.reading import Reading
from lab.runner.attempt import Attempt
from lab.runner.plan import Plan, Step
from lab.testbed import endpoints, link
from lab.testbed.meter import Meter
from lab.testbed.testbed import Testbed


@dataclass(frozen=True)
class Bed:
    """A lab on one engine, which takes a share of a run's samples. `cable`: the interfaces between two machines."""

    catalog: Catalog
    testbed: Testbed
    meter: Meter
    plan: Plan
    measures: Mapping[str, Measure]
    options: Mapping[str, Options]
    cable: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def completed(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """`meta` with the offloads and sysctls of both endpoints, read in the first tunnel that comes up, not cut."""
        if "ends" in meta:
            return dict(meta)
        ends: dict[str, Any] = {}
        for cell in self.plan.cells:
            try:
                with self._tunnel(cell, WHOLE) as tunnel:
                    containers = {end: tunnel.containers[end] for end in ("server", "client")}
                    ends = endpoints.describe(self.testbed, containers)
                break
            except LabError:
                continue
        return {**meta, "ends": ends, **({"cable": self.cable} if self.cable else {})}

    def _tunnel(self, cell: Cell, wire: str, tunnels: int | None = None) -> Any:
        vpn, suite = self.catalog.vpns[cell.vpn], self.catalog.suites[cell.suite]
        return tunnel(self.testbed, self.meter, vpn, cell.variant, suite, self.catalog.wires[wire], tunnels)

    def revive_meter(self, attempt: Attempt) -> None:
        """Make sure that the meter runs. Without it a load waits until its timeout, and the load would be blamed."""
        if wrong := self.meter.revived():
            attempt.known["meter"] = f"started anew before this sample: {wrong}"

    @contextmanager
    def session(self, attempt: Attempt) -> Iterator[InTunnel]:
        """A new tunnel; raises what `tunnel` raises."""
        self.revive_meter(attempt)
        with self._tunnel(attempt.cell, wire_of(attempt.cell), tunnels_of(attempt.cell)) as tunnel:
            yield InTunnel(self, tunnel, attempt)


@dataclass(frozen=True)
class InTunnel:
    """Samples in one tunnel. For the `first` of them the meter was checked when the tunnel came up."""

    bed: Bed
    tunnel: Tunnel
    first: Attempt

    def sample(self, attempt: Attempt) -> None:
        """Prove the data path, measure, prove again (endpoints, wire, counters), and read the figures.

        Raises:
            InvalidSample: the data path could not be proved. LabError: any other failure, such as a measure that does
                not say what its load carried.
        """
        tunnel, known, measure = self.tunnel, attempt.known, self.bed.measures[attempt.cell.measure]
        if attempt is not self.first:
            self.bed.revive_meter(attempt)
        tunnel.offset = attempt.offset
        conditions = parse_conditions(attempt.cell.conditions)
        tunnel.loaded = range(1, int(conditions.get(LOADS, 1)) + 1)
        known["handshake"] = tunnel.took.seconds
        if tunnel.bed.far:
            known["clocks"] = link.clocks(tunnel.bed, tunnel.containers)
        with attempt.phase("prove"):
            known["proof"] = tunnel.evidence
            if not tunnel.proved:  # once per tunnel; the check after a sample serves the next one too
                tunnel.prove()
        tunnel.loads.clear()
        with attempt.phase("measure"), tunnel.laid.shaping(fate(self.bed.plan.seed, attempt.step)) as known["wire"]:
            raw = measure.run(tunnel, conditions, self.bed.options[attempt.cell.measure])
        known["raw"] = raw
        readings = measure.parse(raw)
        with attempt.phase("prove"):
            tunnel.prove_suite()
            for load in tunnel.loads:
                proof.kept_to(load, tunnel.vpn.file.interface)
        if "load" in raw:
            payload = _payload(raw, readings)
            with attempt.phase("prove"):
                self._prove_load(raw, int(payload))
            others = [reading for reading in readings if reading.metric != "payload"]
            readings = [*others, *self._cpu(raw["load"], payload, others)]
        known["readings"] = [asdict(reading) for reading in readings]

    def _prove_load(self, raw: Mapping[str, Any], payload: int) -> None:
        """Prove what a load carried: all of it and, where it went through several tunnels, the share of each."""
        load, loaded = raw["load"], self.tunnel.loaded
        parts = [(load, payload)]
        if len(loaded) > 1:
            shares = zip(clients.views(load, loaded).values(), raw["shares"], strict=True)
            parts = [(clients.together(load, loaded), payload), *shares]
        for part, carried in parts:
            proof.explained(part, carried, raw["direction"])
            proof.moved(part, self.tunnel.vpn.file.interface, carried, raw["direction"])
            proof.counted(part, carried, raw["direction"])

    def _cpu(self, load: dict[str, Any], payload: float, figures: Iterable[Reading]) -> list[Reading]:
        """The CPU ledger of a load, the share of the machine's time that it does not cover, and its packets."""
        engine = self.tunnel.bed.engine
        readings = cpu_ledger.readings(load, payload, counted=engine.clock == "instructions")
        if len(self.tunnel.loaded) == 1:
            readings += packets.readings(load, payload)
        if speed := link.speed(self.bed.cable):
            share = packets.rate(load, cpu.active_seconds([*figures, *readings])) / speed
            readings.append(Reading("link_share", "fraction", cpu.MACHINE, share))
        return [*readings, Reading("ledger_gap", "fraction", "machine", cpu_ledger.gap(readings, engine.processors))]


def fate(seed: int, step: Step) -> int:
    """The seed of what happens to packets on the wire: the same for every data path in a block, and for the run again.

    So those that are compared lose alike, and blocks show what another draw would have done.
    """
    cell = step.cell
    return random.Random(f"{seed}/{step.block}/{cell.measure} {cell.conditions}").getrandbits(32)


def _payload(raw: Mapping[str, Any], readings: Iterable[Reading]) -> float:
    """The bytes that a load carried, which proofs and ledger are about."""
    payload = next((reading.value for reading in readings if reading.metric == "payload"), None)
    if payload is None or "direction" not in raw:
        raise LabError(
            "the measure gives a `load`, but no `payload` (a figure, in bytes) or no `direction`: it cannot be proved",
            "lab/benches/vpn/measures/__init__.py says what a measure gives",
        )
    return payload
