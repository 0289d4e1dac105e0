# SPDX-License-Identifier: MIT
"""`lab ktls`: check the settings, and open what a run of the plan needs.

In its samples the column `vpn` holds the protocol, `variant` the path (who makes the records), and `measure` the
scenario.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from lab.benches.ktls import cells, ends, output
from lab.benches.ktls.cells import COLUMNS
from lab.benches.ktls.settings import CIPHERS, KIND, Settings
from lab.core.command import Result
from lab.core.errors import LabError, unknown
from lab.core.paths import ROOT
from lab.engines import images, opening, platform
from lab.engines.engine import Engine, connect
from lab.results.cell import Cell
from lab.runner.attempt import Attempt
from lab.runner.failure import explained
from lab.runner.forecast import Load
from lab.runner.plan import Plan, Step

PATIENCE = 60.0
"""Seconds that a command may take beyond what it times: to make a file, for a handshake, for the peer to drain."""
SLOWEST = 2e6
"""Bytes per second that even the slowest path moves; for records, 1400 times fewer."""
PACKAGES = ("libgnutls30t64", "linux-perf")
KEPT = ("plan", "images", "engine", "machine", "modules")
"""What must be unchanged to resume a run."""


class Blocks(Plan):
    """A plan that takes each profile once: a profile is a mean over thousands of samples, and shows shares."""

    def steps(self) -> list[Step]:
        """Every sample in order."""
        return [step for step in super().steps() if step.block == 0 or step.cell.measure != cells.PROFILE]


@dataclass(frozen=True)
class Choice:
    """The settings and their plan. This needs no engine."""

    settings: Settings
    plan: Plan


def choose(settings: Settings) -> Choice:
    """The plan of the settings.

    Raises:
        UsageError: there is no such scenario, protocol, path or cipher; lists the valid ones.
    """
    known = cells.load()
    for kind, names, valid in (
        ("scenario", settings.scenarios, known.scenario), ("protocol", settings.protocols, known.protocol),
        ("path", settings.paths, known.path), ("cipher", settings.ciphers, CIPHERS),
    ):  # fmt: skip
        for name in names:
            if name not in valid:
                raise unknown(kind, name, valid)
    measured = cells.cells(
        settings.scenarios, settings.protocols, settings.paths, settings.ciphers, settings.payloads,
        settings.file_payloads,
    )  # fmt: skip
    scenarios = [name for name in settings.scenarios if known.scenario[name].payload]
    profiled = cells.cells(
        scenarios, settings.protocols, settings.paths, settings.ciphers, settings.profile, settings.profile
    )
    plan = Blocks((*measured, *map(cells.profiled, profiled)), {}, settings.limit, settings.seed)
    return Choice(settings, plan)


def planned(choice: Choice, engine: Engine | None = None) -> Plan:
    """The plan of a choice. What a kernel lacks is known only when a sample is taken."""
    return choice.plan


def loads(settings: Settings) -> Callable[[Cell], Load]:
    """The seconds of a timed load, its records, or the bytes of its file, by its cell."""
    timed = Load(size=settings.count) if settings.count else Load(seconds=settings.seconds)
    scenarios = cells.load().scenario

    def load(cell: Cell) -> Load:
        scenario = scenarios[cells.scenario_of(cell)]
        return Load(size=settings.size) if scenario.size else timed if scenario.payload else Load()

    return load


class Where(Protocol):
    """Where the bench runs: `lab.benches.ktls.ends`."""

    @property
    def peer(self) -> str:
        """The peer's address."""

    def run(self, argv: list[str], timeout: float, *, later: float = 0.0) -> Result:
        """Run the bench to its end."""

    def watched(self, argv: list[str], timeout: float) -> tuple[Result, dict[str, Any]]:
        """Run the bench under `perf`; returns the report, and what is needed to read it."""

    def facts(self) -> dict[str, str]:
        """The modules that are loaded."""

    def stopped(self) -> str:
        """Which containers have stopped; empty if all run."""


class Site:
    """A plan, and the endpoints that carry it out: a pair on each engine, which takes its share of the samples."""

    def __init__(self, settings: Settings, places: Sequence[tuple[Engine, Where]]) -> None:
        self.settings, self.places = settings, places
        self.engines = [engine for engine, _ in places]
        self.plan = choose(settings).plan

    def announced(self) -> str:
        """The size of the plan, in words."""
        return f"{len(self.plan.cells)} cells in {self.plan.blocks} blocks, {len(self.plan.steps())} samples"

    def meta(self) -> dict[str, Any]:
        """What `meta.json` records about a run of this plan."""
        engine, where = self.places[0]
        return {
            "kind": KIND,
            "columns": COLUMNS,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": self.settings.model_dump(),
            "plan": self.plan.fingerprint(),
            "cells": self.plan.listed(),
            "processors": engine.processors,
            "modules": where.facts(),
            **platform.describe(engine, [], {"kmod": PACKAGES}),
        }

    def about(self, step: Step) -> dict[str, Any]:
        """Who makes the records of a sample, and the engine and clock of the sample."""
        engine = self.engines[0]
        records = cells.load().path[step.cell.variant].records
        return {"records": records, "engine": engine.name, "clock": engine.clock}

    @contextmanager
    def share(self, number: int, run: str) -> Iterator[Sender]:
        """The endpoints of one engine, which are up already."""
        yield Sender(self.settings, *self.places[number])


@dataclass(frozen=True)
class Sender:
    """Sends records between the endpoints of one engine; samples share nothing."""

    settings: Settings
    engine: Engine
    where: Where

    def completed(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """`meta` is complete from the start."""
        return dict(meta)

    @contextmanager
    def session(self, attempt: Attempt) -> Iterator[Sender]:
        """If an endpoint has stopped, the error of a sample says so."""
        with explained(self.where.stopped):
            yield self

    def sample(self, attempt: Attempt) -> None:
        """Run the bench to its end, and prove that it ran what was requested.

        Raises:
            Unsupported, InvalidSample, LabError: the bench reported it, or its output does not prove the sample.
        """
        settings, cell, known = self.settings, attempt.cell, attempt.known
        argv = cells.arguments(
            cell, self.where.peer, seconds=settings.seconds, count=settings.count, size=settings.size
        )
        with attempt.phase("measure"):
            if cell.measure == cells.PROFILE:
                result, profile = self.where.watched(argv, self.limit(cell))
                known["raw"] |= profile
            else:
                result = self.where.run(argv, self.limit(cell), later=attempt.offset)
        known["raw"] |= {"argv": argv, "stdout": result.stdout, "stderr": result.stderr}
        output.check(result)
        answer = output.parse(result.stdout)
        output.prove(answer, cell)
        known["drivers"] = answer.get("drivers")
        readings = output.readings(answer, self.engine.clock, self.engine.processors)
        known["readings"] = [asdict(reading) for reading in readings]

    def limit(self, cell: Cell) -> float:
        """Seconds after which a sample times out."""
        settings, scenario = self.settings, cells.load().scenario[cells.scenario_of(cell)]
        if scenario.size:
            return PATIENCE + settings.size / SLOWEST
        return PATIENCE + (settings.count * 1400 / SLOWEST if settings.count else settings.seconds)


@contextmanager
def opened(choice: Choice, say: Callable[[str], None]) -> Iterator[Site]:
    """Open every engine, with both endpoints up in each; they are removed afterwards.

    Raises:
        LabError: there is no engine, or the image is missing or out of date.
    """
    settings = choice.settings
    check_image(connect())  # this machine's image is copied to the guest, which is slow: check it first
    parameters = [f"driver={settings.driver}"] if settings.driver else []
    override = {"GNUTLS_CPUID_OVERRIDE": settings.cpuid} if settings.cpuid else {}
    with opening.several(settings.engine, say) as engines, ExitStack() as stack:
        places: list[tuple[Engine, Where]] = []
        for engine in engines:
            check_image(engine)
            where = stack.enter_context(
                ends.opened(engine, environment=override, parameters=parameters, watching=bool(settings.profile))
            )
            if where.refused:
                say(f"af_ktls is not loaded: {where.refused}")
            check_driver(where.facts(), settings.driver)
            places.append((engine, where))
        yield Site(settings, places)


def check_driver(facts: Mapping[str, str], driver: str) -> None:
    """Check that the module, if loaded, was loaded for this driver (empty: the kernel's choice).

    Raises:
        LabError: it is loaded with another driver. A module that somebody else loaded is left unchanged.
    """
    loaded = facts.get("af_ktls driver", driver)
    if loaded != driver:
        take_it = f"`--driver {loaded}`" if loaded else "leave --driver out"
        raise LabError(
            f"af_ktls is loaded with driver={loaded!r}, not {driver!r}",
            f"{take_it}, or unload it: `rmmod af_ktls`, in a guest that is kept `lab vm down`",
        )


def check_image(engine: Engine) -> None:
    """Check that the image exists and was built from this checkout.

    Raises:
        LabError: it is missing or out of date.
    """
    if not images.is_current(engine, ROOT / "kmod"):
        raise LabError(f"image {ends.IMAGE} is missing or out of date", "`lab build kmod` makes it")
