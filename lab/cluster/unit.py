# SPDX-License-Identifier: MIT
"""What goes between the client of a cluster and its workers: units of work, and what came of them.

All of it can be pickled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from lab.cluster.identity import Machine
from lab.results.cell import Cell
from lab.runner.plan import Plan, Step

Group = Sequence[Step]


@dataclass(frozen=True)
class Order:
    """What a worker prepares for: the command `kind` and its `settings`.

    `limit`: a worker that takes longer than so many seconds for one sample hangs, and ends itself.
    """

    kind: str
    settings: Mapping[str, Any]
    limit: float


@dataclass(frozen=True)
class Reference:
    """What a worker must have as the others do: the `digests` of checkout and images, and what a run keeps (`meta`)."""

    digests: Mapping[str, str]
    meta: Mapping[str, Any]


@dataclass(frozen=True)
class Unit:
    """The samples that one worker takes without a break: `groups`, each in a session of its own."""

    run: str
    groups: Sequence[Group]
    reference: Reference

    @property
    def steps(self) -> list[Step]:
        """Its samples, in their order."""
        return [step for group in self.groups for step in group]


@dataclass(frozen=True)
class Survey:
    """What a worker says of the plan, after it opened its engine: the plan that fits, and what `meta.json` records."""

    machine: Machine
    plan: Plan
    meta: Mapping[str, Any]
    announced: str
    about: Mapping[Cell, Mapping[str, Any]]


@dataclass(frozen=True)
class Taken:
    """A unit was taken: what is known of each of its samples, in their order."""

    machine: Machine
    samples: Sequence[tuple[Step, Mapping[str, Any]]]


@dataclass(frozen=True)
class Lost:
    """The engine of a worker, here by its address, went away under a unit. It opens another for the next unit."""

    address: str
    reason: str


@dataclass(frozen=True)
class Unfit:
    """A worker, here by its address, cannot take part: something is missing, or differs from the other workers."""

    address: str
    reason: str


def divided(groups: Sequence[Group], clock: str) -> list[list[Group]]:
    """The groups of samples as units, in their order.

    On the instruction clock no figure depends on the machine, so a unit is one group: a tunnel with its measures. On
    the wall clock it is a whole block, whose ratios must be those of one machine.
    """
    if clock == "instructions":
        return [[group] for group in groups]
    return [list(block) for _, block in groupby(groups, key=lambda group: group[0].block)]
