# SPDX-License-Identifier: MIT
"""`--dry-run`: the plan of a run, what is unsupported, and about how much time and disk it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from lab import benches
from lab.cli.rows import show as show_rows
from lab.core.errors import LabError
from lab.core.terminal import answer, console, duration_text
from lab.engines import engine as engines
from lab.results.cell import Cell
from lab.results.store import Store, runs
from lab.runner import settings as common
from lab.runner.forecast import Forecast, Former, forecast
from lab.runner.missing import Taken
from lab.runner.plan import Plan, Step

FEW = 4
"""A line names up to so many suites; `--json` names all."""


@dataclass(frozen=True)
class DryRun:
    """What a run would do. `steps` are the samples to take.

    `machines`: the processors of the runs that the forecast is based on. `notes` say what is not known, and why.
    `stages`: the numbers of blocks after which the run may end (`--blocks auto`). The forecast is of all of them.
    """

    plan: Plan
    steps: Sequence[Step]
    forecast: Forecast
    columns: Mapping[str, str]
    machines: Mapping[str, str]
    notes: Sequence[str]
    stages: Sequence[int] = ()

    @property
    def subjects(self) -> list[dict[str, Any]]:
        """Each VPN and data path: its cells, its samples to take, and its cells that are unsupported."""
        vpn, variant = (self.columns.get(key, key) for key in ("vpn", "variant"))
        cells = _by_path(self.plan.cells)
        samples = _by_path(step.cell for step in self.steps)
        unsupported = _by_path(self.plan.unsupported)
        paths = list(dict.fromkeys([*cells, *unsupported]))
        vpns = list(dict.fromkeys(name for name, _ in paths))
        return [
            {
                vpn: path[0], variant: path[1],
                "cells": cells[path], "samples": samples[path], "unsupported": unsupported[path],
            }
            for path in sorted(paths, key=lambda path: vpns.index(path[0]))
        ]  # fmt: skip

    @property
    def gaps(self) -> list[Gap]:
        """The cells that are unsupported, by VPN and reason."""
        grouped: dict[tuple[str, str], list[Cell]] = {}
        for cell, reason in self.plan.unsupported.items():
            grouped.setdefault((cell.vpn, reason), []).append(cell)
        return [Gap(vpn, cells, reason) for (vpn, reason), cells in grouped.items()]


@dataclass(frozen=True)
class Gap:
    """Cells of a VPN that are unsupported for the same reason."""

    vpn: str
    cells: Sequence[Cell]
    reason: str

    @property
    def variants(self) -> list[str]:
        """The data paths of the cells."""
        return list(dict.fromkeys(cell.variant for cell in self.cells))

    @property
    def suites(self) -> list[str]:
        """The suites of the cells."""
        return list(dict.fromkeys(cell.suite for cell in self.cells))

    def row(self, columns: Mapping[str, str]) -> dict[str, Any]:
        """For a program, with the subject's own column names."""
        vpn, variant = (columns.get(key, key) for key in ("vpn", "variant"))
        row = {vpn: self.vpn, f"{variant}s": self.variants, "suites": self.suites}
        return {**row, "cells": len(self.cells), "reason": self.reason}

    def __str__(self) -> str:
        """In words. Suites are named if they are few."""
        suites = ", ".join(self.suites) if len(self.suites) <= FEW else f"{len(self.suites)} suites"
        return f"{self.vpn} {', '.join(self.variants)} with {suites}: {self.reason}"


def _by_path(cells: Iterable[Cell]) -> Counter[tuple[str, str]]:
    return Counter((cell.vpn, cell.variant) for cell in cells)


def prepare(kind: str, asked: Mapping[str, Any], resume: str | None, results: Path) -> DryRun:
    """What `lab <kind>` would do with these settings, or for the run to `resume`. Nothing is written or started.

    Raises:
        UsageError: a setting is invalid, or there is no such run.
    """
    model, bench = benches.settings(kind).Settings, benches.bench(kind)
    store = Store(results / resume) if resume else None
    settings = common.settings_of(model, store, kind) if store else common.settings(model, asked)
    choice, notes = bench.choose(settings), list[str]()
    plan = bench.planned(choice)
    if settings.engine.name == "host":
        try:
            plan = bench.planned(choice, engines.connect())
        except LabError as error:
            notes.append(f"what this machine cannot run is not known: {error.message}; {error.hint}")
    else:
        notes.append("the start of the guest comes on top. What its kernel cannot run is known when it is up")
    steps = plan.steps()
    if store:
        steps = [*filter(Taken(store).wants, steps)]
    predicted = forecast(steps, settings.engine, bench.loads(settings), formers(kind, results))
    machines = {run: Store(results / run).meta().get("machine", {}).get("cpu", "") for run in predicted.runs}
    return DryRun(plan, steps, predicted, bench.COLUMNS, machines, notes, settings.stages)


def formers(kind: str, results: Path) -> Iterator[Former]:
    """The runs of this kind, the newest first; those whose settings this version does not understand are left out."""
    model, bench = benches.settings(kind).Settings, benches.bench(kind)
    for store in runs(results, kind):
        try:
            settings = common.settings_of(model, store, kind)
            yield Former(store, settings.engine, bench.loads(settings))
        except LabError:
            continue


def show(dry_run: DryRun, as_json: bool) -> None:
    """Print a dry run, as JSON for a program."""
    if as_json:
        answer(data(dry_run))
        return
    show_rows(dry_run.subjects, as_json=False)
    for gap in dry_run.gaps:
        _line("unsupported", str(gap))
    plan = dry_run.plan
    most = "at most " if dry_run.stages else ""
    _line("plan", f"{len(plan.cells)} cells in {most}{plan.blocks} blocks; {most}{len(dry_run.steps)} samples to take")
    if dry_run.stages:
        _line("end", end_text(dry_run.stages))
    _line("time", time_text(dry_run.forecast, dry_run.machines))
    _line("disk", disk_text(dry_run.forecast))
    for note in dry_run.notes:
        _line("note", note)
    console.print("Nothing was measured, and nothing was written.", highlight=False)


def data(dry_run: DryRun) -> dict[str, Any]:
    """A dry run as plain data, with the seconds and bytes of its forecast."""
    plan, predicted = dry_run.plan, dry_run.forecast
    return {
        "cells": len(plan.cells),
        "blocks": plan.blocks,
        "stages": list(dry_run.stages),
        "samples": len(dry_run.steps),
        "subjects": dry_run.subjects,
        "unsupported": [gap.row(dry_run.columns) for gap in dry_run.gaps],
        "seconds": round(predicted.seconds),
        "at_least": predicted.at_least,
        "bytes": predicted.size,
        "based_on": predicted.runs,
        "notes": list(dry_run.notes),
    }


def stages_text(stages: Sequence[int]) -> str:
    """The numbers of blocks after which a run may end, in words."""
    *former, last = map(str, stages)
    return f"{', '.join(former)} or {last}" if former else last


def end_text(stages: Sequence[int]) -> str:
    """When a run with these stages ends."""
    return f"after {stages_text(stages)} blocks, as soon as its comparisons are decided"


def _line(name: str, text: str) -> None:
    console.print(Text.assemble((f"{name}: ", "bold"), text))


def time_text(predicted: Forecast, machines: Mapping[str, str]) -> str:
    """The time of a forecast, and its basis: the runs, and the processors that they were measured on."""
    about = duration_text(predicted.seconds)
    if not predicted.paces:
        return f"at least {about}, for the loads alone: no run with this engine and clock shows what a sample takes"
    runs = " and ".join(f"{run} ({machines[run]})" if machines.get(run) else run for run in predicted.runs)
    basis = f"as the samples of {runs}, the newest with this engine and clock, scaled to these loads"
    if predicted.at_least:
        return f"at least {about}: {basis}. Measures that they lack count with their load alone"
    return f"about {about}: {basis}"


def disk_text(predicted: Forecast) -> str:
    """The size of the run's folder, and its basis."""
    if predicted.size is None:
        return "not known: no run with this engine and clock"
    return f"about {predicted.size / 1e6:.1f} MB in the run's folder, as in {predicted.runs[0]}"
