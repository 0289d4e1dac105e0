# SPDX-License-Identifier: MIT
"""`lab crypto`: look up what is to be timed, and open what a run of the plan needs.

In its samples the library stands where a VPN would, the place where a variant would: so the plan, the store and the
analysis serve both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from lab.benches.crypto import libraries
from lab.benches.crypto.libraries import Commands, Library, Timing
from lab.benches.crypto.places import IMAGE, Place, open_places
from lab.benches.crypto.settings import COLUMNS, KIND, Settings
from lab.catalog.catalog import Catalog
from lab.catalog.suites import Suite
from lab.core.errors import LabError, Unsupported, unknown
from lab.engines import images, opening, platform
from lab.engines.engine import Engine
from lab.results.cell import Cell, parse_conditions
from lab.runner.attempt import Attempt
from lab.runner.failure import explained
from lab.runner.plan import Plan, Step

KEPT = ("plan", "images", "engine", "machine", "implementations")
"""What must be as it was for a run to go on: the same image, on the same kernel, with the same code paths."""
START_UP = 0.3
"""Seconds that a command takes beyond what it times: a process in a container, 50 ms of warming up."""
PATIENCE = 30.0
"""Seconds that a command may take beyond what it times."""
PACKAGES = ("libgnutls30t64", "libssl3t64", "openssl", "openssl-provider-legacy")


@dataclass(frozen=True)
class Choice:
    """What the settings name, found: no engine is needed to know that it exists."""

    catalog: Catalog
    settings: Settings
    suites: dict[str, Suite]
    libraries: dict[str, Library]

    def plan(self, lacks: Mapping[tuple[str, str], str]) -> Plan:
        """Library x place x suite x size; `lacks` maps a library and place to the reason why it cannot run there."""
        cells: list[Cell] = []
        impossible: dict[Cell, str] = {}
        for name, library in self.libraries.items():
            for place in self.settings.timed_in:
                for suite in self.suites.values():
                    for size in self.settings.sizes:
                        cell = Cell(name, place, suite.suite, KIND, f"size={size}")
                        if reason := library.why_not(suite) or lacks.get((name, place)):
                            impossible[cell] = reason
                        else:
                            cells.append(cell)
        return Plan(tuple(cells), impossible, self.settings.blocks, self.settings.seed)

    def commands(self, cell: Cell) -> Commands:
        """What a sample of a cell runs."""
        size = int(parse_conditions(cell.conditions)["size"])
        return self.libraries[cell.vpn].commands(self.suites[cell.suite], size, self.settings.seconds)

    def duration(self, plan: Plan) -> float:
        """About how many seconds a plan takes, where the processor is no emulated one."""
        commands = sum(len(self.commands(cell)) for cell in plan.cells)
        return commands * plan.blocks * (self.settings.seconds + START_UP)


def choose(settings: Settings, catalog: Catalog | None = None) -> Choice:
    """Look everything up. Control suites, which no library has a column for, are left out.

    Raises:
        UsageError: there is no such library or suite; with those that there are.
    """
    catalog, known = catalog or Catalog(), libraries.load()
    for name in settings.libraries:
        if name not in known:
            raise unknown("library", name, known)
    dialects = {row.dialect for row in known.values()}
    suites = [row for row in catalog.choose_suites(settings.ciphers) if {*row.native, *row.absent} & dialects]
    return Choice(
        catalog, settings, {row.suite: row for row in suites}, {name: known[name] for name in settings.libraries}
    )


class Site:
    """A plan that is known to fit the places that are open: of each engine, by their names."""

    def __init__(self, choice: Choice, opened: Sequence[tuple[Engine, Mapping[str, Place]]]) -> None:
        self.choice, self.places = choice, [places for _, places in opened]
        self.engines = [engine for engine, _ in opened]
        self.facts, lacks = _facts(choice, self.places[0])
        self.plan = choice.plan(lacks)

    def announced(self) -> str:
        """What is to come, and about how long it will take."""
        minutes = self.choice.duration(self.plan) / 60 / len(self.engines)
        return f"{len(self.plan.cells)} cells x {self.plan.blocks} blocks, about {minutes:.1f} min"

    def meta(self) -> dict[str, Any]:
        """What `meta.json` says of a run of this plan; `implementations` by library and place."""
        return {
            "kind": KIND,
            "columns": COLUMNS,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": self.choice.settings.model_dump(),
            "plan": self.plan.fingerprint(),
            "cells": self.plan.listed(),
            "implementations": self.facts,
            **platform.describe(self.engines[0], [], {KIND: PACKAGES}),
        }

    def about(self, step: Step) -> dict[str, Any]:
        """Which records a library is for; the engine and clock of the place where it was timed."""
        place = self.places[0][step.cell.variant]
        records = self.choice.libraries[step.cell.vpn].records
        return {"records": records, "engine": place.engine, "clock": place.clock}

    @contextmanager
    def share(self, number: int, run: str) -> Iterator[Timer]:
        """The places of one engine: they are open already."""
        yield Timer(self.choice, self.places[number])


@dataclass(frozen=True)
class Timer:
    """Times libraries in the places of one engine; nothing is shared by two samples."""

    choice: Choice
    places: Mapping[str, Place]

    def completed(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """All is known from the beginning."""
        return dict(meta)

    @contextmanager
    def session(self, attempt: Attempt) -> Iterator[Timer]:
        """Where its place has stopped, that is why a sample failed."""
        with explained(self.places[attempt.cell.variant].stopped):
            yield self

    def sample(self, attempt: Attempt) -> None:
        """Time all parts of a cell; one that not every processor has may be missing.

        Raises:
            Unsupported: the library, or the kernel, has no such thing. LabError: anything else that went wrong.
        """
        timings: dict[str, Timing] = {}
        for part, argv in self.choice.commands(attempt.cell).items():
            try:
                timings[part] = self._time(attempt, part, argv)
            except Unsupported:
                if part in libraries.NEEDED:
                    raise
        attempt.known["readings"] = [asdict(reading) for reading in libraries.readings(timings)]
        found = {timing.implementation for timing in timings.values()} - {""}
        attempt.known["implementation"] = ", ".join(sorted(found))

    def _time(self, attempt: Attempt, part: str, argv: list[str]) -> Timing:
        cell = attempt.cell
        with attempt.phase("measure"):
            done = self.places[cell.variant].run(argv, self.choice.settings.seconds + PATIENCE)
        attempt.known["raw"][part] = {"argv": argv, "stdout": done.stdout, "stderr": done.stderr}
        libraries.check(done)
        return libraries.parse(self.choice.libraries[cell.vpn].program, done.stdout, done.stderr)


@contextmanager
def opened(choice: Choice, say: Callable[[str], None]) -> Iterator[Site]:
    """The engines and the places of a choice, open; they are closed afterwards.

    Raises:
        LabError: there is no engine, or the image is missing or out of date.
    """
    with opening.several(choice.settings.engine, say) as engines, ExitStack() as stack:
        found = []
        for engine in engines:
            check_image(engine, choice.catalog)
            found.append((engine, stack.enter_context(open_places(engine, choice.settings.timed_in))))
        yield Site(choice, found)


def _facts(
    choice: Choice, opened: Mapping[str, Place]
) -> tuple[dict[str, dict[str, list[str]]], dict[tuple[str, str], str]]:
    """What each library says of itself in each place; and where it cannot run, why."""
    facts: dict[str, dict[str, list[str]]] = {}
    lacks: dict[tuple[str, str], str] = {}
    for name, library in choice.libraries.items():
        facts[name] = {}
        for where, place in opened.items():
            try:
                facts[name][where] = [_fact(place, argv) for argv in library.facts]
            except Unsupported as error:
                lacks[name, where] = error.message
    return facts, lacks


def _fact(place: Place, argv: list[str]) -> str:
    done = place.run(argv, PATIENCE)
    libraries.check(done)
    said = done.stdout.strip()
    return libraries.parse("", said, done.stderr).implementation if said.startswith("{") else said


def check_image(engine: Engine, catalog: Catalog) -> None:
    """Check that the image is there and was built from this checkout.

    Raises:
        LabError: it is missing or out of date.
    """
    if not images.is_current(engine, catalog.root / "images" / KIND):
        raise LabError(f"image {IMAGE} is missing or out of date", "`lab build crypto` makes it")
