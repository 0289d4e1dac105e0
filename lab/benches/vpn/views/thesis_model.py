# SPDX-License-Identifier: MIT
"""The thesis's figures of VPNs (chapter 3, appendix B), from this folder's `thesis.yaml`."""

from __future__ import annotations

from pathlib import Path
from statistics import mean

from lab.core.documents import Document, read

FILE = Path(__file__).with_name("thesis.yaml")


Pair = tuple[float, float]


class Row(Document):
    """Runs of one suite, Mbit/s. A row without a suite is not compared."""

    label: str
    suite: str | None
    runs: list[float]
    average: float

    @property
    def value(self) -> float:
        """The mean of the runs, or the printed average if the runs are not given."""
        return mean(self.runs) if self.runs else self.average

    @property
    def span(self) -> Pair:
        """The slowest and the fastest run."""
        return (min(self.runs), max(self.runs)) if self.runs else (self.average, self.average)


class Throughput(Document):
    """One table: the suites of a VPN."""

    source: str
    vpn: str
    variants: list[str]
    rows: list[Row]


class Throughputs(Document):
    """Tables of throughput, and the measure and conditions of a run to compare them with."""

    measure: str
    conditions: list[str]
    tables: list[Throughput]


class Average(Document):
    """A row of the table of averages: one suite, several VPNs."""

    label: str
    suite: str
    values: dict[str, float]


class Averages(Document):
    """The table of averages."""

    source: str
    rows: list[Average]


class Component(Document):
    """Runs of one VPN at one endpoint, as pairs: kernel and user seconds, or reads and writes."""

    source: str
    end: str
    vpn: str
    runs: list[Pair]
    average: Pair
    percent: Pair | None = None

    @property
    def value(self) -> Pair:
        """The means of the runs."""
        return mean(first for first, _ in self.runs), mean(second for _, second in self.runs)


class Components(Document):
    """Tables of CPU time and system calls."""

    suite: str
    measure: str
    reference: str
    variants: dict[str, list[str]]
    time: list[Component]
    calls: list[Component]


class Thesis(Document):
    """All of `thesis.yaml`."""

    reference: str
    throughput: Throughputs
    averages: Averages
    components: Components


def load() -> Thesis:
    """The figures of the thesis."""
    return read(FILE, Thesis)
