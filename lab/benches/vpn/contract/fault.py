# SPDX-License-Identifier: MIT
"""One fault in the folder of a VPN, or in what belongs to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.core.documents import Malformed
from lab.core.paths import shown

NEIGHBOUR = "take a neighbour's as a model; CONTRIBUTING.md: Add a VPN"
"""The next step where a file is missing or of another form."""


@dataclass(frozen=True)
class Fault:
    """What is wrong in a file, and the next step. `line` counts from 1; 0 is the whole file."""

    file: Path
    line: int
    what: str
    fix: str

    @property
    def place(self) -> str:
        """The file, as seen from the checkout, and the line."""
        return f"{shown(self.file)}:{self.line}" if self.line else shown(self.file)


def of(malformed: Malformed, fix: str) -> Iterator[Fault]:
    """The faults of a file that could not be read."""
    for line, what in malformed.faults:
        yield Fault(malformed.path, line, what, fix)
