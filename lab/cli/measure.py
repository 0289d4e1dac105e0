# SPDX-License-Identifier: MIT
"""The commands that measure: one for each bench. Its options are the fields of the bench's settings."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from lab import benches
from lab.cli.names import named
from lab.cli.options import (
    Client,
    Clock,
    Cluster,
    DryRun,
    EngineName,
    Guests,
    Hung,
    Json,
    Kernel,
    Memory,
    Processors,
    Report,
    Results,
    Resume,
    Server,
    Twice,
    words,
)
from lab.cluster import LIMIT, TWICE
from lab.core.errors import NONSENSE, LabError, UsageError
from lab.core.paths import RESULTS
from lab.core.terminal import complaints, console
from lab.engines.choice import Choice
from lab.runner import settings as common

ENGINE = {
    "engine_name": (EngineName, "name"), "clock": (Clock, "clock"), "kernel": (Kernel, "kernel"),
    "processors": (Processors, "processors"), "memory": (Memory, "memory"), "guests": (Guests, "guests"),
}  # fmt: skip
"""The engine's options, and the fields of `Choice` that they set."""
MACHINES = {"server": (Server, "server"), "client": (Client, "client")}
"""Those of a bench whose ends may be on two machines."""
CLUSTER = {"cluster": (Cluster, None), "twice": (Twice, TWICE), "hung": (Hung, LIMIT)}
"""The options of a cluster, and their defaults. They are no settings: a run may go on here or in any cluster."""
FIRST = inspect.Parameter.KEYWORD_ONLY


def command(kind: str) -> Callable[..., None]:
    """The function of `lab <kind>`. Typer reads the options from its signature, and the help from its docstring."""
    bench = benches.settings(kind)
    fields: dict[str, FieldInfo] = bench.Settings.model_fields
    default = fields["engine"].default
    engine = ENGINE | (MACHINES if bench.Settings.two_machines else {})

    def run(**given: Any) -> None:
        asked = {name: words(given[name]) if _is_list(field) else given[name] for name, field in _own(fields)}
        asked["engine"] = common.settings(Choice, {field: given[name] for name, (_, field) in engine.items()})
        resume, results, as_json, report = (given[name] for name in ("resume", "results", "as_json", "report"))
        if as_json and not report and not given["only_plan"]:
            raise UsageError("--json prints the report, and --no-report wants none", "give one of the two")
        if given["only_plan"]:
            from lab.cli import dry_run

            dry_run.show(dry_run.prepare(kind, asked, resume, results), as_json)
        else:
            where = Where(**{name: given[name] for name in CLUSTER})
            measure(kind, asked, where, resume=resume, results=results, as_json=as_json, report=report)

    parameters = [*(_parameter(name, field) for name, field in _own(fields))]
    parameters += [_option(name, kind_of, getattr(default, field)) for name, (kind_of, field) in engine.items()]
    parameters += [_option(name, kind_of, value) for name, (kind_of, value) in CLUSTER.items()]
    parameters += [
        _option("only_plan", DryRun, False),
        _option("resume", Resume, None),
        _option("results", Results, RESULTS),
        _option("report", Report, True),
        _option("as_json", Json, False),
    ]
    run.__name__, run.__doc__ = kind, _help(bench)
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _help(bench: Any) -> str:
    """The title of a bench, and its examples as a list, in Markdown."""
    examples = [f"- `{line}`" for line in bench.Settings.examples]
    return "\n".join([bench.TITLE, *(["", "Examples:", *examples] if examples else [])])


def _own(fields: dict[str, FieldInfo]) -> Iterator[tuple[str, FieldInfo]]:
    """The settings of a bench: its own first, then those of every bench. The engine has options of its own."""
    shared = common.Settings.model_fields
    yield from ((name, field) for name, field in fields.items() if name not in shared)
    yield from ((name, fields[name]) for name in shared if name != "engine")


def _is_list(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is list


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    """A setting as an option. A list becomes comma-separated words, a number of bytes a text like `10MB`."""
    default = field.get_default(call_default_factory=True)
    kind: Any = field.annotation
    if _is_list(field):
        kind, default = str, ", ".join(map(str, default))
    elif any(getattr(each, "func", None) is common.size_in_bytes for each in field.metadata):
        kind, default = str, common.size_text(default)
    elif get_origin(kind) is UnionType:
        plain = [each for each in get_args(kind) if each is not NoneType]
        alone: Any = plain[0] if len(plain) == 1 else str  # the settings read the text: Typer has no unions
        kind = alone | None if NoneType in get_args(kind) else alone
    shown = default not in ("", None)
    return _option(name, Annotated[kind, typer.Option(**named(field.description or ""), show_default=shown)], default)


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, FIRST, default=default, annotation=annotation)


@dataclass(frozen=True)
class Where:
    """Who takes the samples: the workers of the `cluster` at an address, or (None) the engines of this machine."""

    cluster: str | None
    twice: int
    hung: float

    @contextmanager
    def crew(self, kind: str, settings: Any, say: Callable[[str], None]) -> Iterator[tuple[Any, Callable[[str], None]]]:
        """The crew for a run of `lab <kind>`, and a function that tells this machine's other users what is measured."""
        bench = benches.bench(kind)
        choice = bench.choose(settings)
        if self.cluster:
            from lab.cluster.crew import joined

            with joined(self.cluster, kind, settings, say, twice=self.twice, limit=self.hung) as cluster:
                yield cluster, lambda _: None
            return
        from lab.runner.lock import alone
        from lab.runner.side_by_side import SideBySide

        with alone(settings.engine.clock) as announce, bench.opened(choice, say) as site:
            yield SideBySide(site), announce


def measure(
    kind: str, asked: dict[str, Any], where: Where, *, resume: str | None, results: Path, as_json: bool, report: bool
) -> None:
    """Start a run or resume one, take its samples, and show it where a report is wanted.

    Raises:
        LabError: the run stopped. typer.Exit: a sample failed or was invalid.
    """
    from lab.cli.dry_run import end_text, formers
    from lab.results.store import Store
    from lab.runner.execute import execute
    from lab.runner.forecast import forecast
    from lab.runner.interrupted import resumable
    from lab.runner.looking import Looks
    from lab.runner.missing import Taken
    from lab.runner.progress import Follow

    model, bench = benches.settings(kind).Settings, benches.bench(kind)
    store = Store(results / resume) if resume else None
    settings = common.settings_of(model, store, kind) if store else common.settings(model, asked)
    follower = complaints if as_json else console
    with where.crew(kind, settings, partial(follower.print, highlight=False)) as (crew, announce):
        store = store.go_on(crew.meta(), bench.KEPT) if store else Store.begin(results, crew.meta())
        announce(f"run {store.folder.name}")
        follower.print(f"run {store.folder.name}: {crew.announced()}", highlight=False)
        if settings.stages:
            follower.print(f"it ends {end_text(settings.stages)}", highlight=False)
        steps = [*filter(Taken(store).wants, crew.plan.steps())]
        expected = None
        with suppress(LabError, *NONSENSE):  # it only informs: whatever a former run holds, this one is taken
            expected = forecast(steps, settings.engine, bench.loads(settings), formers(kind, results))
        looks = Looks(settings.stages, lambda look: follower.print(str(look), highlight=False))
        with resumable(kind, store):
            counts = execute(crew, store, Follow(follower, expected), looks)
    shown = True
    if report:
        shown = _shown(store.folder, results, as_json=as_json)
    else:
        follower.print(f"run {store.folder.name} is over; `lab report {store.folder.name}` shows it", highlight=False)
    if not shown or counts.get("failed") or counts.get("invalid"):
        raise typer.Exit(1)


def _shown(run: Path, results: Path, *, as_json: bool) -> bool:
    """Show a run in a process of its own: the libraries take memory, which a process that measures must not hold."""
    command = [sys.executable, "-m", "lab", "report", run.name, "--results", str(results)]
    return not subprocess.run([*command, *(["--json"] if as_json else [])], check=False).returncode
