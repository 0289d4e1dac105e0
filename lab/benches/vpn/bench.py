# SPDX-License-Identifier: MIT
"""`lab matrix`: check the settings, and open what a run of the plan needs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.benches.vpn import cells, measures, requirements
from lab.benches.vpn.measures import Measure, Options
from lab.benches.vpn.sample import Bed
from lab.benches.vpn.settings import Own
from lab.catalog.catalog import Catalog
from lab.catalog.suites import Suite
from lab.catalog.vpns import Vpn
from lab.catalog.wires import Wire
from lab.core.errors import LabError, UsageError
from lab.engines import images, opening, platform
from lab.engines.engine import Engine
from lab.results.cell import Cell
from lab.runner.forecast import Load
from lab.runner.plan import Plan, Step
from lab.testbed import link, testbed
from lab.testbed.meter import Meter

KEPT = ("plan", "conditions.wire", "folders", "packages", "engine", "machine.kernel")
"""What must be unchanged to resume a run. Folders stand for images: the same files make the same image."""
COLUMNS: Mapping[str, str] = {}
OF_LOADS = ("iperf3", "nuttcp", "netcat-openbsd", "iputils-ping")
"""The packages of the load programs; the image of every VPN has them."""
SHARED = ("base", "meter")
"""The images that every run uses, whatever it measures."""
DataPath = tuple[Vpn, str]
"""A VPN and one of its variants."""


@dataclass(frozen=True)
class Choice:
    """What the settings name, looked up in the catalog. This needs no engine. `vpns` have only the variants named."""

    catalog: Catalog
    settings: Own
    vpns: list[Vpn]
    suites: list[Suite]
    measures: dict[str, Measure]
    wires: list[Wire]

    @property
    def options(self) -> dict[str, Options]:
        """The part of the settings that each measure uses."""
        return {name: options(self.settings, measure) for name, measure in self.measures.items()}

    @property
    def paths(self) -> list[DataPath]:
        """The data paths that the settings name."""
        return data_paths(self.vpns)


def options(settings: Own, measure: Measure) -> Options:
    """The part of the settings that a measure uses."""
    return measure.Options.model_validate({name: getattr(settings, name) for name in measure.Options.model_fields})


def choose(settings: Own, catalog: Catalog | None = None) -> Choice:
    """Look up everything that the settings name.

    Raises:
        UsageError: there is no such VPN, variant, suite, measure or wire; lists the valid ones. Or two machines are to
            have what only one can.
    """
    catalog = catalog or Catalog()
    vpns = catalog.choose_vpns(settings.vpns, settings.variants)
    suites = catalog.choose_suites(settings.ciphers)
    wires = catalog.choose_wires(settings.wires)
    choice = Choice(catalog, settings, vpns, suites, measures.choose(settings.measures), wires)
    if settings.engine.name == "cable":
        _check_two_machines(choice)
    return choice


def _check_two_machines(choice: Choice) -> None:
    """Refuse what cannot be had between two machines."""
    if not all(wire.whole for wire in choice.wires):
        valid = ", ".join(wire.wire for wire in choice.catalog.wires.values() if wire.whole)
        raise UsageError(f"--wires: between two machines the cable is as it is; valid: {valid}")
    if cells.most(_plan(choice, {}, {}).cells) > 1:
        raise UsageError("--tunnels: more than one needs both ends on one machine: --engine host or --engine vm")


def planned(choice: Choice, engine: Engine | None = None) -> Plan:
    """The plan of a choice. It knows what an engine lacks only if one is given.

    Raises:
        LabError: the images that every run uses, one of which probes the kernel, are missing or out of date.
    """
    if engine is None:
        return _plan(choice, {}, {})
    check_images(engine, choice.catalog, [])
    return _plan(choice, requirements.lacks(engine, choice.vpns), requirements.lacks_wires(engine, choice.wires))


def _plan(choice: Choice, lacks: Mapping[tuple[str, str], str], broken: Mapping[str, str]) -> Plan:
    settings = choice.settings
    return cells.make(
        choice.catalog,
        choice.vpns,
        choice.suites,
        {name: measure.conditions(choice.options[name]) for name, measure in choice.measures.items()},
        blocks=settings.limit,
        seed=settings.seed,
        lacks=lacks,
        wires={wire.wire: broken.get(wire.wire, "") for wire in choice.wires},
        shared=settings.engine.in_guests,  # in a guest, bringing a tunnel up takes as long as loading it
    )


def loads(settings: Own) -> Callable[[Cell], Load]:
    """The load of one sample, by its cell."""
    known = measures.every()
    return lambda cell: known[cell.measure].load(options(settings, known[cell.measure]))


class Site:
    """A plan checked against these engines; nothing has been started yet."""

    def __init__(self, choice: Choice, engines: Sequence[Engine]) -> None:
        self.choice, self.engines = choice, engines
        self.lacks = lacking(engines[0], choice.catalog, choice.vpns)
        for engine in engines[1:]:
            requirements.load(engine, choice.vpns)
        self.paths = [(vpn, variant) for vpn, variant in choice.paths if (vpn.name, variant) not in self.lacks]
        for machine in engines[0].every:
            check_images(machine, choice.catalog, self.paths)
        self.plan = _plan(choice, self.lacks, lacking_wires(engines[0], choice.catalog, choice.wires))

    def announced(self) -> str:
        """The size of the plan, in words."""
        return f"{len(self.plan.cells)} cells x {self.plan.blocks} blocks"

    def meta(self) -> dict[str, Any]:
        """What `meta.json` records about a run of this plan."""
        choice, engine = self.choice, self.engines[0]
        packages = {vpn.name: [*OF_LOADS, *vpn.file.packages] for vpn, _ in self.paths}
        return {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": choice.settings.model_dump(),
            "options": {name: value for each in choice.options.values() for name, value in each.model_dump().items()},
            "plan": self.plan.fingerprint(),
            "cells": self.plan.listed(),
            "conditions": told(choice.wires),
            "figures": measures.declarations(choice.measures),
            "controls": [vpn.name for vpn in choice.vpns if vpn.file.control],
            "processors": engine.processors,
            "folders": {
                name: images.folder_digest(images.folder(images_of(choice.catalog), name), described=True)
                for name in image_names(choice.paths)
            },
            "lacks": {f"{vpn}/{variant}": reason for (vpn, variant), reason in self.lacks.items()},
            **platform.describe(engine, image_names(self.paths), packages),
            **self._far(),
        }

    def _far(self) -> dict[str, Any]:
        """The server's engine and machine, where that is another one than the client's."""
        far = self.engines[0].far
        if far is None:
            return {}
        told = platform.describe(far, [], {})
        return {"server": {key: told[key] for key in ("engine", "machine")}}

    def about(self, step: Step) -> dict[str, Any]:
        """Where the data path of a sample processes records, and the engine and clock of the sample."""
        variant = self.choice.catalog.vpns[step.cell.vpn].file.variants[step.cell.variant]
        engine = self.engines[0]
        return {"records": variant.records, "engine": engine.name, "clock": engine.clock}

    @contextmanager
    def share(self, number: int, run: str) -> Iterator[Bed]:
        """A new lab on one engine, after removing what killed runs left there."""
        engine, choice = self.engines[number], self.choice
        for machine in engine.every:
            testbed.sweep_forgotten(machine)
        most = cells.most(self.plan.cells)
        ipv6 = any(wire.ipv6 for wire in choice.wires)
        with testbed.opened(engine, f"{run}-{secrets.token_hex(2)}", clients=most, ipv6=ipv6) as bed:
            cable = link.described(bed)
            yield Bed(choice.catalog, bed, Meter(bed), self.plan, choice.measures, choice.options, cable)


@contextmanager
def opened(choice: Choice, say: Callable[[str], None]) -> Iterator[Site]:
    """Open the engines of a choice, and make the plan that fits them.

    Raises:
        LabError: there is no engine, or an image is missing or out of date.
    """
    with opening.several(choice.settings.engine, say) as engines:
        yield Site(choice, engines)


def told(wires: Iterable[Wire]) -> dict[str, dict[str, str]]:
    """What each wire that cells name stands for: all that it does. A run goes on with the same alone."""
    named = {wire.wire: wire.sentence for wire in wires if wire.wire != cells.WHOLE}
    return {cells.WIRE: named} if named else {}


def data_paths(vpns: Iterable[Vpn]) -> list[DataPath]:
    """Every variant of `vpns`."""
    return [(vpn, variant) for vpn in vpns for variant in vpn.file.variants]


def image_names(paths: Iterable[DataPath]) -> list[str]:
    """The images that a run of these data paths uses."""
    return list(dict.fromkeys([*SHARED, *(name for vpn, variant in paths for name in vpn.images(variant))]))


def images_of(catalog: Catalog) -> Path:
    """The folder of the images' folders."""
    return catalog.root / "images"


def runnable_images(engine: Engine, vpns: Sequence[Vpn]) -> list[str]:
    """The images of those data paths of `vpns` that this engine can run; the base image must be there."""
    lacks = requirements.lacks(engine, vpns)
    return image_names((vpn, variant) for vpn, variant in data_paths(vpns) if (vpn.name, variant) not in lacks)


def lacking(engine: Engine, catalog: Catalog, vpns: Sequence[Vpn]) -> dict[tuple[str, str], str]:
    """`requirements.lacks`; empty without a current base image: nothing can be asked then."""
    known = _known(engine, catalog)
    return {path: reason for each in known for path, reason in requirements.lacks(each, vpns).items()}


def lacking_wires(engine: Engine, catalog: Catalog, wires: Sequence[Wire]) -> dict[str, str]:
    """`requirements.lacks_wires`; empty without a current base image."""
    return {
        name: reason
        for each in _known(engine, catalog)
        for name, reason in requirements.lacks_wires(each, wires).items()
    }


def _known(engine: Engine, catalog: Catalog) -> list[Engine]:
    """The engine and its far one, but those without a current base image: nothing can be asked there."""
    return [each for each in engine.every if images.is_current(each, images_of(catalog) / SHARED[0])]


def check_images(engine: Engine, catalog: Catalog, paths: Iterable[DataPath]) -> None:
    """Check that every image needed exists and was built from this checkout.

    Raises:
        LabError: an image is missing or out of date; names all of these.
    """
    every = images_of(catalog)
    stale = [name for name in image_names(paths) if not images.is_current(engine, images.folder(every, name))]
    if stale:
        raise LabError(f"images missing or out of date: {', '.join(stale)}", "`lab build` makes them")
