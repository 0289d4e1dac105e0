# SPDX-License-Identifier: MIT
"""What a sample that was profiled knows of each function: `functions` in its raw data, a list of these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple


class Function(NamedTuple):
    """The instructions that a task executed in one function, and how often it called that.

    `by` is whose the task is: an end's, `other`, or `idle` (interrupts that came to an idle processor). `object` is a
    file, or the kernel or a module of it in brackets.
    """

    by: str
    task: str
    object: str
    name: str
    instructions: int
    calls: int

    @property
    def in_kernel(self) -> bool:
        """Whether it is a kernel's."""
        return self.object.startswith("[")


def functions(raw: Mapping[str, Any]) -> Iterator[Function]:
    """The functions of a sample."""
    rows: Iterable[Any] = raw["functions"]
    return (Function(*row) for row in rows)
