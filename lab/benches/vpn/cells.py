# SPDX-License-Identifier: MIT
"""The cells of a comparison of VPNs: VPN x variant x suite x measure x conditions, the wire among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lab.catalog.catalog import Catalog
from lab.catalog.suites import Suite
from lab.catalog.vpns import Vpn
from lab.results.cell import TUNNELS, Cell, conditions_text, parse_conditions
from lab.runner.plan import Plan

WIRE = "wire"
"""The condition that names the wire."""
WHOLE = "whole"
"""The wire of cells that name none, as before there was another."""


def make(
    catalog: Catalog,
    vpns: Sequence[Vpn],
    suites: Sequence[Suite],
    conditions: Mapping[str, Sequence[str]],
    *,
    blocks: int,
    seed: int,
    lacks: Mapping[tuple[str, str], str],
    wires: Mapping[str, str],
    shared: bool = False,
) -> Plan:
    """Cross the VPNs with the suites, measures and wires.

    A control always runs its own suites. `conditions` maps each measure to its sets of conditions. `lacks` maps a VPN
    and variant to the reason why this engine cannot run it; `wires` maps each wire to the reason why this engine cannot
    have it, empty if it can.
    """
    sets = {
        measure: [(on_wire(text, wire), reason) for wire, reason in wires.items() for text in texts]
        for measure, texts in conditions.items()
    }
    cells: list[Cell] = []
    unsupported: dict[Cell, str] = {}
    for vpn in vpns:
        dialect = vpn.file.dialect
        known_suites = catalog.suites.values()
        rows = [row for row in known_suites if dialect in row.native] if vpn.file.control else _spoken(catalog, suites)
        for variant in vpn.file.variants:
            for row in rows:
                for measure, its in sets.items():
                    for text, broken in its:
                        cell = Cell(vpn.name, variant, row.suite, measure, text)
                        if reason := (
                            lacks.get((vpn.name, variant))
                            or vpn.why_not(variant, row)
                            or broken
                            or _why_single(vpn, cell)
                        ):
                            unsupported[cell] = reason
                        else:
                            cells.append(cell)
    return Plan(tuple(cells), unsupported, blocks, seed, shared, (WIRE, TUNNELS))


def on_wire(conditions: str, wire: str) -> str:
    """The conditions with the wire's; `whole` is not said."""
    return conditions if wire == WHOLE else conditions_text({**parse_conditions(conditions), WIRE: wire})


def wire_of(cell: Cell) -> str:
    """The name of a cell's wire."""
    return parse_conditions(cell.conditions).get(WIRE, WHOLE)


def tunnels_of(cell: Cell) -> int | None:
    """The number of a cell's tunnels; None if it does not say."""
    number = parse_conditions(cell.conditions).get(TUNNELS)
    return int(number) if number else None


def most(cells: Iterable[Cell]) -> int:
    """The most tunnels that a cell has."""
    return max((tunnels_of(cell) or 1 for cell in cells), default=1)


def _why_single(vpn: Vpn, cell: Cell) -> str:
    """Why a cell cannot have the tunnels that it says."""
    return why_single(vpn, cell.variant, wire_of(cell)) if (tunnels_of(cell) or 1) > 1 else ""


def why_single(vpn: Vpn, variant: str, wire: str) -> str:
    """Why there cannot be more than one tunnel of a data path over a wire; empty if there can."""
    if wire != WHOLE:
        return f"more than one tunnel takes the wire `{WHOLE}`"
    return vpn.why_single(variant)


def _spoken(catalog: Catalog, suites: Sequence[Suite]) -> list[Suite]:
    """The suites that at least one VPN other than a control speaks. Only a control can use its own rows."""
    controls = {vpn.file.dialect for vpn in catalog.vpns.values() if vpn.file.control}
    return [row for row in suites if not row.native or set(row.native) - controls]
