# SPDX-License-Identifier: MIT
"""The commands that list things, check the machine and build the images."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.catalog.catalog import Catalog
from lab.cli.names import named
from lab.cli.options import Client, Json, Results, Server, engine_choice, words
from lab.cli.rows import show
from lab.core.errors import UsageError
from lab.core.paths import RESULTS, ROOT
from lab.core.terminal import answer, complain, console

if TYPE_CHECKING:
    from lab.benches.vpn.doctor import Finding
    from lab.benches.vpn.measures import Measure
    from lab.results.overview import Overview


class Things(StrEnum):
    """The things that `lab list` lists."""

    VPNS = "vpns"
    SUITES = "suites"
    MEASURES = "measures"
    WIRES = "wires"
    RUNS = "runs"


def list_(
    what: Annotated[Things, typer.Argument(help="What to list.")], results: Results = RESULTS, as_json: Json = False
) -> None:
    """List the VPNs, ciphersuites, measures, wires or runs.

    A wire of your own is a row in ~/.config/lab/wires.yaml, as in lab/catalog/wires.yaml, which says what can be said.

    Examples:
    - `lab list vpns`
    - `lab list suites --json`
    - `lab list runs`
    """
    from lab.benches.vpn import measures

    catalog = Catalog()
    if what is Things.RUNS:
        _list_runs(results, as_json)
    elif what is Things.VPNS:
        show(_vpns(catalog), as_json)
    elif what is Things.SUITES:
        rows, dialects = _suites(catalog)
        show(rows, as_json, optional=dialects)
    elif what is Things.WIRES:
        show([{"wire": name, "what it does": wire.sentence} for name, wire in catalog.wires.items()], as_json)
    else:
        known = measures.every()
        show([_measure(name, each) for name, each in known.items()], as_json)


def _measure(name: str, measure: Measure) -> dict[str, str]:
    """A measure: its main figure's unit, and all its figures, the main one first."""
    figures = ", ".join(map(str, measure.FIGURES))
    return {"measure": name, "what": measure.TITLE, "unit": measure.FIGURES[0].unit, "figures": figures}


def _vpns(catalog: Catalog) -> list[dict[str, str]]:
    return [
        {
            "vpn": vpn.name,
            "variants": ", ".join(f"{name} ({variant.records})" for name, variant in vpn.file.variants.items()),
            "what it is": f"{vpn.file.title}. {vpn.file.summary}",
        }
        for vpn in catalog.vpns.values()
    ]


def _suites(catalog: Catalog) -> tuple[list[dict[str, str]], list[str]]:
    """Each suite, the VPNs that have it, and its name in each dialect; and the dialects."""
    dialects = sorted({vpn.file.dialect for vpn in catalog.vpns.values() if not vpn.file.control})
    rows = []
    for name, suite in catalog.suites.items():
        vpns = [vpn.name for vpn in catalog.vpns.values() if vpn.file.dialect in suite.native]
        native = {dialect: suite.native.get(dialect, "-") for dialect in dialects}
        rows.append({"suite": name, "title": suite.title, "vpns": ", ".join(vpns), **native})
    return rows, dialects


def _list_runs(results: Path, as_json: bool) -> None:
    from lab.results.overview import overviews

    runs, unreadable = overviews(results)
    if as_json:
        answer([asdict(run) | {"finished": run.finished} for run in runs])
    else:
        rows = [
            {
                "run": run.run,
                "kind": run.kind,
                "engine": run.engine,
                "clock": run.clock,
                "started (UTC)": run.created[:16].replace("T", " "),
                "samples": ", ".join(f"{count} {outcome}" for outcome, count in run.outcomes.items()) or "none",
                "finished": _finished(run),
            }
            for run in runs
        ]
        show(rows, as_json, empty=f"{results} has no run; `lab matrix` makes one")
    for line in unreadable:
        complain(line)


def _finished(run: Overview) -> str:
    if run.damaged:
        return f"damaged: `lab report {run.run}` says where"
    if run.missing:
        return f"no, {run.missing} left"
    return "yes" if run.finished else "not known"


def doctor(server: Server = "", client: Client = "", as_json: Json = False) -> None:
    """Check what this machine can run and what it lacks, and show how to fix it.

    With `--server` and `--client`, check these two machines on a cable instead. Exits with 1 if something is missing.

    Examples:
    - `lab doctor`
    - `lab doctor --server ssh://HOST%eth1 --client host%eth1`
    """
    from lab.benches.vpn import doctor as checks

    if server or client:
        choice = engine_choice("cable", server=server, client=client)
        findings = list(checks.examine_cable(Catalog(), choice))
    else:
        findings = checks.examine(Catalog())
    missing = [finding.what for finding in findings if finding.state == "missing"]
    if as_json:
        answer([finding.shown() for finding in findings])
    else:
        show([_with_fix(finding) for finding in findings], as_json=False)
        if missing:
            complain(f"missing: {', '.join(missing)}", "each has its fix beside it")
    if missing:
        raise typer.Exit(1)


def _with_fix(finding: Finding) -> dict[str, str]:
    """A finding for a person: the fix stands under the detail."""
    fix = f"\nfix: {finding.fix}" if finding.fix else ""
    return {"what": finding.what, "state": finding.state, "detail": f"{finding.detail}{fix}"}


def build(
    only: Annotated[
        str | None, typer.Argument(**named("One image: {images}. Default: all."), show_default=False)
    ] = None,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            help="The Debian root: `stock` (the published image), `bootstrap` (made here with mmdebstrap), or `auto` "
            "(the first that can be had).",
        ),
    ] = "auto",
    runnable: Annotated[
        bool, typer.Option("--runnable", help="Only the images that `lab matrix` needs for what this machine can run.")
    ] = False,
    variants: Annotated[
        str | None,
        typer.Option(
            **named(
                "Only the images that `lab matrix` needs with the same `--variants`: {variants}, or `{packaged}`: "
                "those whose programs are as the distribution packages them."
            ),
            show_default=False,
        ),
    ] = None,
) -> None:
    """Build the images that have changed.

    Examples:
    - `lab build`
    - `lab build {vpn}`
    - `lab build --runnable --variants packaged`
    """
    from lab.benches.vpn import bench
    from lab.engines import build_progress, engine, images, rootfs
    from lab.engines.build import build

    folders = images.folders(ROOT / "images", only)
    root = rootfs.source_of(source)
    if only and (runnable or variants):
        option = "--runnable" if runnable else "--variants"
        raise UsageError(f"one image or {option}, not both", f"`lab build {option}` chooses the images itself")
    vpns = Catalog().choose_vpns([], words(variants or ""))
    host = engine.connect()
    estimate = build_progress.Estimate(build_progress.times(ROOT / "images"))
    if runnable or variants:
        used = bench.image_names(bench.data_paths(vpns))
        folders = [folder for folder in folders if folder.name in used]
    needed = partial(bench.runnable_images, host, vpns) if runnable else None
    with build_progress.BuildProgress(console, estimate).shown() as progress:
        build(host, folders, progress, source=root, seconds=estimate.expected, needed=needed)
