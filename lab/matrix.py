"""`lab matrix`: check everything, then run the plan, then show it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field

from lab import environment, features, images, measures, plan, testbed
from lab.attempts import Taken
from lab.catalog import Catalog, Suite, Vpn
from lab.documents import Document
from lab.engine import LOST, Engine, answering
from lab.engine import Choice as EngineChoice
from lab.errors import LabError, unknown
from lab.measures import Measure, Options
from lab.meter import Meter
from lab.run import Follow, Run, outcomes
from lab.store import Store
from lab.tunnel import tunnel


class Settings(Document):
    """What the user asked for; kept in `meta.json`, so that `--resume` needs no other word."""

    vpns: list[str] = []
    variants: list[str] = []
    ciphers: Annotated[list[str], Field(min_length=1)] = ["quick"]
    measures: Annotated[list[str], Field(min_length=1)] = ["throughput", "transfer"]
    blocks: Annotated[int, Field(ge=1, le=plan.BLOCKS)] = 5
    seed: int = 0
    duration: Annotated[int, Field(ge=1, le=600)] = 5
    streams: Annotated[list[Annotated[int, Field(ge=1, le=64)]], Field(min_length=1)] = [1]
    directions: Annotated[list[Literal["up", "down"]], Field(min_length=1)] = ["up"]
    size: Annotated[int, Field(ge=1000, le=1_000_000_000)] = 10_000_000
    engine: EngineChoice = EngineChoice()

    def options(self) -> Options:
        """The part that measures look at."""
        return Options(self.duration, tuple(self.streams), tuple(self.directions), self.size)


class Progress(Follow, Protocol):
    """How a run is followed."""

    def start(self, todo: int, total: int) -> AbstractContextManager[None]:
        """`todo` of `total` samples are still to be taken."""


@dataclass(frozen=True)
class Choice:
    """What the settings name, found in the catalog: no engine is needed to know that it exists."""

    catalog: Catalog
    settings: Settings
    vpns: list[Vpn]
    suites: list[Suite]
    measures: dict[str, Measure]

    @classmethod
    def of(cls, catalog: Catalog, settings: Settings) -> Choice:
        """Look everything up.

        Raises:
            UsageError: there is no such VPN, variant, suite or measure; with those that there are.
        """
        vpns = catalog.choose_vpns(settings.vpns)
        variants = {variant for vpn in vpns for variant in vpn.file.variants}
        for variant in settings.variants:
            if variant not in variants:
                raise unknown("variant", variant, variants)
        suites = catalog.choose_suites(settings.ciphers)
        return cls(catalog, settings, vpns, suites, measures.choose(settings.measures))


class Prepared:
    """A plan that is known to fit this engine; nothing has been started yet."""

    def __init__(self, choice: Choice, engines: Sequence[Engine]) -> None:
        self.catalog, self.settings, self.vpns = choice.catalog, choice.settings, choice.vpns
        self.engines, self.measures = engines, choice.measures
        engine = self.engine = engines[0]
        check_images(engine, self.catalog, self.vpns)
        options = self.settings.options()
        self.plan = plan.make(
            self.catalog,
            self.vpns,
            choice.suites,
            {name: measure.conditions(options) for name, measure in self.measures.items()},
            blocks=self.settings.blocks,
            seed=self.settings.seed,
            lacks=features.lacks(engine, self.vpns),
            variants=self.settings.variants,
            shared=engine.patience > 1,  # a guest takes as long to bring a tunnel up as to load it
        )

    def meta(self) -> dict[str, Any]:
        """What `meta.json` says of a run of this plan."""
        return {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": self.settings.model_dump(),
            "options": asdict(self.settings.options()),
            "plan": self.plan.fingerprint(),
            "cells": self.plan.listed(),
            "controls": [vpn.name for vpn in self.vpns if vpn.file.control],
            "processors": self.engine.processors,
            "folders": {folder.name: images.folder_digest(folder) for folder in folders_of(self.catalog, self.vpns)},
            **environment.describe(self.engine, self.vpns),
        }


def new_run(results: Path, prepared: Prepared) -> Store:
    """A new run folder."""
    return Store.begin(results, prepared.meta())


def resumed(store: Store, prepared: Prepared) -> Store:
    """`store`, ready to go on: it was made by this plan, on this engine and kernel, with these images.

    Raises:
        LabError: something has changed since; says what.
    """
    return store.go_on(prepared.meta(), ("plan", "folders", "packages", "engine", "machine.kernel"))


def execute(prepared: Prepared, store: Store, progress: Progress) -> dict[str, int]:
    """Take every sample that is missing or went wrong; returns the number of samples by outcome.

    Raises:
        LabError: something other than a sample failed; Stopped: a signal came. What was measured is kept.
    """
    lock = threading.Lock()
    with store.writing():
        taken, steps = Taken(store), prepared.plan.steps()
        with progress.start(sum(map(taken.wants, steps)), len(steps)):
            lanes = [partial(_lane, prepared, store, progress, lock, number) for number in range(len(prepared.engines))]
            if len(lanes) == 1:
                lanes[0]()
            else:
                side_by_side(prepared.engines, lanes)
    return outcomes(store.last())


def _lane(prepared: Prepared, store: Store, progress: Progress, lock: threading.Lock, number: int) -> None:
    """The share of one engine: every n-th tunnel of n engines, the same ones whenever the plan is carried out."""
    engine = prepared.engines[number]
    with answering(engine), _bed(engine, store.folder.name) as bed:
        meter = Meter(bed)
        run = Run(prepared.catalog, bed, meter, store, prepared.measures, prepared.settings.options(), lock)
        if number == 0:
            meta = store.meta()
            if "ends" not in meta:
                store.write_meta(meta | {"ends": _ends(prepared, bed, meter)})
            with lock:
                run.note_unsupported(prepared.plan)
        tunnels = prepared.plan.tunnels(prepared.plan.steps())
        run.execute(tunnels[number :: len(prepared.engines)], prepared.settings.seed, progress)


@contextmanager
def _bed(engine: Engine, run: str) -> Iterator[testbed.Testbed]:
    """A lab of its own for a run, on an engine where nothing is left of runs that were killed."""
    testbed.sweep_forgotten(engine)
    with testbed.opened(engine, f"{run}-{secrets.token_hex(2)}") as bed:
        yield bed


def side_by_side(engines: Sequence[Engine], lanes: Sequence[Callable[[], None]]) -> None:
    """Run all lanes at once; where one fails, or a signal comes, the others' machines are killed under them."""
    with ThreadPoolExecutor(max_workers=len(lanes)) as pool:
        jobs = [pool.submit(lane) for lane in lanes]
        try:
            for job in as_completed(jobs):
                job.result()
        except BaseException:
            for engine in engines:
                engine.given_up = True
                if engine.kill:
                    with suppress(*LOST):
                        engine.kill()
            raise


def _ends(prepared: Prepared, bed: testbed.Testbed, meter: Meter) -> dict[str, Any]:
    """Offloads and sysctls of both ends, read in the first tunnel that comes up."""
    for cell in prepared.plan.cells:
        vpn, suite = prepared.catalog.vpns[cell.vpn], prepared.catalog.suites[cell.suite]
        try:
            with tunnel(bed, meter, vpn, cell.variant, suite) as this:
                return environment.describe_ends(bed, {end: this.containers[end] for end in ("server", "client")})
        except LabError:
            continue
    return {}


def folders_of(catalog: Catalog, vpns: Sequence[Vpn]) -> list[Path]:
    """The folders of every image that a run of `vpns` is made of."""
    return [catalog.root / "images" / name for name in ("base", "meter")] + [vpn.folder for vpn in vpns]


def check_images(engine: Engine, catalog: Catalog, vpns: Sequence[Vpn]) -> None:
    """Check that every image that is needed is there and was built from this checkout.

    Raises:
        LabError: one is missing or out of date; names them all.
    """
    stale = [folder.name for folder in folders_of(catalog, vpns) if not images.is_current(engine, folder)]
    if stale:
        raise LabError(f"images missing or out of date: {', '.join(stale)}", "`lab build` makes them")
