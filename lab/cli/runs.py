# SPDX-License-Identifier: MIT
"""The commands that show runs. They need no engine, and do not import its client library."""

from __future__ import annotations

from typing import Annotated

import typer

from lab import benches
from lab.cli.names import named
from lab.cli.options import RUN, Json, Results, Run, share
from lab.core.paths import RESULTS
from lab.core.terminal import answer, console
from lab.results.store import Store


def report(run: Run, results: Results = RESULTS, as_json: Json = False) -> None:
    """Show the tables of a run, and write its CSV files, pictures and HTML page again.

    Examples:
    - `lab report {run}`
    """
    from lab.report import write

    store = Store(results / run)
    views, offer = benches.views(benches.of(store)), benches.offer(store.folder, store.meta())
    write.write(views, store, console, as_json=as_json, offer=offer)


def thesis(run: Run, results: Results = RESULTS, as_json: Json = False) -> None:
    """Show a run beside the figures of the thesis that this lab repeats.

    Examples:
    - `lab thesis {run}`
    """
    from lab.report import write

    store = Store(results / run)
    write.thesis(benches.views(benches.of(store)), store, console, as_json=as_json)


def compare(
    a: Annotated[str, typer.Argument(**named(RUN, of="runs"))],
    b: Annotated[str, typer.Argument(**named("The run that is compared with it.", of="runs"))],
    margin: Annotated[
        float, typer.Option(help="A difference below this share is a tie: 0.05 is 5 per cent.", callback=share)
    ] = 0.05,
    results: Results = RESULTS,
    as_json: Json = False,
) -> None:
    """Compare two runs cell by cell. They must have the same engine and the same clock.

    Examples:
    - `lab compare RUN OTHER`
    - `lab compare RUN OTHER --margin 0.02`
    """
    from lab.report import comparison

    first, second = Store(results / a), Store(results / b)
    for store in (first, second):
        benches.of(store)
    if as_json:
        answer(comparison.comparison_data(first, second, margin))
    else:
        comparison.show_comparison(first, second, margin, console)
