# SPDX-License-Identifier: MIT
"""One attempt at a sample: what is known of it, from its beginning to the disk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lab.results.cell import Cell
from lab.runner.plan import Step


def _begun() -> dict[str, Any]:
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
    """What is `known` of an attempt becomes its sample: what was put there before an error stays.

    `offset`: seconds by which its load starts later (`lab.runner.plan.offset`).
    """

    step: Step
    offset: float = 0.0
    known: dict[str, Any] = field(default_factory=_begun)

    @property
    def cell(self) -> Cell:
        """What it measures."""
        return self.step.cell

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the seconds of the block to a phase."""
        started = time.monotonic()
        try:
            yield
        finally:
            phases = self.known["phases"]
            phases[name] = round(phases.get(name, 0.0) + time.monotonic() - started, 4)
