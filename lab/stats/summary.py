# SPDX-License-Identifier: MIT
"""The data of one run for every view. The run is read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from lab.results import quantity
from lab.results.quantity import Quantity
from lab.results.schema import Meta
from lab.results.store import AGAIN, Store
from lab.stats import analysis, ranking

Load = tuple[str, str]
"""A measure that moves data, and its conditions."""
COUNTED = ("instructions_per_packet", "instructions_per_byte")
"""What measures have that count instructions, rather than time."""


@dataclass(frozen=True, eq=False)
class Summary:
    """A run's rows (`Store.frame`), its `meta.json`, and the raw samples that count.

    `twins`: the rows of samples that a second worker of a cluster took, too. They are compared, and count nowhere.

    Raises LabError if the rows are of more than one engine or clock.
    """

    df: pd.DataFrame
    meta: Mapping[str, Any]
    samples: Sequence[Mapping[str, Any]] = ()
    twins: pd.DataFrame | None = None
    _parts: dict[Load, Summary] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse a mixture before anything is computed from it."""
        if not self.df.empty:
            analysis.one_clock(self.df)

    @classmethod
    def of(cls, store: Store) -> Summary:
        """Read a run's folder. Raises what `Store.read` raises."""
        samples = store.last()
        twins = store.twins
        return cls(store.frame(samples), store.meta(), samples, twins.frame() if twins.samples.exists() else None)

    @property
    def empty(self) -> bool:
        """Whether there are no rows yet."""
        return self.df.empty

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Every row, of whatever outcome, its text as text: `analysis.tidy`."""
        return analysis.tidy(self.df)

    @cached_property
    def measured(self) -> pd.DataFrame:
        """The readings of the samples that count, with their modes: `analysis.measured`."""
        return analysis.measured(self.rows)

    def under(self, load: Load) -> Summary:
        """The part of the run that one measure under one set of conditions gave."""
        if load not in self._parts:
            self._parts[load] = self._part(lambda df: (df["measure"] == load[0]) & (df["conditions"] == load[1]))
        return self._parts[load]

    @cached_property
    def others(self) -> Summary:
        """The run without its control."""
        return self._part(lambda df: df["vpn"] != self.control)

    def _part(self, chosen: Callable[[pd.DataFrame], pd.Series[bool]]) -> Summary:
        """Some whole cells of the run. Their figures are the run's: a cell's summary depends on its own samples."""
        meta = {**self.meta, "controls": [self.control] if self.control else []}
        part = Summary(self.rows[chosen(self.rows)], meta)
        vars(part)["quantities"] = self.quantities
        for name, frame in (("measured", self.measured), ("figures", self.figures), ("outcomes", self.outcomes)):
            vars(part)[name] = frame[chosen(frame)]
        return part

    def loads(self, metrics: Sequence[str] = ("cpu_user", "cost")) -> list[Load]:
        """The measures and conditions that have `metrics` (a CPU ledger): fixed amounts of data, then fixed times.

        A measure that counts instructions has tables of its own.
        """
        rows = self.measured
        apart = rows.loc[rows["metric"].isin(COUNTED), "measure"].unique()
        rows = rows[rows["metric"].isin(list(metrics)) & ~rows["measure"].isin(apart)]
        chosen = rows[["measure", "conditions"]].drop_duplicates().itertuples(index=False, name=None)
        return sorted(chosen, key=lambda load: (load[0] != "transfer", load))

    @cached_property
    def quantities(self) -> dict[str, list[Quantity]]:
        """What each measure's cells are compared by, the main figure first: `analysis.quantities`, as it is declared.

        Measures are in the order in which the run was asked for them.
        """
        known = analysis.quantities(self.rows) | quantity.declared(self.meta)
        asked = [*(self.meta.get("settings") or {}).get("measures", ()), *sorted(self.rows["measure"].unique())]
        return {measure: known[measure] for measure in dict.fromkeys(asked) if measure in known}

    @property
    def main(self) -> Quantity | None:
        """The main figure of the first measure: of a load (`under`), its own. None if it has none."""
        measures = self.rows["measure"].unique()
        return next((its[0] for measure, its in self.quantities.items() if measure in measures), None)

    @cached_property
    def mains(self) -> pd.DataFrame:
        """The summary of the main figure of each load: `analysis.of_main`."""
        return analysis.of_main(self.figures, self.quantities)

    def figures_of(self, metric: str) -> pd.DataFrame:
        """The summary of one metric."""
        return self.figures[self.figures["metric"] == metric]

    @cached_property
    def runs(self) -> list[str]:
        """The names of its runs: usually one."""
        return sorted(self.df["run"].astype(str).unique())

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
        return analysis.summarise(self.measured)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """The comparison of every two cells by main figures: `ranking.pairwise`. It takes seconds for many cells."""
        return ranking.pairwise(self.measured, looks=len(self.stages) or 1)

    @cached_property
    def stages(self) -> list[int]:
        """The numbers of blocks at which the run is looked at; empty if it has a fixed number of blocks."""
        return Meta.model_validate(self.meta).stages

    @cached_property
    def outcomes(self) -> pd.DataFrame:
        """The number of samples of each cell by outcome and reason: `analysis.outcomes`."""
        return analysis.outcomes(self.rows)

    @property
    def failures(self) -> pd.DataFrame:
        """The rows of `outcomes` that something went wrong with."""
        return self.outcomes[self.outcomes["outcome"].isin(list(AGAIN))]

    @cached_property
    def control(self) -> str | None:
        """The control, if there is one."""
        return analysis.control_of(self.df, self.meta)

    @property
    def where(self) -> str:
        """The engine and the clock of all its figures, in words."""
        return analysis.clocked(self.engine, self.clock)

    @cached_property
    def retaken(self) -> int:
        """The number of repeated samples."""
        return len(analysis.attempts(self.df))

    @cached_property
    def heading(self) -> str:
        """Run, engine, clock and blocks in one line."""
        blocks = self.df.loc[self.df["outcome"] != "unsupported", "block"].nunique()
        until = f" of at most {self.stages[-1]}, until its comparisons are decided" if self.stages else ""
        return f"run {', '.join(self.runs)}: {self.where}, {blocks} blocks{until}"
