# SPDX-License-Identifier: MIT
"""The thesis's figures of raw cipher speed (tables 3.8 to 3.14), from thesis.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from statistics import mean

from lab.core.documents import Document, read

FILE = Path(__file__).with_name("thesis.yaml")


class Row(Document):
    """Runs of one suite, GB/s; `metric` is the lab's counterpart."""

    label: str
    suite: str
    runs: list[float]
    average: float
    metric: str = "speed"

    @property
    def value(self) -> float:
        """The mean of the runs."""
        return mean(self.runs)


class Speeds(Document):
    """One table: a library in a place, at one payload size in bytes."""

    source: str
    library: str
    place: str
    size: int
    rows: list[Row]


class Trend(Document):
    """Speed (GB/s) by payload size (bytes)."""

    source: str
    library: str
    place: str
    suite: str
    sizes: dict[int, float]


class Ciphers(Document):
    """All of section 3.4."""

    tables: list[Speeds]
    trend: Trend


@cache
def load() -> Ciphers:
    """The figures of the section."""
    return read(FILE, Ciphers)
