# SPDX-License-Identifier: MIT
"""The progress of a run: on a terminal a bar with the time left and, under it, the current cell; else plain lines."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from lab.core.terminal import time_left
from lab.runner.forecast import Forecast
from lab.runner.plan import Step


class Bar(Progress):
    """A bar, and a text under it, which is wrapped where the terminal is too narrow."""

    below = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """What the terminal shows."""
        yield from super().get_renderables()
        yield Text(self.below, style="dim", overflow="fold")


class Follow:
    """Shows a run on `console`. `expected` says how long it takes as long as it has no sample of its own."""

    def __init__(self, console: Console, expected: Forecast | None = None) -> None:
        self.console = console
        self._expected = expected
        self.bar: Bar | None = None
        self._task = TaskID(0)
        self._start = time.monotonic()
        self._todo = self._total = self._taken = 0

    @contextmanager
    def start(self, todo: int, total: int) -> Iterator[None]:
        """Follow `todo` of `total` samples."""
        self._todo, self._total, self._taken, self._start = todo, total, 0, time.monotonic()
        if not self.console.is_terminal:
            if self._expected and todo:
                self.console.print(f"{total - todo}/{total} ({self.left()})", highlight=False)
            yield
            return
        columns = (
            SpinnerColumn(),
            MofNCompleteColumn(),
            BarColumn(bar_width=20),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
        )
        with Bar(*columns, console=self.console, transient=True) as self.bar:
            self._task = self.bar.add_task("", total=total, completed=total - todo)
            yield

    def before(self, step: Step) -> None:
        """Show the cell that is measured now, and how long the rest will take at the pace so far."""
        if self.bar:
            self.bar.below = str(step.cell)
            self.bar.update(self._task, description=f"block {step.block + 1}, {self.left()}")

    def after(self, step: Step, sample: Mapping[str, Any]) -> None:
        """Show the result of a sample. A terminal shows it only if something went wrong."""
        self._taken += 1
        count = f"{self._total - self._todo + self._taken}/{self._total}"
        text = f"{count} block {step.block + 1} {step.cell}: {result_text(sample)}"
        if self.bar:
            self.bar.advance(self._task)
            if sample["outcome"] != "ok" or "meter" in sample:
                self.console.print(text, style="yellow", markup=False)
        else:
            self.console.print(f"{text} ({self.left()})", markup=False, highlight=False, soft_wrap=True)

    def left(self) -> str:
        """The time left, from the mean time of the samples so far; before the first one, as former runs took it."""
        passed = time.monotonic() - self._start
        if self._taken:
            return time_left(passed / self._taken * (self._todo - self._taken))
        if not self._expected or not self._expected.seconds:
            return f"{self._todo} to go"
        about = "at least" if self._expected.at_least else "about"
        return f"{about} {time_left(max(self._expected.seconds - passed, 0))}"


def result_text(sample: Mapping[str, Any]) -> str:
    """A sample in a few words: its first figure, or its outcome and the reason; and what was wrong with the meter."""
    meter = f"; meter {sample['meter']}" if "meter" in sample else ""
    if sample["outcome"] != "ok":
        return f"{sample['outcome']}: {sample['reason']}{meter}"
    first = sample["readings"][0]
    return f"{first['value']:.4g} {first['unit']}{meter}"
