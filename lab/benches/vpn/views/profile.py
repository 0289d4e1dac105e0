# SPDX-License-Identifier: MIT
"""The exact profiles of a run: see `lab.report.functions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.report import functions

if TYPE_CHECKING:
    from lab.report.tables import Table
    from lab.stats.summary import Summary


def tables(run: Summary) -> list[Table]:
    """Two tables for each profile."""
    return functions.tables(functions.of_samples(run.samples), run.where)
