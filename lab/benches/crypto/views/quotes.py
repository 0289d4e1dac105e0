# SPDX-License-Identifier: MIT
"""Single figures of a run of `lab crypto` as text, for pages of documentation."""

from __future__ import annotations

from typing import Any

from lab.benches.crypto.libraries import PLACES
from lab.benches.crypto.views import frame, thesis_model
from lab.benches.crypto.views.thesis import GIGABYTE
from lab.report import quotes, tables
from lab.report.tables import figure
from lab.stats.summary import Summary

HOST, CONTAINER = PLACES


class Quotes(quotes.Quotes):
    """The figures of a run: speeds of a library by place (host or container), suite and payload in bytes."""

    def __init__(self, run: Summary) -> None:
        super().__init__(run)
        self.medians = {
            (row.library, row.place, row.suite, row.size): float(row.median)
            for row in tables.each(frame.speeds(run))
            if row.metric == "speed"
        }
        self.within = {
            (row.library, row.suite, row.size): float(row.median)
            for row in tables.each(frame.ratios(run))
            if row.metric == "speed"
        }

    def speed(self, library: str, place: str, suite: str, size: int, unit: float = GIGABYTE) -> str:
        """The median speed, in units of `unit` bytes per second."""
        return figure(self.medians[library, place, suite, size] / unit)

    def ratio(self, library: str, suite: str, size: int) -> str:
        """The container's median speed as a share of the host's."""
        return f"{self.medians[library, CONTAINER, suite, size] / self.medians[library, HOST, suite, size]:.3f}"

    def ratio_within(self, library: str, suite: str, size: int) -> str:
        """The median of the shares within a block."""
        return f"{self.within[library, suite, size]:.3f}"

    def ratio_there(self, library: str, suite: str) -> str:
        """The container's mean speed as a share of the host's in the thesis (tables 3.8 to 3.11)."""
        means: dict[str, Any] = {
            table.place: row.value
            for table in thesis_model.load().tables
            if table.library == library
            for row in table.rows
            if row.suite == suite
        }
        return f"{means[CONTAINER] / means[HOST]:.3f}"

    def speed_there(self, size: int, unit: float = GIGABYTE) -> str:
        """The kernel's speed by payload in the thesis (tables 3.13 and 3.14), in units of `unit` bytes per second."""
        return figure(thesis_model.load().trend.sizes[size] * GIGABYTE / unit)
