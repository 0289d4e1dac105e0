# SPDX-License-Identifier: MIT
"""A run whose tunnel is not there: what its measure, its site and its follower would be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.errors import DockerException

from lab.benches.vpn import cells
from lab.benches.vpn.measures import Measure, Options
from lab.benches.vpn.sample import Bed
from lab.benches.vpn.took import Took
from lab.catalog.catalog import Catalog
from lab.core.errors import InvalidSample
from lab.results.cell import Cell
from lab.results.quantity import Quantity
from lab.results.reading import Reading
from lab.results.store import Store
from lab.runner.execute import Execution, execute
from lab.runner.group import attempts
from lab.runner.looking import Looks
from lab.runner.missing import Taken
from lab.runner.plan import Plan, Step
from lab.runner.side_by_side import SideBySide

Raw = Callable[[str], dict[str, Any]]


CELL = Cell("alpha", "udp", "strong", "fake")


SHARING = [Step(0, position, Cell("alpha", "udp", "strong", "fake", f"n={position}")) for position in range(4)]
"""Samples that are taken in one tunnel."""


@dataclass
class Fake:
    """A measure, and the tunnel that it measures; each of the callables may raise.

    `at`: the only sample that `error` is raised in, counted from 1; 0: in each.
    """

    TITLE = "fake"
    FIGURES = (Quantity("fake", "s"),)
    Options = Options
    raw: dict[str, Any] = field(default_factory=lambda: {"seconds": 1.5})
    error: Exception | None = None
    at: int = 0
    opening: Exception | None = None
    proving: Exception | None = None
    fallen_back: bool = False
    proofs: int = 0
    asked: int = 0
    samples: int = 0
    opened: list[int] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    offset: float = 0.0
    offsets: list[float] = field(default_factory=list)
    wires: list[str] = field(default_factory=list)
    fates: list[int] = field(default_factory=list)
    loads: list[dict[str, Any]] = field(default_factory=list)
    took: Took = field(default_factory=lambda: Took(1.0, 1.25))
    evidence: dict[str, Any] = field(default_factory=dict)
    meter: Any = field(default_factory=lambda: SimpleNamespace(revived=str))

    def conditions(self, options: Any) -> list[str]:
        return [""]

    def run(self, tunnel: Any, conditions: Mapping[str, str], options: Any) -> dict[str, Any]:
        assert self.proved, "nothing is measured in a tunnel that is not proved"
        self.samples += 1
        self.offsets.append(self.offset)
        if self.error and self.at in (0, self.samples):
            raise self.error
        self.loads += [self.raw["load"]] if "load" in self.raw else []
        return self.raw

    def parse(self, raw: Mapping[str, Any]) -> list[Reading]:
        if "load" in raw:
            return [Reading("payload", "B", "machine", raw["size"]), Reading("duration", "s", "client", 1.0)]
        return [Reading("fake", "s", "client", raw["seconds"])]

    @property
    def laid(self) -> Any:
        return SimpleNamespace(shaping=self.shaping)

    @contextmanager
    def shaping(self, seed: int) -> Iterator[dict[str, Any]]:
        self.fates.append(seed)
        yield {}

    @property
    def proved(self) -> bool:
        return "wire" in self.evidence

    def prove(self) -> None:
        if self.proving:
            raise self.proving
        self.proofs += 1
        self.prove_suite()
        self.evidence["wire"] = {"cleartext": False}

    def prove_suite(self) -> None:
        self.asked += 1
        if self.samples and self.fallen_back:
            raise InvalidSample("fell back under way")
        self.evidence["suite"] = "STRONG"


@dataclass
class Lab:
    """A run that takes its samples from `fake`: what a bench's site is, and where its share is taken."""

    fake: Fake
    bed: Bed
    plan: Plan
    store: Store
    engine: Any
    pinged: list[str] = field(default_factory=list)
    alive: bool = True

    @property
    def engines(self) -> list[Any]:
        return [self.engine]

    def announced(self) -> str:
        return ""

    def meta(self) -> dict[str, Any]:
        return {}

    def about(self, step: Step) -> dict[str, Any]:
        return {"records": "user", "engine": self.engine.name, "clock": self.engine.clock}

    @contextmanager
    def share(self, number: int, run: str) -> Iterator[Bed]:
        yield self.bed

    def execute(self, looks: Looks | None = None) -> list[Step]:
        """Carry the plan out; returns the samples that were taken, in their order."""
        followed = Followed()
        execute(SideBySide(self), self.store, followed, looks)
        assert followed.begun == followed.taken
        return followed.taken

    def take(self, groups: list[list[Step]], seed: int = 0) -> list[Step]:
        """These samples, whatever the plan is."""
        followed, self.plan = Followed(), replace(self.plan, seed=seed)
        Execution(SideBySide(self), self.store, Taken(self.store), followed).take(self.engine, self.bed, groups)
        assert followed.begun == followed.taken
        return followed.taken

    def sample(self, cell: Cell = CELL) -> dict[str, Any]:
        """One sample in a tunnel of its own."""
        (attempt,) = attempts(self.engine, self.bed, [Step(0, 0, cell)])
        return attempt.known


@dataclass
class Followed:
    """Remembers what it was told of."""

    begun: list[Step] = field(default_factory=list)
    taken: list[Step] = field(default_factory=list)

    def start(self, todo: int, total: int) -> AbstractContextManager[None]:
        return nullcontext()

    def before(self, step: Step) -> None:
        self.begun.append(step)

    def after(self, step: Step, sample: Mapping[str, Any]) -> None:
        self.taken.append(step)


def without_tunnels(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A run of two blocks of alpha, whose tunnels are not there."""
    fake = Fake()
    engine = SimpleNamespace(name="host", clock="wall", processors=2, last_words=str, given_up=False, kill=None)
    engine.every, engine.interface = [engine], ""
    bed = SimpleNamespace(engine=engine, far=None)

    @contextmanager
    def tunnel(bed: Any, meter: Any, vpn: Any, variant: str, suite: Any, wire: Any, _: int | None) -> Iterator[Any]:
        if fake.opening:
            raise fake.opening
        this = cast(Any, fake)
        this.bed, this.vpn, this.evidence = bed, vpn, {}
        fake.opened.append(fake.samples)
        fake.wires.append(wire.wire)
        try:
            yield this
        finally:
            fake.closed.append(fake.samples)

    monkeypatch.setattr("lab.benches.vpn.sample.tunnel", tunnel)
    store = Store.create(tmp_path / "results" / "r1", {"ends": {}})
    measures = {"fake": cast(Measure, fake)}
    made = cells.make(
        catalog, catalog.choose_vpns(["alpha"]), catalog.choose_suites(["strong", "odd"]), {"fake": [""]},
        blocks=2, seed=0, lacks={}, wires={"whole": ""},
    )  # fmt: skip
    share = Bed(catalog, cast(Any, bed), cast(Any, fake.meter), made, measures, {"fake": Options()})
    this = Lab(fake, share, made, store, engine)

    def ping() -> None:
        this.pinged.append("ping")
        if not this.alive:
            raise DockerException("gone")

    engine.client = SimpleNamespace(ping=ping)
    return this
