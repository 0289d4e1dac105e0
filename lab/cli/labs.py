# SPDX-License-Identifier: MIT
"""The commands to try a VPN by hand: up, down, status, and credentials for a lab that Compose brought up."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.catalog.catalog import Catalog
from lab.cli.names import named
from lab.cli.options import Cipher, EngineName, Json, Variant, called, engine_choice
from lab.cli.rows import show
from lab.core.terminal import console

LabName = Annotated[str, typer.Option(help="The lab's name, to have several.", callback=called)]


def up(
    vpn: Annotated[
        str | None, typer.Argument(**named("The VPN: {vpns}. Default: none, the bare wire."), show_default=False)
    ] = None,
    variant: Variant = None,
    cipher: Cipher = None,
    wire: Annotated[
        str, typer.Option(**named("The wire between the ends; `lab list wires` lists them.", of="wires"))
    ] = "whole",
    tunnels: Annotated[
        int, typer.Option(help="So many clients of one server, each with its own keys and address.", min=1, max=1000)
    ] = 1,
    name: LabName = "lab",
    engine_name: EngineName = "host",
) -> None:
    """Bring up two endpoints and a tunnel between them. `lab down` removes them.

    Examples:
    - `lab up {vpn}`
    - `lab up {vpn} --tunnels 10`
    - `lab up {vpn} --cipher {suite} --engine vm`
    - `lab up {vpn} --wire dsl --engine vm`
    """
    from lab.benches.vpn import sandbox
    from lab.engines import opening

    catalog = Catalog()
    chosen = sandbox.choose(catalog, vpn, variant, cipher)
    (cable,) = catalog.choose_wires([wire])
    with opening.opened(engine_choice(engine_name), console.print, keep=True) as engine:
        sandbox.up(catalog, chosen, cable, engine, console, name, tunnels)


def down(
    name: LabName = "lab",
    everything: Annotated[
        bool, typer.Option("--all", help="Every lab, also those that a killed run left behind; not one in use.")
    ] = False,
    engine_name: EngineName = "host",
) -> None:
    """Remove a lab: its containers, networks, volumes and secrets.

    Examples:
    - `lab down`
    - `lab down --all`
    """
    from lab.benches.vpn import sandbox
    from lab.engines import guest, opening

    engine = opening.present(engine_choice(engine_name))
    if everything and engine_name == "host":
        guest.sweep_forgotten(engine)
    sandbox.down(engine, console, None if everything else name)


def credentials(
    project: Annotated[str, typer.Option(help="The Compose project.")] = "lab",
) -> None:
    """Put new secrets into the volumes of a lab that you brought up with Compose.

    Examples:
    - `docker compose up --detach && lab credentials`
    """
    from lab.engines import engine
    from lab.testbed import volumes

    renewed = volumes.renew_credentials(engine.connect(), project)
    console.print(f"new secrets in {' and '.join(renewed)}", highlight=False)


def status(engine_name: EngineName = "host", as_json: Json = False) -> None:
    """Show the labs that are up.

    Examples:
    - `lab status`
    - `lab status --engine vm`
    """
    from lab.benches.vpn import sandbox
    from lab.engines import opening

    rows = sandbox.status(opening.present(engine_choice(engine_name)))
    show(rows, as_json, empty="no lab is up; `lab up` starts one")
