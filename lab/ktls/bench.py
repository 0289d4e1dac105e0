"""`lab ktls`: settings, a plan in seeded blocks, and every sample onto the disk before the next begins.

A run is a folder as any other. In its samples the protocol stands where a VPN would, who makes the records where a
variant would, the scenario where a measure would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Protocol

from pydantic import Field

from lab import benches, engines, environment, images
from lab.catalog import ROOT
from lab.documents import Document
from lab.engine import Choice as EngineChoice
from lab.engine import Engine, Result, connect
from lab.errors import LabError, unknown
from lab.ktls import answers, ends, paths
from lab.matrix import Progress
from lab.plan import BLOCKS, Cell, Plan, Step
from lab.run import offset
from lab.store import Store

KIND = "ktls"
"""What `meta.json` says under `kind`."""
PAYLOADS = (1280, 1400, 4000, 6000, 9000, 13000, 16000)
"""Bytes of payload of a record: the thesis's (section 5.5.2)."""
CIPHERS = ("aes-128-gcm", "aes-256-gcm", "chacha20-poly1305")
PATIENCE = 60.0
"""Seconds that a command may take beyond what it times: a file is made, a handshake, the peer drains."""
SLOWEST = 2e6
"""Bytes or, 1400 times fewer, records a second that even the slowest path moves."""
PACKAGES = ("libgnutls30t64", "linux-perf")
KEPT = ("plan", "images", "engine", "machine", "modules")
"""What must be as it was for a run to go on."""
Payload = Annotated[int, Field(ge=8, le=16384)]
Names = Annotated[list[str], Field(min_length=1)]


class Settings(Document):
    """What the user asked for; kept in `meta.json`, so that `--resume` needs no other word.

    `seconds` or, where there is a `count`, so many records; a file of `size` bytes. `profile`: payloads at which every
    path is sampled by `perf` as well. `cpuid`: GNUTLS_CPUID_OVERRIDE at both ends. `driver`: the module's parameter, of
    the kernel's drivers for its ciphers (those of streams the kernel's own TLS chooses).
    """

    scenarios: Names = ["transmission", "file", "echo", "verify"]
    protocols: Names = ["dtls", "tls", "udp", "tcp"]
    paths: Names = ["library", "kernel-tx", "kernel", "mainline-tx", "mainline", "raw"]
    ciphers: Names = ["aes-128-gcm"]
    payloads: Annotated[list[Payload], Field(min_length=1)] = list(PAYLOADS)
    file_payloads: Annotated[list[Payload], Field(min_length=1)] = [1400]
    seconds: Annotated[float, Field(gt=0, le=60)] = 1.0
    count: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    size: Annotated[int, Field(ge=1000, le=1_000_000_000)] = 25_000_000
    profile: list[Payload] = []
    cpuid: Annotated[str, Field(pattern=r"^(0x[0-9a-fA-F]+)?$")] = ""
    driver: Annotated[str, Field(pattern=r"^[a-z0-9(),_-]*$")] = ""
    engine: EngineChoice = EngineChoice(name="vm")
    blocks: Annotated[int, Field(ge=1, le=BLOCKS)] = 3
    seed: int = 0


class Blocks(Plan):
    """A plan whose profiles are taken once: they are means over thousands of samples, and show shares, not figures."""

    def steps(self) -> list[Step]:
        """Every sample in order."""
        return [step for step in super().steps() if step.block == 0 or step.cell.measure != paths.PROFILE]


def choose(settings: Settings) -> Plan:
    """The plan of the settings: no engine is needed to know that all of it exists.

    Raises:
        UsageError: there is no such scenario, protocol, path or cipher; with those that there are.
    """
    known = paths.load()
    for kind, names, valid in (
        ("scenario", settings.scenarios, known.scenario), ("protocol", settings.protocols, known.protocol),
        ("path", settings.paths, known.path), ("cipher", settings.ciphers, CIPHERS),
    ):  # fmt: skip
        for name in names:
            if name not in valid:
                raise unknown(kind, name, valid)
    found = paths.cells(
        settings.scenarios, settings.protocols, settings.paths, settings.ciphers, settings.payloads,
        settings.file_payloads,
    )  # fmt: skip
    scenarios = [name for name in settings.scenarios if known.scenario[name].payload]
    looked_at = paths.cells(
        scenarios, settings.protocols, settings.paths, settings.ciphers, settings.profile, settings.profile
    )
    return Blocks((*found, *map(paths.profiled, looked_at)), {}, settings.blocks, settings.seed)


class Where(Protocol):
    """Where the bench runs: `lab.ktls.ends`."""

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


class Bench:
    """A plan, and the ends that carry it out: in each engine a pair, that takes its share of the samples."""

    def __init__(self, settings: Settings, places: Sequence[tuple[Engine, Where]]) -> None:
        self.settings, self.places = settings, places
        self.engine = places[0][0]
        self.plan = choose(settings)

    def announced(self) -> str:
        """What is to come."""
        return f"{len(self.plan.cells)} cells in {self.plan.blocks} blocks, {len(self.plan.steps())} samples"

    def meta(self) -> dict[str, Any]:
        """What `meta.json` says of a run of this plan."""
        told = environment.describe(self.engine, [])
        return told | {
            "kind": KIND,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": self.settings.model_dump(),
            "plan": self.plan.fingerprint(),
            "cells": self.plan.listed(),
            "images": {ends.IMAGE: self.engine.image_id(ends.IMAGE)},
            "packages": {KIND: environment.packages(self.engine, ends.IMAGE, PACKAGES)},
            "processors": self.engine.processors,
            "modules": self.places[0][1].facts(),
        }

    def execute(self, store: Store, progress: Progress) -> dict[str, int]:
        """Take every sample that is missing or went wrong; returns the number of samples by outcome.

        Raises:
            LabError: the store cannot be written, or an engine is gone; Stopped: a signal came. What was
                measured is kept.
        """
        lanes = [benches.Lane(engine, partial(self.sample, where)) for engine, where in self.places]
        return benches.carry_out(self.plan, store, progress, lanes, self._record)

    def sample(self, where: Where, step: Step) -> dict[str, Any]:
        """One attempt at the cell of `step`; whatever goes wrong with the bench is its outcome."""
        settings, cell = self.settings, step.cell
        with benches.attempted(where.stopped) as result:
            argv = paths.arguments(cell, where.peer, seconds=settings.seconds, count=settings.count, size=settings.size)
            if cell.measure == paths.PROFILE:
                done, seen = where.watched(argv, self.limit(cell))
                result["raw"] |= seen
            else:
                done = where.run(argv, self.limit(cell), later=offset(settings.seed, step))
            result["raw"] |= {"argv": argv, "stdout": done.stdout, "stderr": done.stderr}
            answers.check(done)
            said = answers.parse(done.stdout)
            answers.prove(said, cell)
            result["drivers"] = said.get("drivers")
            found = answers.readings(said, self.engine.clock, self.engine.processors)
            result["readings"] = [asdict(reading) for reading in found]
        return result

    def limit(self, cell: Cell) -> float:
        """Seconds after which a sample is given up."""
        settings, scenario = self.settings, paths.load().scenario[paths.scenario_of(cell)]
        if scenario.size:
            return PATIENCE + settings.size / SLOWEST
        return PATIENCE + (settings.count * 1400 / SLOWEST if settings.count else settings.seconds)

    def _record(self, store: Store, step: Step, result: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **benches.placed(store, step),
            "records": paths.load().path[step.cell.variant].records,
            "engine": self.engine.name,
            "clock": self.engine.clock,
            **result,
        }


@contextmanager
def prepared(settings: Settings, say: Callable[[str], None]) -> Iterator[Bench]:
    """Every engine, and both ends in each, up; gone afterwards.

    Raises:
        UsageError: the settings name something that there is not. LabError: there is no engine, or the image is
            missing or out of date.
    """
    choose(settings)
    check_image(connect())  # that of this machine goes to the guest, which takes a while
    parameters = [f"driver={settings.driver}"] if settings.driver else []
    override = {"GNUTLS_CPUID_OVERRIDE": settings.cpuid} if settings.cpuid else {}
    with engines.several(settings.engine, say) as found, ExitStack() as stack:
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
        yield Bench(settings, places)


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
