# SPDX-License-Identifier: MIT
"""`lab ktls`: look up what is to be measured, and open what a run of the plan needs.

In its samples the protocol stands where a VPN would, who makes the records where a variant would, the scenario where a
measure would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from lab.benches.ktls import cells, ends, output
from lab.benches.ktls.settings import COLUMNS, KIND, Settings
from lab.core.command import Result
from lab.core.errors import LabError, unknown
from lab.core.paths import ROOT
from lab.engines import images, opening, platform
from lab.engines.engine import Engine, connect
from lab.results.cell import Cell
from lab.runner.attempt import Attempt
from lab.runner.failure import explained
from lab.runner.plan import Plan, Step

CIPHERS = ("aes-128-gcm", "aes-256-gcm", "chacha20-poly1305")
PATIENCE = 60.0
"""Seconds that a command may take beyond what it times: a file is made, a handshake, the peer drains."""
SLOWEST = 2e6
"""Bytes or, 1400 times fewer, records a second that even the slowest path moves."""
PACKAGES = ("libgnutls30t64", "linux-perf")
KEPT = ("plan", "images", "engine", "machine", "modules")
"""What must be as it was for a run to go on."""


class Blocks(Plan):
    """A plan whose profiles are taken once: they are means over thousands of samples, and show shares, not figures."""

    def steps(self) -> list[Step]:
        """Every sample in order."""
        return [step for step in super().steps() if step.block == 0 or step.cell.measure != cells.PROFILE]


@dataclass(frozen=True)
class Choice:
    """What the settings name, found: no engine is needed to know that it exists."""

    settings: Settings
    plan: Plan


def choose(settings: Settings) -> Choice:
    """The plan of the settings.

    Raises:
        UsageError: there is no such scenario, protocol, path or cipher; with those that there are.
    """
    known = cells.load()
    for kind, names, valid in (
        ("scenario", settings.scenarios, known.scenario), ("protocol", settings.protocols, known.protocol),
        ("path", settings.paths, known.path), ("cipher", settings.ciphers, CIPHERS),
    ):  # fmt: skip
        for name in names:
            if name not in valid:
                raise unknown(kind, name, valid)
    found = cells.cells(
        settings.scenarios, settings.protocols, settings.paths, settings.ciphers, settings.payloads,
        settings.file_payloads,
    )  # fmt: skip
    scenarios = [name for name in settings.scenarios if known.scenario[name].payload]
    looked_at = cells.cells(
        scenarios, settings.protocols, settings.paths, settings.ciphers, settings.profile, settings.profile
    )
    plan = Blocks((*found, *map(cells.profiled, looked_at)), {}, settings.blocks, settings.seed)
    return Choice(settings, plan)


class Where(Protocol):
    """Where the bench runs: `lab.benches.ktls.ends`."""

    @property
    def peer(self) -> str:
        """The peer's address."""

    def run(self, argv: list[str], timeout: float, *, later: float = 0.0) -> Result:
        """Run the bench to its end."""

    def watched(self, argv: list[str], timeout: float) -> tuple[Result, dict[str, Any]]:
        """Run the bench under `perf`; its report, and what is needed to read it."""

    def facts(self) -> dict[str, str]:
        """The modules that are loaded."""

    def stopped(self) -> str:
        """What has stopped that should run; empty where all does."""


class Site:
    """A plan, and the ends that carry it out: in each engine a pair, that takes its share of the samples."""

    def __init__(self, settings: Settings, places: Sequence[tuple[Engine, Where]]) -> None:
        self.settings, self.places = settings, places
        self.engines = [engine for engine, _ in places]
        self.plan = choose(settings).plan

    def announced(self) -> str:
        """What is to come."""
        return f"{len(self.plan.cells)} cells in {self.plan.blocks} blocks, {len(self.plan.steps())} samples"

    def meta(self) -> dict[str, Any]:
        """What `meta.json` says of a run of this plan."""
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
        """Who makes the records of a sample, and on which engine and clock it was taken."""
        engine = self.engines[0]
        records = cells.load().path[step.cell.variant].records
        return {"records": records, "engine": engine.name, "clock": engine.clock}

    @contextmanager
    def share(self, number: int, run: str) -> Iterator[Sender]:
        """The ends of one engine: they are up already."""
        yield Sender(self.settings, *self.places[number])


@dataclass(frozen=True)
class Sender:
    """Sends records between the ends of one engine; nothing is shared by two samples."""

    settings: Settings
    engine: Engine
    where: Where

    def completed(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """All is known from the beginning."""
        return dict(meta)

    @contextmanager
    def session(self, attempt: Attempt) -> Iterator[Sender]:
        """Where an end has stopped, that is why a sample failed."""
        with explained(self.where.stopped):
            yield self

    def sample(self, attempt: Attempt) -> None:
        """Run the bench to its end, and prove that it ran what was asked for.

        Raises:
            Unsupported, InvalidSample, LabError: what the bench said, or did not.
        """
        settings, cell, known = self.settings, attempt.cell, attempt.known
        argv = cells.arguments(
            cell, self.where.peer, seconds=settings.seconds, count=settings.count, size=settings.size
        )
        with attempt.phase("measure"):
            if cell.measure == cells.PROFILE:
                done, seen = self.where.watched(argv, self.limit(cell))
                known["raw"] |= seen
            else:
                done = self.where.run(argv, self.limit(cell), later=attempt.offset)
        known["raw"] |= {"argv": argv, "stdout": done.stdout, "stderr": done.stderr}
        output.check(done)
        said = output.parse(done.stdout)
        output.prove(said, cell)
        known["drivers"] = said.get("drivers")
        found = output.readings(said, self.engine.clock, self.engine.processors)
        known["readings"] = [asdict(reading) for reading in found]

    def limit(self, cell: Cell) -> float:
        """Seconds after which a sample is given up."""
        settings, scenario = self.settings, cells.load().scenario[cells.scenario_of(cell)]
        if scenario.size:
            return PATIENCE + settings.size / SLOWEST
        return PATIENCE + (settings.count * 1400 / SLOWEST if settings.count else settings.seconds)


@contextmanager
def opened(choice: Choice, say: Callable[[str], None]) -> Iterator[Site]:
    """Every engine, and both ends in each, up; gone afterwards.

    Raises:
        LabError: there is no engine, or the image is missing or out of date.
    """
    settings = choice.settings
    check_image(connect())  # that of this machine goes to the guest, which takes a while
    parameters = [f"driver={settings.driver}"] if settings.driver else []
    override = {"GNUTLS_CPUID_OVERRIDE": settings.cpuid} if settings.cpuid else {}
    with opening.several(settings.engine, say) as found, ExitStack() as stack:
        places: list[tuple[Engine, Where]] = []
        for engine in found:
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
    """Check that the module, where it is loaded, was loaded for this driver (empty: the kernel's choice).

    Raises:
        LabError: it is loaded with another: what somebody else has loaded stays as it is.
    """
    loaded = facts.get("af_ktls driver", driver)
    if loaded != driver:
        take_it = f"`--driver {loaded}`" if loaded else "leave --driver out"
        raise LabError(
            f"af_ktls is loaded with driver={loaded!r}, not {driver!r}",
            f"{take_it}, or unload it: `rmmod af_ktls`, in a guest that is kept `lab vm down`",
        )


def check_image(engine: Engine) -> None:
    """Check that the image is there and was built from this checkout.

    Raises:
        LabError: it is missing or out of date.
    """
    if not images.is_current(engine, ROOT / "kmod"):
        raise LabError(f"image {ends.IMAGE} is missing or out of date", "`lab build kmod` makes it")
