# SPDX-License-Identifier: MIT
"""`lab matrix`: check the settings, and open what a run of the plan needs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.benches.vpn import cells, measures, requirements
from lab.benches.vpn.measures import Measure, Options
from lab.benches.vpn.sample import Bed
from lab.benches.vpn.settings import Settings
from lab.catalog.catalog import Catalog
from lab.catalog.suites import Suite
from lab.catalog.vpns import Vpn
from lab.core.errors import LabError, unknown
from lab.engines import images, opening, platform
from lab.engines.engine import Engine
from lab.results.cell import Cell
from lab.runner.forecast import Load
from lab.runner.plan import Plan, Step
from lab.testbed import testbed
from lab.testbed.meter import Meter

KEPT = ("plan", "folders", "packages", "engine", "machine.kernel")
"""What must be unchanged to resume a run. Folders stand for images: the same files make the same image."""
COLUMNS: Mapping[str, str] = {}
OF_LOADS = ("iperf3", "netcat-openbsd", "iputils-ping")
"""The packages of the load programs; the image of every VPN has them."""


@dataclass(frozen=True)
class Choice:
    """What the settings name, looked up in the catalog. This needs no engine."""

    catalog: Catalog
    settings: Settings
    vpns: list[Vpn]
    suites: list[Suite]
    measures: dict[str, Measure]

    @property
    def options(self) -> Options:
        """The part of the settings that measures use."""
        return options(self.settings)


def options(settings: Settings) -> Options:
    """The part of the settings that measures use."""
    return Options(settings.duration, tuple(settings.streams), tuple(settings.directions), settings.size)


def choose(settings: Settings, catalog: Catalog | None = None) -> Choice:
    """Look up everything that the settings name.

    Raises:
        UsageError: there is no such VPN, variant, suite or measure; lists the valid ones.
    """
    catalog = catalog or Catalog()
    vpns = catalog.choose_vpns(settings.vpns)
    variants = {variant for vpn in vpns for variant in vpn.file.variants}
    for variant in settings.variants:
        if variant not in variants:
            raise unknown("variant", variant, variants)
    suites = catalog.choose_suites(settings.ciphers)
    return Choice(catalog, settings, vpns, suites, measures.choose(settings.measures))


def planned(choice: Choice, engine: Engine | None = None) -> Plan:
    """The plan of a choice. It knows what an engine lacks only if one is given.

    Raises:
        LabError: an image is missing or out of date.
    """
    settings = choice.settings
    if engine:
        check_images(engine, choice.catalog, choice.vpns)
    return cells.make(
        choice.catalog,
        choice.vpns,
        choice.suites,
        {name: measure.conditions(choice.options) for name, measure in choice.measures.items()},
        blocks=settings.blocks,
        seed=settings.seed,
        lacks=requirements.lacks(engine, choice.vpns) if engine else {},
        variants=settings.variants,
        shared=settings.engine.name == "vm",  # in a guest, bringing a tunnel up takes as long as loading it
    )


def loads(settings: Settings) -> Callable[[Cell], Load]:
    """The load of one sample, by its cell."""
    known, chosen = measures.every(), options(settings)
    return lambda cell: known[cell.measure].load(chosen)


class Site:
    """A plan checked against these engines; nothing has been started yet."""

    def __init__(self, choice: Choice, engines: Sequence[Engine]) -> None:
        self.choice, self.engines = choice, engines
        self.plan = planned(choice, engines[0])

    def announced(self) -> str:
        """The size of the plan, in words."""
        return f"{len(self.plan.cells)} cells x {self.plan.blocks} blocks"

    def meta(self) -> dict[str, Any]:
        """What `meta.json` records about a run of this plan."""
        choice, engine = self.choice, self.engines[0]
        packages = {vpn.name: [*OF_LOADS, *vpn.file.packages] for vpn in choice.vpns}
        return {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": choice.settings.model_dump(),
            "options": asdict(choice.options),
            "plan": self.plan.fingerprint(),
            "cells": self.plan.listed(),
            "controls": [vpn.name for vpn in choice.vpns if vpn.file.control],
            "processors": engine.processors,
            "folders": {
                folder.name: images.folder_digest(folder) for folder in folders_of(choice.catalog, choice.vpns)
            },
            **platform.describe(engine, ["base", "meter"], packages),
        }

    def about(self, step: Step) -> dict[str, Any]:
        """Where the data path of a sample processes records, and the engine and clock of the sample."""
        variant = self.choice.catalog.vpns[step.cell.vpn].file.variants[step.cell.variant]
        engine = self.engines[0]
        return {"records": variant.records, "engine": engine.name, "clock": engine.clock}

    @contextmanager
    def share(self, number: int, run: str) -> Iterator[Bed]:
        """A new lab on one engine, after removing what killed runs left there."""
        engine, choice = self.engines[number], self.choice
        testbed.sweep_forgotten(engine)
        with testbed.opened(engine, f"{run}-{secrets.token_hex(2)}") as bed:
            yield Bed(choice.catalog, bed, Meter(bed), self.plan, choice.measures, choice.options)


@contextmanager
def opened(choice: Choice, say: Callable[[str], None]) -> Iterator[Site]:
    """Open the engines of a choice, and make the plan that fits them.

    Raises:
        LabError: there is no engine, or an image is missing or out of date.
    """
    with opening.several(choice.settings.engine, say) as engines:
        yield Site(choice, engines)


def folders_of(catalog: Catalog, vpns: Sequence[Vpn]) -> list[Path]:
    """The folders of every image that a run of `vpns` uses."""
    return [catalog.root / "images" / name for name in ("base", "meter")] + [vpn.folder for vpn in vpns]


def check_images(engine: Engine, catalog: Catalog, vpns: Sequence[Vpn]) -> None:
    """Check that every image needed exists and was built from this checkout.

    Raises:
        LabError: an image is missing or out of date; names all of these.
    """
    stale = [folder.name for folder in folders_of(catalog, vpns) if not images.is_current(engine, folder)]
    if stale:
        raise LabError(f"images missing or out of date: {', '.join(stale)}", "`lab build` makes them")
