# SPDX-License-Identifier: MIT
"""`lab profile`: the exact profiles of a run; and what `lab compare --why` shows of those of two runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from lab.cli.options import Json, Results, Run
from lab.cli.rows import show
from lab.core.errors import LabError
from lab.core.files import write
from lab.core.paths import RESULTS
from lab.core.terminal import answer, console
from lab.results.store import Store

if TYPE_CHECKING:
    from lab.report.functions import Key, Profile
    from lab.report.tables import Table

HINT = "`lab matrix --measures profile --engine vm --clock instructions` takes some"


def profile(
    run: Run,
    results: Results = RESULTS,
    most: Annotated[int, typer.Option("--most", min=1, help="The number of functions to show of each profile.")] = 30,
    folded: Annotated[
        Path | None,
        typer.Option(
            help="A folder to write each profile to as `by;task;object;function COUNT`, for flame graphs.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show where every instruction of a run's profiles went: by function, per byte of payload.

    Examples:
    - `lab profile {run} --most 10`
    - `lab profile {run} --folded flames`
    """
    from lab.report import functions
    from lab.report.plots import slug

    found = _profiles(Store(results / run))
    if not found:
        raise LabError(f"{run} has no profile", HINT)
    written = []
    if folded is not None:
        folded.mkdir(parents=True, exist_ok=True)
        written = [
            write(folded / f"{slug(' '.join(cell))}.folded", functions.folded(each)) for cell, each in found.items()
        ]
    if as_json:
        answer([_plain(cell, each) for cell, each in found.items()])
        return
    for table in functions.tables(found, "", most):
        show_table(table)
    for path in written:
        console.print(f"\nFor flame graphs: {path}", highlight=False)


def explain(first: Store, second: Store) -> None:
    """Print the functions that differ, for each cell of which both runs have a profile."""
    from lab.report import functions

    before, after = _profiles(first), _profiles(second)
    both = [cell for cell in before if cell in after]
    if not both:
        console.print(f"\nWhy: no cell has a profile in both runs; {HINT}", highlight=False)
    for cell in both:
        show_table(functions.why(cell, before[cell], after[cell]))


def _profiles(store: Store) -> dict[Key, Profile]:
    from lab.report import functions

    return functions.of_samples(store.last())


def _plain(cell: Key, each: Profile) -> dict[str, Any]:
    rows = [
        {**where._asdict(), "instructions_per_byte": instructions, "calls_per_byte": calls}
        for where, instructions, calls in each.leading(len(each.functions))
    ]
    return {"cell": list(cell), "samples": each.samples, "instructions_per_byte": each.total, "functions": rows}


def show_table(table: Table) -> None:
    """Print a table of functions; narrow terminals show it as paragraphs."""
    console.print()
    rows = [dict(zip(table.columns, (cell.text for cell in row), strict=True)) for row in table.rows]
    show(rows, as_json=False, title=table.title)
    for note in table.notes:
        console.print(Text(note, style="dim"))
