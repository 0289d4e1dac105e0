# SPDX-License-Identifier: MIT
"""The commands about what there is: what can be compared, what this machine can run, and the images."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from lab.catalog.catalog import Catalog
from lab.cli.options import Json
from lab.cli.rows import show
from lab.core.errors import UsageError
from lab.core.paths import ROOT
from lab.core.terminal import console


class Things(StrEnum):
    """What `lab list` can list."""

    VPNS = "vpns"
    SUITES = "suites"
    MEASURES = "measures"


def list_(what: Things, as_json: Json = False) -> None:
    """List the VPNs, suites or measures that there are."""
    from lab.benches.vpn import measures

    catalog = Catalog()
    if what is Things.VPNS:
        rows = [
            {
                "vpn": vpn.name,
                "variants": ", ".join(f"{name} ({v.records})" for name, v in vpn.file.variants.items()),
                "what it is": f"{vpn.file.title}. {vpn.file.summary}",
            }
            for vpn in catalog.vpns.values()
        ]
    elif what is Things.SUITES:
        dialects = sorted({vpn.file.dialect for vpn in catalog.vpns.values() if not vpn.file.control})
        rows = [
            {"suite": name, "title": suite.title, **{dialect: suite.native.get(dialect, "-") for dialect in dialects}}
            for name, suite in catalog.suites.items()
        ]
    else:
        rows = [{"measure": name, "what": each.TITLE, "unit": each.UNIT} for name, each in measures.every().items()]
    show(rows, as_json)


def doctor(as_json: Json = False) -> None:
    """Say what this machine can run, what it lacks, and the fix for each."""
    from lab.benches.vpn import doctor as checks

    rows = checks.examine(Catalog())
    show([row.shown() for row in rows], as_json, "What this machine can run")
    if any(row.state == "missing" for row in rows):
        raise typer.Exit(1)


def build(
    only: Annotated[str | None, typer.Argument(help="One image; all where none is named.", show_default=False)] = None,
    source: Annotated[
        str, typer.Option("--from", help="Where the Debian root comes from: auto, stock or bootstrap.")
    ] = "auto",
    runnable: Annotated[
        bool, typer.Option("--runnable", help="Only what `lab matrix` needs for what this machine can run.")
    ] = False,
) -> None:
    """Build the images; what has not changed is left alone."""
    from lab.benches.vpn import bench
    from lab.engines import build_progress, engine, images, rootfs
    from lab.engines.build import build

    folders = images.folders(ROOT / "images", only)
    root = rootfs.source_of(source)
    if only and runnable:
        raise UsageError("one image or --runnable, not both", "`lab build --runnable` chooses the images itself")
    host, catalog = engine.connect(), Catalog()
    every = bench.image_names(bench.data_paths(catalog.vpns.values()))
    estimate = build_progress.Estimate(build_progress.times(ROOT / "images"))
    with build_progress.BuildProgress(console, estimate).shown() as progress:
        if runnable:
            folders = [folder for folder in folders if folder.name in every]
            build(host, folders, progress, source=root, needed=lambda: bench.runnable_images(host, catalog))
        else:
            build(host, folders, progress, source=root)
