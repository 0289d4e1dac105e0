# SPDX-License-Identifier: MIT
"""The cells of a comparison of VPNs: VPN x variant x suite x measure x conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.catalog.catalog import Catalog
from lab.catalog.suites import Suite
from lab.catalog.vpns import Vpn
from lab.results.cell import Cell
from lab.runner.plan import Plan


def make(
    catalog: Catalog,
    vpns: Sequence[Vpn],
    suites: Sequence[Suite],
    conditions: Mapping[str, Sequence[str]],
    *,
    blocks: int,
    seed: int,
    lacks: Mapping[tuple[str, str], str],
    shared: bool = False,
) -> Plan:
    """Cross the VPNs with the suites and measures.

    A control always runs its own suites. `conditions` maps each measure to its sets of conditions. `lacks` maps a VPN
    and variant to the reason why this engine cannot run it.
    """
    cells: list[Cell] = []
    unsupported: dict[Cell, str] = {}
    for vpn in vpns:
        dialect = vpn.file.dialect
        known_suites = catalog.suites.values()
        rows = [row for row in known_suites if dialect in row.native] if vpn.file.control else _spoken(catalog, suites)
        for variant in vpn.file.variants:
            for row in rows:
                for measure, sets in conditions.items():
                    for text in sets:
                        cell = Cell(vpn.name, variant, row.suite, measure, text)
                        if reason := lacks.get((vpn.name, variant)) or vpn.why_not(variant, row):
                            unsupported[cell] = reason
                        else:
                            cells.append(cell)
    return Plan(tuple(cells), unsupported, blocks, seed, shared)


def _spoken(catalog: Catalog, suites: Sequence[Suite]) -> list[Suite]:
    """The suites that at least one VPN other than a control speaks. Only a control can use its own rows."""
    controls = {vpn.file.dialect for vpn in catalog.vpns.values() if vpn.file.control}
    return [row for row in suites if not row.native or set(row.native) - controls]
