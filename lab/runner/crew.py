# SPDX-License-Identifier: MIT
"""The protocol of a crew: who takes the samples of a run.

Engines of this machine (`lab.runner.side_by_side`), or the workers of a cluster (`lab.cluster.crew`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from lab.runner.plan import Plan, Step

if TYPE_CHECKING:
    from lab.runner.execute import Execution


class Crew(Protocol):
    """Who takes the samples."""

    @property
    def plan(self) -> Plan:
        """The cells to measure: those that its engines can run."""

    def announced(self) -> str:
        """The size of the plan, and who takes it, in words."""

    def meta(self) -> dict[str, Any]:
        """What `meta.json` records about a run of this plan."""

    def about(self, step: Step) -> Mapping[str, Any]:
        """The `records`, `engine` and `clock` of a sample."""

    def take(self, run: Execution, blocks: range) -> None:
        """Take every sample of these blocks that is missing in the store or went wrong, and have `run` keep it.

        Raises:
            EngineGone: nothing is left that could take them.
        """
