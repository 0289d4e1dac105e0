# SPDX-License-Identifier: MIT
"""What a bench's `views/report.py` has: pure functions of a run's `Summary`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import pandas as pd

from lab.report.plots import Picture
from lab.report.reference import Beside
from lab.report.tables import Table
from lab.stats.summary import Summary

Offer = Callable[[str], Any]
"""What another bench, named by its kind, has to say about a run; None where it has nothing."""


def nobody(kind: str) -> None:
    """The offer where no bench is asked."""


class Views(Protocol):
    """A module `lab.benches.<folder>.views.report`."""

    NOTHING: dict[str, Any]
    """What `--json` says of a run without a sample, beside its name, engine and clock."""

    def tables(self, run: Summary, offer: Offer, *, whole: bool) -> list[Table]:
        """The tables that there is anything for: on the page the `whole`, in a terminal what people look at first."""

    def screen(self, run: Summary, width: int) -> list[str]:
        """What a terminal shows at once, in lines of `width` columns; empty where the tables are short enough."""

    def pictures(self, run: Summary) -> Iterator[tuple[str, Picture]]:
        """The pictures that there is anything for, each with its file's name without the ending."""

    def summary(self, run: Summary, offer: Offer) -> pd.DataFrame:
        """What `summary.csv` holds."""

    def data(self, run: Summary, offer: Offer) -> dict[str, Any]:
        """What `--json` says."""

    def thesis(self, run: Summary) -> Beside:
        """A run beside the thesis that this lab rebuilds."""
