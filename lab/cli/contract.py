# SPDX-License-Identifier: MIT
"""The commands for who adds a VPN: check its folder, keep what its ends answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lab.catalog.catalog import Catalog
from lab.cli.names import named
from lab.cli.options import Json
from lab.core.terminal import answer, complain, console, counted

if TYPE_CHECKING:
    from lab.benches.vpn.contract.check import Checked


def check(
    vpns: Annotated[
        list[str] | None, typer.Argument(metavar="[VPN]...", **named("The VPNs: {vpns}. Default: all."))
    ] = None,
    as_json: Json = False,
) -> None:
    """Check the folder of a VPN, as far as it shows without Docker: vpn.yaml, Dockerfile, scripts, suites, captures.

    Exits with 1 if something is wrong.

    Examples:
    - `lab check`
    - `lab check {vpn}`
    """
    from lab.benches.vpn.contract import check as contract

    checked = contract.check(Catalog(), vpns or [])
    faults = [(each.vpn, fault) for each in checked for fault in each.faults]
    if as_json:
        answer([{"vpn": vpn, "file": str(fault.file), "line": fault.line, "fault": fault.what, "next": fault.fix}
                for vpn, fault in faults])  # fmt: skip
    else:
        for _, fault in faults:
            console.print(
                f"{fault.place}: {fault.what}\n    {fault.fix}", markup=False, highlight=False, soft_wrap=True
            )
        for line in [*map(_told, checked), "" if contract.shellcheck() else "scripts: not read, shellcheck is missing"]:
            if line:
                console.print(line, markup=False, highlight=False, soft_wrap=True)
    if faults:
        complain(f"{counted(len(faults), 'fault')}: {', '.join(dict.fromkeys(vpn or 'suites' for vpn, _ in faults))}")
        raise typer.Exit(1)


def _told(checked: Checked) -> str:
    """What there is to do next with a VPN in which nothing is wrong."""
    if checked.faults or not checked.vpn:
        return ""
    if not checked.uncaptured:
        return f"{checked.vpn}: ok"
    name, variant = checked.vpn, checked.uncaptured[0]
    return (
        f"{name}: ok, as far as it shows without an engine. What its ends answer is not kept yet of: "
        f"{', '.join(checked.uncaptured)}\n"
        f"    next: lab build {name}; lab up {name} --variant {variant}; lab capture {name} --variant {variant}"
    )
