# SPDX-License-Identifier: MIT
"""The commands that show what was measured. None of them needs an engine, nor its client library."""

from __future__ import annotations

from typing import Annotated

import typer

from lab import benches
from lab.cli.options import Json, Results, share
from lab.core.paths import RESULTS
from lab.core.terminal import answer, console
from lab.results.store import Store

Run = Annotated[str, typer.Argument(help="The run's name.")]


def report(
    run: Run,
    results: Results = RESULTS,
    as_json: Json = False,
    tables: Annotated[bool, typer.Option("--tables", help="Print the tables, not one screen.")] = False,
) -> None:
    """Show a run, and write its CSV, pictures and HTML page anew."""
    from lab.report import write

    store = Store(results / run)
    views, offer = benches.views(benches.of(store)), benches.offer(store.folder, store.meta())
    write.write(views, store, console, as_json=as_json, every_table=tables, offer=offer)


def thesis(run: Run, results: Results = RESULTS, as_json: Json = False) -> None:
    """Show a run beside the figures of the thesis that this lab rebuilds."""
    from lab.report import write

    store = Store(results / run)
    write.thesis(benches.views(benches.of(store)), store, console, as_json=as_json)


def compare(
    a: Annotated[str, typer.Argument(help="A run.")],
    b: Annotated[str, typer.Argument(help="Another.")],
    margin: Annotated[float, typer.Option(help="Differences inside this share count as a tie.", callback=share)] = 0.05,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Compare two runs cell by cell."""
    from lab.report import comparison

    first, second = Store(results / a), Store(results / b)
    for store in (first, second):
        benches.of(store)
    if as_json:
        answer(comparison.comparison_data(first, second, margin))
    else:
        comparison.show_comparison(first, second, margin, console)
