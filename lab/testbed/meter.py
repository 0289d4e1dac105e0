# SPDX-License-Identifier: MIT
"""The meter of a lab: the container that reads the counters of the others. If it dies, the lab reports that."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from docker.models.containers import Container

from lab.core.errors import LabError
from lab.engines.engine import stopped
from lab.testbed.testbed import Testbed

START = 20
"""Seconds within which the meter must be ready."""
ANSWER = 10
"""Seconds within which it must answer. The meter itself waits less for a client that is gone."""
ASK = ["ask", "snapshot"]


class Meter:
    """The meter starts with the lab. It is restarted if it has stopped or hangs.

    `far` is that of the server's machine, where the ends are on two.
    """

    def __init__(self, bed: Testbed) -> None:
        self.bed = bed
        self.hangs = False
        self.far = Meter(bed.far) if bed.far else None
        self.container = self._start()

    def _start(self) -> Container:
        """Start the meter and wait until it is ready. The pipes of an earlier one stay until it makes its own."""
        plan = self.bed.compose.resolve(self.bed.variables)
        service = plan.services["meter"]
        container = self.bed.start("meter", plan, service.for_many() if self.bed.clients > 1 else service)
        limit = START * self.bed.engine.patience
        command = ["wait-until", f"{limit:g}", "timeout", "2", *ASK]
        if self.bed.engine.execute(container, command, timeout=START + 5).status:
            output = container.logs(tail=5).decode(errors="replace").strip()
            raise LabError(f"the meter is not ready after {limit:g} s: {output or 'it printed nothing'}")
        return container

    def revived(self) -> str:
        """Restart the meter if it does not run or hangs. Returns what was wrong; empty if nothing was.

        Raises:
            LabError: it does not start; with its output.
        """
        problem = stopped({"meter": self.container}) or ("the meter did not answer" if self.hangs else "")
        if problem:
            self.bed.remove({"meter": self.container})
            self.container, self.hangs = self._start(), False
        far_problem = self.far.revived() if self.far else ""
        return ", ".join(filter(None, (problem, f"the server's: {far_problem}" if far_problem else "")))

    def ask(self, *words: str) -> Any:
        """Its answer to a question (images/meter).

        Raises:
            LabError: it has none; with what it said.
        """
        result = self.bed.engine.ask(self.container, ["ask", *words])
        if result.status:
            raise LabError(f"the meter does not say: {result.complaint}")
        return json.loads(result.stdout)

    def answers(self) -> bool:
        """Whether the meter answers now. If not, the next `revived` restarts it."""
        self.hangs = True
        with suppress(LabError):
            self.hangs = self.bed.engine.execute(self.container, ASK, timeout=ANSWER).status != 0
        far_answers = self.far.answers() if self.far else True
        return not self.hangs and far_answers

    @property
    def containers(self) -> dict[str, Container]:
        """Its container, and that of the far one."""
        return {"meter": self.container, **({"far meter": self.far.container} if self.far else {})}
