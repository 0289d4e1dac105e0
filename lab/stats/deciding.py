# SPDX-License-Identifier: MIT
"""Whether a run of `--blocks auto` is decided: `python -m lab.stats.deciding FOLDER` prints a look as JSON.

What a run is asked is how cells differ in one thing: data paths with the same suite, and suites on the same data path.
Each measure is compared by its main figure, within each set of conditions, without the control. The verdicts are those
of a report (`lab.stats.ranking`), corrected for every comparison and for every look.

A process of its own looks, since one that measures must not hold these libraries in its memory.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from lab.results.looks import Look
from lab.results.schema import Meta
from lab.results.store import Store
from lab.stats import ranking
from lab.stats.analysis import SERIES, control_of, measured, of_main, quantities
from lab.stats.differences import UNDECIDED


def comparisons(df: pd.DataFrame, control: str | None, looks: int = 1) -> pd.DataFrame:
    """The comparisons that a run is asked: rows of `ranking.every_two`, of cells that differ in one thing."""
    rows = of_main(measured(df), quantities(df))
    rows = rows[(rows["vpn"] != control) & (rows["value"] > 0)]
    pairs = ranking.every_two(rows, looks=looks)
    alike = [_alike(a, b) for a, b in zip(pairs["a"], pairs["b"], strict=True)]
    return pairs[alike]


def _alike(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    """Whether two cells, as in `SERIES`, have the same data path or the same suite."""
    path, suite = slice(0, 2), SERIES.index("suite")
    return bool(a[path] == b[path] or a[suite] == b[suite])


def look(df: pd.DataFrame, meta: dict[str, Any], blocks: int) -> Look:
    """What is decided after so many blocks of a run."""
    known = df[df["block"] < blocks]
    found = comparisons(known, control_of(known, meta), len(Meta.model_validate(meta).stages) or 1)
    return Look(blocks=blocks, compared=len(found), undecided=int((found["verdict"] == UNDECIDED).sum()))


def main() -> None:
    """Look at the run in the folder that the command line names, after as many blocks as it names."""
    store = Store(Path(sys.argv[1]))
    print(look(store.frame(), store.meta(), int(sys.argv[2])).model_dump_json())


if __name__ == "__main__":
    main()
