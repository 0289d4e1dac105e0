# SPDX-License-Identifier: MIT
"""The commands for who adds a VPN: check its folder, keep what its ends answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lab.catalog.catalog import Catalog
from lab.cli.names import named
from lab.cli.options import Cipher, EngineName, Json, Variant, engine_choice
from lab.core.paths import shown
from lab.core.terminal import answer, complain, console, counted

if TYPE_CHECKING:
    from lab.benches.vpn.contract.check import Checked


def check(
    vpns: Annotated[list[str] | None, typer.Argument(**named("The VPNs: {vpns}. Default: all."))] = None,
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


def capture(
    vpn: Annotated[str, typer.Argument(**named("The VPN: {vpns}."))],
    variant: Variant = None,
    cipher: Cipher = None,
    engine_name: EngineName = "host",
) -> None:
    """Bring a tunnel up, ask its ends what their proof asks, and keep what they answer in tests/data/.

    The answers are kept whether the patterns of vpn.yaml fit them or not. One that holds a secret is not kept. Exits
    with 1 if the patterns prove nothing by them.

    Examples:
    - `lab capture {vpn}`
    - `lab capture {vpn} --cipher {suite} --engine vm`
    """
    from lab.benches.vpn import capture as capturing
    from lab.benches.vpn import sandbox
    from lab.benches.vpn.contract import captures
    from lab.engines import opening

    catalog = Catalog()
    chosen = sandbox.choose(catalog, vpn, variant, cipher)
    with opening.opened(engine_choice(engine_name), console.print) as engine:
        kept = capturing.capture(catalog, chosen, engine)
    for each in kept:
        place = shown(each.path) if each.path else f"the {each.end}'s {each.question}, in the file of its suite"
        console.print(f"{place}: {each.found}", markup=False, highlight=False, soft_wrap=True)
    if missing := captures.missing(catalog, chosen[0]):
        line = f"next: lab capture {vpn} --variant {missing[0]}; not kept yet of: {', '.join(missing)}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for each in kept:
        if each.fault:
            complain(f"the {each.end}'s {each.question}: {each.fault}")
    if any(each.fault for each in kept):
        complain("a pattern does not fit what its end answers", f"correct it in vpn.yaml; then `lab check {vpn}`")
        raise typer.Exit(1)
