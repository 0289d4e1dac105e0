# SPDX-License-Identifier: MIT
"""The commands of labs to play with: up, down, status; and secrets for those that Compose brings up."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.catalog.catalog import Catalog
from lab.cli.options import EngineName, Json, called, engine_choice
from lab.cli.rows import show
from lab.core.terminal import console

LabName = Annotated[str, typer.Option(help="The lab's name.", callback=called)]


def up(
    vpn: Annotated[
        str | None, typer.Argument(help="The VPN; no VPN at all where none is named.", show_default=False)
    ] = None,
    variant: Annotated[str | None, typer.Option(help="Its data path; its first where none is named.")] = None,
    cipher: Annotated[str | None, typer.Option(help="The suite; the first that it has where none is named.")] = None,
    name: LabName = "lab",
    engine_name: EngineName = "host",
) -> None:
    """Bring both ends and a tunnel up, to play with; `lab down` takes them down."""
    from lab.benches.vpn import sandbox
    from lab.engines import opening

    catalog = Catalog()
    chosen = sandbox.choose(catalog, vpn, variant, cipher)
    with opening.opened(engine_choice(engine_name), console.print, keep=True) as engine:
        sandbox.up(catalog, chosen, engine, console, name)


def down(
    name: LabName = "lab",
    everything: Annotated[
        bool, typer.Option("--all", help="Every lab, also those that a killed run left behind.")
    ] = False,
    engine_name: EngineName = "host",
) -> None:
    """Take a lab down: its containers, networks, volumes and secrets."""
    from lab.benches.vpn import sandbox
    from lab.engines import guest, opening

    engine = opening.present(engine_choice(engine_name))
    if everything and engine_name == "host":
        guest.sweep_forgotten(engine)
    sandbox.down(engine, console, None if everything else name)


def credentials(
    project: Annotated[str, typer.Option(help="The Compose project whose volumes are filled.")] = "lab",
) -> None:
    """Make secrets for a lab that was brought up by hand, with Compose."""
    from lab.engines import engine
    from lab.testbed import testbed

    volumes = testbed.renew_credentials(engine.connect(), project)
    console.print(f"new secrets in {' and '.join(volumes)}", highlight=False)


def status(engine_name: EngineName = "host", as_json: Json = False) -> None:
    """Show the labs that are up."""
    from lab.benches.vpn import sandbox
    from lab.engines import opening

    show(sandbox.status(opening.present(engine_choice(engine_name))), as_json, "Labs on this engine")
