# SPDX-License-Identifier: MIT
"""How a build is followed: which image of how many, which step, and the time left.

The time left comes from `images/build-times.yaml`: how long each image took on one machine. How much slower or faster
this machine is shows as soon as an image is built. An image that is not in the file has no time: then none is told.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from threading import RLock

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from lab.core.documents import read
from lab.core.terminal import time_left
from lab.engines.build import LANES

TIMES = "build-times.yaml"
PRIOR = 15.0
"""Seconds of expected time that pass before this machine's own pace decides."""
COMMAND = 40
"""Characters of a command that a line shows."""
LATE = 0.1
"""An image that takes longer than expected is expected to take this part of its time more."""


def times(images: Path) -> dict[str, float]:
    """Seconds that each image took where the file of the times was made; nothing without the file."""
    path = images / TIMES
    return read(path, dict[str, float]) if path.is_file() else {}


@dataclass(frozen=True)
class Estimate:
    """The time that a build still takes: `expected` seconds by image, at this machine's pace, in `lanes` at once."""

    expected: Mapping[str, float]
    lanes: int = LANES

    def left(self, todo: Collection[str], running: Mapping[str, float], done: Mapping[str, float]) -> float | None:
        """Seconds left; None if an image is not known. `running` and `done`: seconds that each has taken."""
        if not {*todo, *running} <= self.expected.keys():
            return None
        known = [name for name in done if name in self.expected]
        pace = (PRIOR + sum(done[name] for name in known)) / (PRIOR + sum(self.expected[name] for name in known))
        rest = [self.expected[name] * pace for name in todo]
        rest += [max(self.expected[name] * pace - spent, LATE * spent) for name, spent in running.items()]
        return max(*rest, sum(rest) / self.lanes) if rest else 0.0


class BuildProgress:
    """Shows a build on `console`: live on a terminal, else a line for each command and each image."""

    def __init__(self, console: Console, estimate: Estimate) -> None:
        self.console, self.estimate = console, estimate
        self._lock = RLock()  # never held while the display is changed: that has a lock of its own, and asks for `left`
        self._todo: list[str] = []
        self._begun: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._built: dict[str, float] = {}
        self._live: Progress | None = None
        self._whole: TaskID | None = None
        self._tasks: dict[str, TaskID] = {}

    @contextmanager
    def shown(self) -> Iterator[BuildProgress]:
        """Show the progress until the block ends."""
        if not self.console.is_terminal:
            yield self
            return
        text = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True), markup=False)
        columns = (SpinnerColumn(), text, _TimeLeft(self), TimeElapsedColumn())
        with Progress(*columns, console=self.console, transient=True, expand=True) as self._live:
            self._whole = self._live.add_task("images")
            yield self
        self._live = None

    def planned(self, names: Collection[str]) -> None:
        """Only these are still to be built; images that are built or being built stay as they are."""
        with self._lock:
            self._todo = [name for name in names if name not in self._begun and name not in self._ended]

    def began(self, name: str) -> None:
        """An image is being built now."""
        with self._lock:
            self._todo.remove(name)
            self._begun[name] = time.monotonic()
        if self._live:
            self._tasks[name] = self._live.add_task(self._named(name))

    def step(self, name: str, number: int, total: int, text: str) -> None:
        """An image has come to a step of its Dockerfile. The commands are what takes time."""
        if self._live:
            self._live.update(self._tasks[name], description=f"{self._named(name)}, step {number}/{total}: {text}")
        elif text.startswith("RUN "):
            command = shorten(text, COMMAND, placeholder=" …")
            self._print(f"{self._named(name)}, step {number}/{total}: {command}{self._left_in_brackets()}")

    def ended(self, name: str, how: str, *, anew: bool) -> None:
        """An image is there."""
        with self._lock:
            if name in self._todo:
                self._todo.remove(name)
            seconds = time.monotonic() - self._begun.pop(name, time.monotonic())
            self._ended[name] = seconds
            if anew:
                self._built[name] = seconds
        if self._live and name in self._tasks:
            self._live.remove_task(self._tasks.pop(name))
        took = f" in {seconds:.0f} s" if seconds >= 1 else ""
        self._print(f"{self._named(name)}: {how}{took}{self._left_in_brackets()}")

    def say(self, text: str) -> None:
        """Print something else."""
        self._print(text)

    def of_whole(self, task: TaskID) -> bool:
        """Whether a task is the whole build."""
        return task == self._whole

    def left(self) -> str:
        """The time left, in words; nothing if it is not known or nothing is left."""
        with self._lock:
            running = {name: time.monotonic() - begun for name, begun in self._begun.items()}
            seconds = self.estimate.left(self._todo, running, self._built)
        return f"about {time_left(seconds)}" if seconds else ""

    def _named(self, name: str) -> str:
        """An image's name and its place in the order in which the images began."""
        with self._lock:
            order = [*self._ended, *self._begun]
            place = order.index(name) + 1 if name in order else len(order)
            return f"image {place} of {len(order) + len(self._todo)}, {name}"

    def _left_in_brackets(self) -> str:
        left = "" if self._live else self.left()
        return f" ({left})" if left else ""

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=not self._live, no_wrap=bool(self._live))


class _TimeLeft(ProgressColumn):
    """The time left, on the line of the whole build."""

    def __init__(self, progress: BuildProgress) -> None:
        super().__init__()
        self.progress = progress

    def render(self, task: Task) -> Text:
        """The time left."""
        return Text(self.progress.left() if self.progress.of_whole(task.id) else "")
