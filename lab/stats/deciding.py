# SPDX-License-Identifier: MIT
"""Whether a run of `--blocks auto` is decided: `python -m lab.stats.deciding FOLDER` prints a look as JSON.

What a run is asked is how cells differ in one thing: data paths with the same suite, and suites on the same data path.
Each measure is compared by its main figure, within each set of conditions, without the control. The verdicts are made
as those of a report (`lab.stats.ranking`), corrected for the comparisons of each load and for every look; but a report
compares only cells that a processor limited, so its family is smaller.

A cell that was measured, but in no block without the programs of others, is waited for: its comparison is undecided.
One of which no sample succeeded is not.

A process of its own looks, since one that measures must not hold these libraries in its memory.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from lab.results.looks import Look
from lab.results.schema import PROFILE, Meta
from lab.results.store import Store
from lab.stats import ranking
from lab.stats.analysis import CELL, SERIES, control_of, measured, of_main, quantities, undisturbed
from lab.stats.differences import UNDECIDED


def asked(df: pd.DataFrame, control: str | None) -> pd.DataFrame:
    """The readings that a run is asked about: main figures, without the control."""
    rows = of_main(measured(df), quantities(df))
    return rows[(rows["vpn"] != control) & (rows["value"] > 0)]


def comparisons(df: pd.DataFrame, control: str | None, looks: int = 1) -> pd.DataFrame:
    """The comparisons that a run is asked: rows of `ranking.every_two`, of cells that differ in one thing."""
    pairs = ranking.every_two(asked(df, control), looks=looks)
    alike = [_alike(a, b) for a, b in zip(pairs["a"], pairs["b"], strict=True)]
    return pairs[pd.Series(alike, index=pairs.index, dtype=bool)]


def waiting(df: pd.DataFrame, control: str | None) -> int:
    """The number of cells whose every sample programs of others disturbed."""
    rows = asked(df, control)
    cells = [{*found[CELL].itertuples(index=False, name=None)} for found in (rows, undisturbed(rows))]
    return len(cells[0] - cells[1])


def _alike(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    """Whether two cells, as in `SERIES`, have the same data path or the same suite."""
    path, suite = slice(0, 2), SERIES.index("suite")
    return bool(a[path] == b[path] or a[suite] == b[suite])


def look(df: pd.DataFrame, meta: dict[str, Any], blocks: int) -> Look:
    """What is decided after so many blocks of a run."""
    # A profile is taken once, whatever the number of blocks.
    known = df[(df["block"] < blocks) & ((df["measure"] != PROFILE[1]) | (meta.get("kind") != PROFILE[0]))]
    control = control_of(known, meta)
    found = comparisons(known, control, len(Meta.model_validate(meta).stages) or 1)
    missed = waiting(known, control)
    undecided = int((found["verdict"] == UNDECIDED).sum())
    return Look(blocks=blocks, compared=len(found) + missed, undecided=undecided + missed)


def main() -> None:
    """Look at the run in the folder that the command line names, after as many blocks as it names."""
    store = Store(Path(sys.argv[1]))
    print(look(store.frame(), store.meta(), int(sys.argv[2])).model_dump_json())


if __name__ == "__main__":
    main()
