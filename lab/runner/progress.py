# SPDX-License-Identifier: MIT
"""How a run is followed: a bar with what runs now and the time left, or plain lines where the output is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from lab.core.terminal import time_left
from lab.runner.plan import Step


class Follow:
    """Shows a run on `console`."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._begun = time.monotonic()
        self._todo = self._total = self._taken = 0

    @contextmanager
    def start(self, todo: int, total: int) -> Iterator[None]:
        """Follow `todo` of `total` samples."""
        self._todo, self._total, self._taken, self._begun = todo, total, 0, time.monotonic()
        if not self.console.is_terminal:
            yield
            return
        columns = (
            SpinnerColumn(),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as self._bar:
            self._task = self._bar.add_task("", total=total, completed=total - todo)
            yield

    def before(self, step: Step) -> None:
        """Say what runs now, and how long the rest will take at the pace so far."""
        if self._bar:
            self._bar.update(self._task, description=f"{step.cell}  [dim]block {step.block + 1}, {self.left()}[/]")

    def after(self, step: Step, sample: Mapping[str, Any]) -> None:
        """Say how it went: on a terminal only where it went wrong."""
        self._taken += 1
        text = (
            f"{self._total - self._todo + self._taken}/{self._total} block {step.block + 1} {step.cell}: {told(sample)}"
        )
        if self._bar:
            self._bar.advance(self._task)
            if sample["outcome"] != "ok" or "meter" in sample:
                self.console.print(text, style="yellow", markup=False)
        else:
            self.console.print(f"{text} ({self.left()})", markup=False, highlight=False, soft_wrap=True)

    def left(self) -> str:
        """The time left, from the mean time of the samples so far."""
        if not self._taken:
            return f"{self._todo} to go"
        seconds = (time.monotonic() - self._begun) / self._taken * (self._todo - self._taken)
        return time_left(seconds)


def told(sample: Mapping[str, Any]) -> str:
    """A sample in a few words: its first figure, or its outcome and why; and what was the matter with the meter."""
    noted = f"; meter {sample['meter']}" if "meter" in sample else ""
    if sample["outcome"] != "ok":
        return f"{sample['outcome']}: {sample['reason']}{noted}"
    first = sample["readings"][0]
    return f"{first['value']:.4g} {first['unit']}{noted}"
