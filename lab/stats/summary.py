# SPDX-License-Identifier: MIT
"""The data of one run for every view. The run is read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from lab.results.store import Store
from lab.stats import analysis


@dataclass(frozen=True, eq=False)
class Summary:
    """A run's rows (`Store.frame`), its `meta.json`, and the raw samples that count.

    Raises LabError if the rows are of more than one engine or clock.
    """

    df: pd.DataFrame
    meta: Mapping[str, Any]
    samples: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def of(cls, store: Store) -> Summary:
        """Read a run's folder. Raises what `Store.read` raises."""
        samples = store.last()
        return cls(store.frame(samples), store.meta(), samples)

    @property
    def empty(self) -> bool:
        """Whether there are no rows yet."""
        return self.df.empty

    @cached_property
    def runs(self) -> list[str]:
        """The names of its runs: usually one."""
        return sorted(set(self.df["run"].astype(str)))

    @cached_property
    def clock(self) -> str:
        """The clock of all its figures."""
        return analysis.one_clock(self.df)[1]

    @cached_property
    def engine(self) -> str:
        """The engine of all its samples."""
        return analysis.one_clock(self.df)[0]

    @cached_property
    def figures(self) -> pd.DataFrame:
        """The summary of every metric of every cell: `analysis.summarise`."""
        return analysis.summarise(self.df)

    @cached_property
    def outcomes(self) -> pd.DataFrame:
        """The number of samples of each cell by outcome and reason: `analysis.outcomes`."""
        return analysis.outcomes(self.df)

    @cached_property
    def control(self) -> str | None:
        """The control, if there is one."""
        return analysis.control_of(self.df, self.meta)

    @cached_property
    def retaken(self) -> int:
        """The number of repeated samples."""
        return len(analysis.attempts(self.df))

    @cached_property
    def heading(self) -> str:
        """Run, engine, clock and blocks in one line."""
        blocks = self.df.loc[self.df["outcome"] != "unsupported", "block"].nunique()
        return f"run {', '.join(self.runs)}: {analysis.clocked(self.engine, self.clock)}, {blocks} blocks"
