# SPDX-License-Identifier: MIT
"""`lab sums`: a plan, and a container for each sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from lab.core.errors import LabError, Unsupported
from lab.engines import opening, platform
from lab.engines.engine import Engine
from lab.results.cell import Cell
from lab.results.reading import Reading
from lab.runner.attempt import Attempt
from lab.runner.forecast import Load
from lab.runner.plan import Plan, Step

from .settings import KIND, Settings

KEPT = ("plan", "images", "engine", "machine.kernel")
COLUMNS = {"vpn": "program", "variant": "input"}
IMAGE = "lab/base:latest"
TIMED = """
command -v "$1" >/dev/null || exit 127
started=$EPOCHREALTIME
head -c "$2" /dev/zero | "$1" >/dev/null
echo "$started $EPOCHREALTIME"
"""


def choose(settings: Settings) -> Settings:
    return settings


def planned(settings: Settings, engine: Engine | None = None) -> Plan:
    cells = tuple(Cell(name, "stdin", "none", "sum", f"size={settings.size}") for name in settings.programs)
    return Plan(cells, {}, settings.limit, settings.seed)


def loads(settings: Settings) -> Callable[[Cell], Load]:
    return lambda cell: Load(size=settings.size)


@contextmanager
def opened(settings: Settings, say: Callable[[str], None]) -> Iterator[Site]:
    with opening.several(settings.engine, say) as engines:
        yield Site(settings, engines)


@dataclass
class Site:
    settings: Settings
    engines: list[Engine]

    @property
    def plan(self) -> Plan:
        return planned(self.settings)

    def announced(self) -> str:
        return f"{len(self.plan.cells)} programs x {self.plan.blocks} blocks"

    def meta(self) -> dict[str, Any]:
        return {
            "kind": KIND,
            "columns": COLUMNS,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "settings": self.settings.model_dump(),
            "plan": self.plan.fingerprint(),
            "cells": self.plan.listed(),
            **platform.describe(self.engines[0], ["base"], {}),
        }

    def about(self, step: Step) -> dict[str, Any]:
        return {"records": "user", "engine": self.engines[0].name, "clock": self.engines[0].clock}

    @contextmanager
    def share(self, number: int, run: str) -> Iterator[Summer]:
        yield Summer(self.engines[number], self.settings.size)


@dataclass
class Summer:
    engine: Engine
    size: int

    def completed(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        return dict(meta)

    @contextmanager
    def session(self, attempt: Attempt) -> Iterator[Summer]:
        yield self

    def sample(self, attempt: Attempt) -> None:
        name = attempt.cell.vpn
        with attempt.phase("measure"):
            done = self.engine.once(IMAGE, ["bash", "-c", TIMED, "bash", name, str(self.size)])
        if done.status == 127:
            raise Unsupported(f"there is no {name}")
        if done.status:
            raise LabError(done.complaint)
        attempt.known["raw"] = {"stdout": done.stdout}
        started, ended = map(float, done.stdout.split())
        found = Reading("throughput", "MB/s", "machine", self.size / 1e6 / (ended - started))
        attempt.known["readings"] = [asdict(found)]
