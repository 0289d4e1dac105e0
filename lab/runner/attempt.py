# SPDX-License-Identifier: MIT
"""One attempt at a sample, and what is known of it so far."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lab.results.cell import Cell
from lab.runner.plan import Step


def _initial() -> dict[str, Any]:
    return {
        "outcome": "ok",
        "reason": "",
        "started": datetime.now(UTC).isoformat(),
        "readings": [],
        "raw": {},
        "phases": {},
    }


@dataclass
class Attempt:
    """One attempt at a step. `known` becomes the sample; what was put there before an error is kept.

    `offset`: the delay of its load in seconds (`lab.runner.plan.offset`).
    """

    step: Step
    offset: float = 0.0
    known: dict[str, Any] = field(default_factory=_initial)

    @property
    def cell(self) -> Cell:
        """The cell that it measures."""
        return self.step.cell

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the seconds that the block takes to a phase."""
        started = time.monotonic()
        try:
            yield
        finally:
            phases = self.known["phases"]
            phases[name] = round(phases.get(name, 0.0) + time.monotonic() - started, 4)
