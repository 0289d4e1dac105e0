"""Which cells to measure, and in which order: seeded randomised complete blocks.

Every block holds every cell once, in an order of its own, so that whatever drifts on a shared machine falls on all
cells alike and ratios taken within a block cancel it.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from lab.catalog import Catalog, Suite, Vpn
from lab.errors import UsageError

BLOCKS = 10_000
"""More blocks than any run needs: at a second a block a run of one cell takes three hours."""
SAMPLES = 1_000_000
"""More samples than any run can have: at a second each they take eleven days."""


@dataclass(frozen=True)
class Cell:
    """vpn x variant x suite x measure x conditions; `conditions` as sorted `key=value` words."""

    vpn: str
    variant: str
    suite: str
    measure: str
    conditions: str = ""

    @property
    def tunnel(self) -> tuple[str, str, str]:
        """The tunnel that it is measured in."""
        return self.vpn, self.variant, self.suite

    def __str__(self) -> str:
        return " ".join(word for word in (self.vpn, self.variant, self.suite, self.measure, self.conditions) if word)


@dataclass(frozen=True)
class Step:
    """One sample to take: the cell, its block (from 0) and its position in that block (from 0)."""

    block: int
    position: int
    cell: Cell


@dataclass(frozen=True)
class Plan:
    """The cells that can run, in blocks; and those that cannot, each with its reason.

    With `shared`, all cells of a vpn, variant and suite follow each other in a block and are measured in one tunnel;
    otherwise every sample has a tunnel of its own.
    """

    cells: tuple[Cell, ...]
    unsupported: Mapping[Cell, str]
    blocks: int
    seed: int
    shared: bool = False

    def __post_init__(self) -> None:
        """Refuse a plan that nobody could wait for, before it is held in memory step by step."""
        if (samples := len(self.cells) * self.blocks) > SAMPLES:
            raise UsageError(
                f"{len(self.cells)} cells in {self.blocks} blocks are {samples} samples; a run has at most {SAMPLES}",
                "fewer blocks, or fewer cells: what is measured, of what, and under which conditions",
            )

    def steps(self) -> list[Step]:
        """Every sample in order. The order of block n depends on the seed and n alone."""
        steps = []
        for block in range(self.blocks):
            order = list(self.cells)
            draw = random.Random(f"{self.seed}/{block}")
            draw.shuffle(order)
            if self.shared:  # tunnels in the order in which the shuffle brings up their first cell
                first = {cell.tunnel: place for place, cell in reversed(list(enumerate(order)))}
                order.sort(key=lambda cell: first[cell.tunnel])
            steps += [Step(block, position, cell) for position, cell in enumerate(order)]
        return steps

    def fingerprint(self) -> str:
        """A digest of the cells: a run is only resumed by the plan that it was started with."""
        return hashlib.sha256("\n".join(self.listed()).encode()).hexdigest()[:16]

    def listed(self) -> list[str]:
        """Every cell as text, those that cannot run too: what `meta.json` keeps, and the samples are held against."""
        return sorted(map(str, [*self.cells, *self.unsupported]))

    def tunnels(self, steps: Sequence[Step]) -> list[list[Step]]:
        """`steps` by the tunnel that they are measured in, in their order."""
        if not self.shared:
            return [[step] for step in steps]
        return [list(group) for _, group in groupby(steps, key=lambda step: (step.block, step.cell.tunnel))]


def conditions_text(conditions: Mapping[str, object]) -> str:
    """`{"streams": 1, "direction": "up"}` as `direction=up streams=1`."""
    return " ".join(f"{key}={conditions[key]}" for key in sorted(conditions))


def parse_conditions(text: str) -> dict[str, str]:
    """The inverse of `conditions_text`; values are strings."""
    return dict(word.split("=", 1) for word in text.split())


def make(
    catalog: Catalog,
    vpns: Sequence[Vpn],
    suites: Sequence[Suite],
    conditions: Mapping[str, Sequence[str]],
    *,
    blocks: int,
    seed: int,
    lacks: Mapping[tuple[str, str], str],
    variants: Sequence[str] = (),
    shared: bool = False,
) -> Plan:
    """Cross the VPNs with the suites and measures.

    A control runs its own suites whatever was chosen. `conditions` maps each measure to its sets of conditions;
    `lacks` maps a VPN and variant to the reason why this engine cannot run it; `variants` limits all but controls.
    """
    cells: list[Cell] = []
    unsupported: dict[Cell, str] = {}
    for vpn in vpns:
        dialect = vpn.file.dialect
        everything = catalog.suites.values()
        rows = [row for row in everything if dialect in row.native] if vpn.file.control else _spoken(catalog, suites)
        for variant in vpn.file.variants:
            if variants and not vpn.file.control and variant not in variants:
                continue
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
    """The suites that some VPN which is no control speaks: a control's own rows mean nothing to the others."""
    controls = {vpn.file.dialect for vpn in catalog.vpns.values() if vpn.file.control}
    return [row for row in suites if not row.native or set(row.native) - controls]
