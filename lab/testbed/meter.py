# SPDX-License-Identifier: MIT
"""The meter of a lab: the container that reads the counters of the others. It may die: that is noticed, and told."""

from __future__ import annotations

from contextlib import suppress

from docker.models.containers import Container

from lab.core.errors import LabError
from lab.engines.engine import stopped
from lab.testbed.testbed import Testbed

START = 20
"""Seconds within which it is at the gate."""
ANSWER = 10
"""Seconds within which it answers; longer than it waits itself for an asker that is gone."""
ASK = ["ask", "snapshot"]


class Meter:
    """Started with the lab, and anew where it has stopped or hangs."""

    def __init__(self, bed: Testbed) -> None:
        self.bed = bed
        self.hangs = False
        self.container = self._start()

    def _start(self) -> Container:
        """Start it and wait until it is at the gate. The pipes of a former one are there until it has made its own."""
        container = self.bed.start("meter", self.bed.compose.resolve(self.bed.variables))
        limit = START * self.bed.engine.patience
        waiting = ["wait-until", f"{limit:g}", "timeout", "2", *ASK]
        if self.bed.engine.execute(container, waiting, timeout=START + 5).status:
            said = container.logs(tail=5).decode(errors="replace").strip()
            raise LabError(f"the meter is not at the gate after {limit:g} s: {said or 'it has not said why'}")
        return container

    def revived(self) -> str:
        """Start it anew where it does not run or hangs; returns what was the matter, empty where all is well.

        Raises:
            LabError: it does not start; with what it said.
        """
        wrong = stopped({"meter": self.container}) or ("the meter did not answer" if self.hangs else "")
        if wrong:
            self.bed.remove({"meter": self.container})
            self.container, self.hangs = self._start(), False
        return wrong

    def answers(self) -> bool:
        """Whether it answers now; where it does not, it is started anew before it is needed again."""
        self.hangs = True
        with suppress(LabError):
            self.hangs = self.bed.engine.execute(self.container, ASK, timeout=ANSWER).status != 0
        return not self.hangs
