# SPDX-License-Identifier: MIT
"""`lab crypto`: check the settings, and open what a run of the plan needs.

In its samples the column `vpn` holds the library and `variant` the place: so the plan, the store and the analysis
serve all benches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from lab.benches.crypto import libraries
from lab.benches.crypto.libraries import COLUMNS, Commands, Library, Timing
from lab.benches.crypto.places import IMAGE, Place, open_places
from lab.benches.crypto.settings import KIND, Settings
from lab.catalog.catalog import Catalog
from lab.catalog.suites import Suite
from lab.core.errors import LabError, Unsupported, unknown
from lab.engines import images, opening, platform
from lab.engines.engine import Engine
from lab.results.cell import Cell, parse_conditions
from lab.runner.attempt import Attempt
from lab.runner.failure import explained
from lab.runner.forecast import Load
from lab.runner.plan import Plan, Step

KEPT = ("plan", "images", "engine", "machine", "implementations")
"""What must be unchanged to resume a run: the same image, on the same kernel, with the same code paths."""
START_UP = 0.3
"""Seconds that a command takes beyond what it times: to start a process in a container, and 50 ms of warm-up."""
PATIENCE = 30.0
"""Seconds that a command may take beyond what it times."""
PACKAGES = ("libgnutls30t64", "libssl3t64", "openssl", "openssl-provider-legacy")


@dataclass(frozen=True)
class Choice:
    """What the settings name, looked up. This needs no engine."""

    catalog: Catalog
    settings: Settings
    suites: dict[str, Suite]
    libraries: dict[str, Library]

    def plan(self, lacks: Mapping[tuple[str, str], str]) -> Plan:
        """Library x place x suite x size; `lacks` maps a library and place to why it cannot run there."""
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
        return Plan(tuple(cells), impossible, self.settings.limit, self.settings.seed)

    def commands(self, cell: Cell) -> Commands:
        """The commands of one sample of a cell."""
        size = int(parse_conditions(cell.conditions)["size"])
        return self.libraries[cell.vpn].commands(self.suites[cell.suite], size, self.settings.seconds)

    def duration(self, plan: Plan) -> float:
        """About how many seconds a plan takes on a processor that is not emulated."""
        commands = sum(len(self.commands(cell)) for cell in plan.cells)
        return commands * plan.blocks * (self.settings.seconds + START_UP)


def choose(settings: Settings, catalog: Catalog | None = None) -> Choice:
    """Look up everything that the settings name. Control suites are left out: no library has a column for them.

    Raises:
        UsageError: there is no such library or suite; lists the valid ones.
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


def planned(choice: Choice, engine: Engine | None = None) -> Plan:
    """The plan of a choice. It knows what an engine's places lack only if one is given.

    Raises:
        LabError: the image is missing or out of date.
    """
    if engine is None:
        return choice.plan({})
    check_image(engine, choice.catalog)
    with open_places(engine, choice.settings.timed_in) as places:
        return choice.plan(_facts(choice, places)[1])


def loads(settings: Settings) -> Callable[[Cell], Load]:
    """The seconds that the commands of a sample take, by its cell."""
    choice = choose(settings)
    return lambda cell: Load(seconds=len(choice.commands(cell)) * settings.seconds)


class Site:
    """A plan checked against the open places: of each engine, by name."""

    def __init__(self, choice: Choice, opened: Sequence[tuple[Engine, Mapping[str, Place]]]) -> None:
        self.choice, self.places = choice, [places for _, places in opened]
        self.engines = [engine for engine, _ in opened]
        self.facts, lacks = _facts(choice, self.places[0])
        self.plan = choice.plan(lacks)

    def announced(self) -> str:
        """The size of the plan, and about how long it will take, in words."""
        minutes = self.choice.duration(self.plan) / 60 / len(self.engines)
        return f"{len(self.plan.cells)} cells x {self.plan.blocks} blocks, about {minutes:.1f} min"

    def meta(self) -> dict[str, Any]:
        """What `meta.json` records about a run of this plan; `implementations` by library and place."""
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
        """Which records a library is for, and the engine and clock of the sample's place."""
        place = self.places[0][step.cell.variant]
        records = self.choice.libraries[step.cell.vpn].records
        return {"records": records, "engine": place.engine, "clock": place.clock}

    @contextmanager
    def share(self, number: int, run: str) -> Iterator[Timer]:
        """The places of one engine, which are open already."""
        yield Timer(self.choice, self.places[number])


@dataclass(frozen=True)
class Timer:
    """Times libraries in the places of one engine; samples share nothing."""

    choice: Choice
    places: Mapping[str, Place]

    def completed(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """`meta` is complete from the start."""
        return dict(meta)

    @contextmanager
    def session(self, attempt: Attempt) -> Iterator[Timer]:
        """If the place has stopped, the error of a sample says so."""
        with explained(self.places[attempt.cell.variant].stopped):
            yield self

    def sample(self, attempt: Attempt) -> None:
        """Time all parts of a cell; a part that not every processor supports may be missing.

        Raises:
            Unsupported: the library or the kernel lacks the cipher. LabError: any other failure.
        """
        timings: dict[str, Timing] = {}
        for part, argv in self.choice.commands(attempt.cell).items():
            try:
                timings[part] = self._time(attempt, part, argv)
            except Unsupported:
                if part in libraries.NEEDED:
                    raise
        attempt.known["readings"] = [asdict(reading) for reading in libraries.readings(timings)]
        implementations = {timing.implementation for timing in timings.values()} - {""}
        attempt.known["implementation"] = ", ".join(sorted(implementations))

    def _time(self, attempt: Attempt, part: str, argv: list[str]) -> Timing:
        cell = attempt.cell
        with attempt.phase("measure"):
            result = self.places[cell.variant].run(argv, self.choice.settings.seconds + PATIENCE)
        attempt.known["raw"][part] = {"argv": argv, "stdout": result.stdout, "stderr": result.stderr}
        libraries.check(result)
        return libraries.parse(self.choice.libraries[cell.vpn].program, result.stdout, result.stderr)


@contextmanager
def opened(choice: Choice, say: Callable[[str], None]) -> Iterator[Site]:
    """Open the engines and the places of a choice; they are closed afterwards.

    Raises:
        LabError: there is no engine, or the image is missing or out of date.
    """
    with opening.several(choice.settings.engine, say) as engines, ExitStack() as stack:
        places = []
        for engine in engines:
            check_image(engine, choice.catalog)
            places.append((engine, stack.enter_context(open_places(engine, choice.settings.timed_in))))
        yield Site(choice, places)


def _facts(
    choice: Choice, opened: Mapping[str, Place]
) -> tuple[dict[str, dict[str, list[str]]], dict[tuple[str, str], str]]:
    """What each library reports about itself in each place; and why it cannot run in a place."""
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
    result = place.run(argv, PATIENCE)
    libraries.check(result)
    text = result.stdout.strip()
    return libraries.parse("", text, result.stderr).implementation if text.startswith("{") else text


def check_image(engine: Engine, catalog: Catalog) -> None:
    """Check that the image exists and was built from this checkout.

    Raises:
        LabError: it is missing or out of date.
    """
    if not images.is_current(engine, catalog.root / "images" / KIND):
        raise LabError(f"image {IMAGE} is missing or out of date", "`lab build crypto` makes it")
