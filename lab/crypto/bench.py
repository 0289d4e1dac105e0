"""`lab crypto`: settings, a plan in seeded blocks, and every sample onto the disk before the next begins.

A run is a folder as any other. In its samples the library stands where a VPN would, the place where a variant would:
so the plan, the store and the analysis serve both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lab import benches, engines, environment, images
from lab.catalog import Catalog, Suite
from lab.crypto import libraries, places
from lab.crypto.libraries import Commands, Library, Timing
from lab.crypto.places import Place
from lab.documents import Document
from lab.engine import Choice as EngineChoice
from lab.engine import Engine
from lab.errors import LabError, Unsupported, unknown
from lab.matrix import Progress
from lab.plan import BLOCKS, Cell, Plan, Step, parse_conditions
from lab.store import Store

KIND = "crypto"
"""What `meta.json` says under `kind`, and the measure of every sample."""
SIZES = (16, 64, 256, 1024, 8192, 16384)
"""Bytes of payload: those that `openssl speed` takes by default, as the thesis had them."""
START_UP = 0.3
"""Seconds that a command takes beyond what it times: a process in a container, 50 ms of warming up."""
PATIENCE = 30.0
"""Seconds that a command may take beyond what it times."""
PACKAGES = ("libgnutls30t64", "libssl3t64", "openssl", "openssl-provider-legacy")


class Settings(Document):
    """What the user asked for; kept in `meta.json`, so that `--resume` needs no other word. `runs` are blocks."""

    libraries: Annotated[list[str], Field(min_length=1)] = ["openssl", "gnutls", "kernel"]
    ciphers: Annotated[list[str], Field(min_length=1)] = ["quick"]
    sizes: Annotated[list[Annotated[int, Field(ge=16, le=16384, multiple_of=16)]], Field(min_length=1)] = list(SIZES)
    places: Annotated[list[Literal["host", "container"]], Field(min_length=1)] = ["host", "container"]
    engine: EngineChoice = EngineChoice()
    runs: Annotated[int, Field(ge=1, le=BLOCKS)] = 3
    seconds: Annotated[int, Field(ge=1, le=60)] = 1
    seed: int = 0

    @model_validator(mode="after")
    def _one_machine(self) -> Settings:
        if "host" in self.places and self.engine.name != "host":
            raise ValueError("a guest has no place `host`: this machine is another, on another clock")
        return self


@dataclass(frozen=True)
class Choice:
    """What the settings name, found: no engine is needed to know that it exists."""

    catalog: Catalog
    settings: Settings
    suites: dict[str, Suite]
    libraries: dict[str, Library]

    @classmethod
    def of(cls, catalog: Catalog, settings: Settings) -> Choice:
        """Look everything up. Control suites, which no library has a column for, are left out.

        Raises:
            UsageError: there is no such library or suite; with those that there are.
        """
        known = libraries.load()
        for name in settings.libraries:
            if name not in known:
                raise unknown("library", name, known)
        dialects = {row.dialect for row in known.values()}
        suites = [row for row in catalog.choose_suites(settings.ciphers) if {*row.native, *row.absent} & dialects]
        return cls(
            catalog, settings, {row.suite: row for row in suites}, {name: known[name] for name in settings.libraries}
        )

    def plan(self, lacks: Mapping[tuple[str, str], str]) -> Plan:
        """Library x place x suite x size; `lacks` maps a library and place to the reason why it cannot run there."""
        cells: list[Cell] = []
        impossible: dict[Cell, str] = {}
        for name, library in self.libraries.items():
            for place in self.settings.places:
                for suite in self.suites.values():
                    for size in self.settings.sizes:
                        cell = Cell(name, place, suite.suite, KIND, f"size={size}")
                        if reason := library.why_not(suite) or lacks.get((name, place)):
                            impossible[cell] = reason
                        else:
                            cells.append(cell)
        return Plan(tuple(cells), impossible, self.settings.runs, self.settings.seed)

    def commands(self, cell: Cell) -> Commands:
        """What a sample of a cell runs."""
        size = int(parse_conditions(cell.conditions)["size"])
        return self.libraries[cell.vpn].commands(self.suites[cell.suite], size, self.settings.seconds)

    def duration(self, plan: Plan) -> float:
        """About how many seconds a plan takes, where the processor is no emulated one."""
        commands = sum(len(self.commands(cell)) for cell in plan.cells)
        return commands * plan.blocks * (self.settings.seconds + START_UP)


class Bench:
    """A plan that is known to fit the places that are open."""

    def __init__(self, choice: Choice, engine: Engine, opened: Mapping[str, Place]) -> None:
        self.choice, self.engine, self.places = choice, engine, opened
        self.facts, lacks = _facts(choice, opened)
        self.plan = choice.plan(lacks)

    def announced(self) -> str:
        """What is to come, and about how long it will take."""
        minutes = self.choice.duration(self.plan) / 60
        return f"{len(self.plan.cells)} cells x {self.plan.blocks} runs, about {minutes:.1f} min"

    def meta(self) -> dict[str, Any]:
        """What `meta.json` says of a run of this plan; `implementations` by library and place."""
        told = environment.describe(self.engine, [])
        return told | {
            "kind": KIND,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": self.choice.settings.model_dump(),
            "plan": self.plan.fingerprint(),
            "cells": self.plan.listed(),
            "images": {places.IMAGE: self.engine.image_id(places.IMAGE)},
            "packages": {KIND: environment.packages(self.engine, places.IMAGE, PACKAGES)},
            "implementations": self.facts,
        }

    def execute(self, store: Store, progress: Progress) -> dict[str, int]:
        """Take every sample that is missing or went wrong; returns the number of samples by outcome.

        Raises:
            LabError: the store cannot be written, or the engine is gone; Stopped: a signal came. What was
                measured is kept.
        """
        lane = benches.Lane(self.engine, lambda step: self.sample(step.cell))
        return benches.carry_out(self.plan, store, progress, [lane], self._record)

    def sample(self, cell: Cell) -> dict[str, Any]:
        """One attempt at `cell`; whatever goes wrong with the bench is its outcome."""
        with benches.attempted(self.places[cell.variant].stopped) as result:
            timings: dict[str, Timing] = {}
            for part, argv in self.choice.commands(cell).items():
                try:
                    timings[part] = self._time(cell, part, argv, result)
                except Unsupported:
                    if part in libraries.NEEDED:
                        raise
            result["readings"] = [asdict(reading) for reading in libraries.readings(timings)]
            found = {timing.implementation for timing in timings.values()} - {""}
            result["implementation"] = ", ".join(sorted(found))
        return result

    def _time(self, cell: Cell, part: str, argv: list[str], result: dict[str, Any]) -> Timing:
        done = self.places[cell.variant].run(argv, self.choice.settings.seconds + PATIENCE)
        result["raw"][part] = {"argv": argv, "stdout": done.stdout, "stderr": done.stderr}
        libraries.check(done)
        return libraries.parse(self.choice.libraries[cell.vpn].program, done.stdout, done.stderr)

    def _record(self, store: Store, step: Step, result: Mapping[str, Any]) -> dict[str, Any]:
        place = self.places[step.cell.variant]
        return {
            **benches.placed(store, step),
            "records": self.choice.libraries[step.cell.vpn].records,
            "engine": place.engine,
            "clock": place.clock,
            **result,
        }


@contextmanager
def prepared(choice: Choice, say: Callable[[str], None]) -> Iterator[Bench]:
    """The engine and the places of a choice, open; they are closed afterwards.

    Raises:
        LabError: there is no engine, or the image is missing or out of date.
    """
    with engines.opened(choice.settings.engine, say) as engine:
        check_image(engine, choice.catalog)
        with places.opened(engine, choice.settings.places) as opened:
            yield Bench(choice, engine, opened)


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
        raise LabError(f"image {places.IMAGE} is missing or out of date", "`lab build crypto` makes it")


def new_run(results: Path, bench: Bench) -> Store:
    """A new run folder, named by the time and a few letters."""
    return Store.begin(results, bench.meta())


def settings(asked: Mapping[str, Any]) -> Settings:
    """The settings that a user asked for; raises what `benches.settings` raises."""
    return benches.settings(Settings, asked)


def settings_of(store: Store) -> Settings:
    """The settings of a run that is to go on; raises what `benches.settings_of` raises."""
    return benches.settings_of(Settings, store, KIND)


def resumed(store: Store, bench: Bench) -> Store:
    """Make `store` ready to go on, once it is known that it was made by this plan, with this image, on this kernel.

    Raises:
        LabError: something has changed since; says what.
    """
    return store.go_on(bench.meta(), ("plan", "images", "engine", "machine", "implementations"))
