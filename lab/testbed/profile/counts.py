# SPDX-License-Identifier: MIT
"""What the plugin counted, by task and function (the form of its file: images/vm/profile.c)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.results.function import Function
from lab.testbed.profile.symbols import UNKNOWN, Name

Place = tuple[int, int]
"""The hash of a page and the offset in it; the kernel's code has page 0 and an address."""
KERNEL_PAGE = 0


@dataclass
class Counts:
    """The instructions that each task executed in each block of code, and how often it began the block."""

    clock: int
    """Nanoseconds that the guest's clock went on while the window was open."""
    tasks: dict[int, tuple[int, str]] = field(default_factory=dict)
    """The process number and the name of each task."""
    blocks: dict[tuple[int, Place], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    """By task and place: instructions, times."""

    @property
    def total(self) -> int:
        """Instructions of everything."""
        return sum(instructions for instructions, _ in self.blocks.values())


def parse(text: str) -> Counts:
    """The counts of one window."""
    counts = Counts(0)
    for line in text.splitlines():
        kind, *words = line.split()
        if kind == "clock":
            counts.clock = int(words[1]) - int(words[0])
        elif kind == "task":
            counts.tasks[int(words[0])] = int(words[1]), " ".join(words[2:])
        else:
            *page, place, length, task, times = (int(word, 16) for word in words)
            block = counts.blocks[task, (page[0] if page else KERNEL_PAGE, place)]
            block[0] += length * times
            block[1] += times
    return counts


def functions(
    counts: Counts, whose: Callable[[int, str], str], named: Callable[[Place], Name | None]
) -> list[Function]:
    """The counts by function, those with most instructions first.

    `whose` says to whom a task belongs, by its process number and name. `named` says what is at a place.
    """
    names = {place: named(place) or Name(UNKNOWN, UNKNOWN, begins=False) for _, place in counts.blocks}
    found: dict[tuple[str, str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for (task, place), (instructions, times) in counts.blocks.items():
        number, title = counts.tasks.get(task, (-1, UNKNOWN))
        name = names[place]
        row = found[whose(number, title), title, name.object, name.function]
        row[0] += instructions
        row[1] += times if name.begins else 0
    rows = [Function(*key, instructions, calls) for key, (instructions, calls) in found.items()]
    return sorted(rows, key=lambda row: (-row.instructions, row.by, row.task, row.object, row.name))
