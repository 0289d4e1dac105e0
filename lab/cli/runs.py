# SPDX-License-Identifier: MIT
"""The commands that show runs. They need no engine, and do not import its client library."""

from __future__ import annotations

import webbrowser
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from lab import benches
from lab.cli import profiles
from lab.cli.names import named
from lab.cli.options import RUN, Json, Results, Run, share, words
from lab.cli.rows import show
from lab.core.errors import LabError, UsageError
from lab.core.paths import RESULTS
from lab.core.terminal import answer, console, plain
from lab.results.store import Store

if TYPE_CHECKING:
    from lab.report.tables import Table


def report(
    run: Run,
    results: Results = RESULTS,
    as_json: Json = False,
    tables: Annotated[bool, typer.Option("--tables", help="Print the tables. Default: one screen.")] = False,
    opened: Annotated[bool, typer.Option("--open", help="Open the HTML page in a browser.")] = False,
) -> None:
    """Show a run, and write its CSV files, pictures and HTML page again.

    Examples:
    - `lab report {run}`
    - `lab report {run} --tables`
    - `lab report {run} --open`
    """
    from lab.report import write

    store = Store(results / run)
    views, offer = benches.views(benches.of(store)), benches.offer(store.folder, store.meta())
    page = write.write(views, store, console, as_json=as_json, every_table=tables, offer=offer)
    if opened and page:
        _open(page)


def _open(page: Path) -> None:
    """Open a page in the browser of whoever asked."""
    if not webbrowser.open(page.absolute().as_uri()):
        raise LabError("no browser could be started", f"open {page.absolute()} in one")


def thesis(run: Run, results: Results = RESULTS, as_json: Json = False) -> None:
    """Show a run beside the figures of the thesis that this lab repeats.

    Examples:
    - `lab thesis {run}`
    """
    from lab.report import write

    store = Store(results / run)
    write.thesis(benches.views(benches.of(store)), store, console, as_json=as_json)


Margin = Annotated[
    float | None,
    typer.Option(
        help="A difference below this share is a tie: 0.05 is 5 per cent. Default: 0.01 on the instruction clock, "
        "0.05 on the wall clock.",
        callback=share,
        show_default=False,
    ),
]


def compare(
    a: Annotated[str, typer.Argument(**named(f"{RUN} With `--against` alone: the run to judge.", of="runs"))],
    b: Annotated[str | None, typer.Argument(**named("The run that is compared with it.", of="runs"))] = None,
    margin: Margin = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            **named(
                "A past run, or a folder of runs; may be given several times. With five or more, a change that is "
                "usual from one past run to the next is no difference.",
                of="runs",
            ),
            show_default=False,
        ),
    ] = None,
    gated: Annotated[
        bool,
        typer.Option("--gate", help="Exit with 3 if anything is worse, with 4 if that is undecided, else with 0."),
    ] = False,
    why: Annotated[
        bool,
        typer.Option("--why", help="Show which functions gained or lost instructions, where both have a profile."),
    ] = False,
    results: Results = RESULTS,
    as_json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")] = False,
    page: Annotated[Path | None, typer.Option(help="Write the comparison as an HTML page, too.")] = None,
) -> None:
    """Compare two runs cell by cell. They must have the same engine and the same clock.

    Examples:
    - `lab compare RUN OTHER`
    - `lab compare RUN OTHER --margin 0.02`
    - `lab compare RUN OTHER --page difference.html`
    - `lab compare RUN OTHER --gate --markdown`
    - `lab compare RUN OTHER --why`
    - `lab compare RUN --against results --gate`
    """
    from lab.report import comparison, comparison_page, gate
    from lab.report.past import chosen
    from lab.stats import analysis

    if as_json + markdown + why > 1:
        hint = "`--json` is for programs, `--markdown` for a pull request, `--why` for a terminal"
        raise UsageError("--json, --markdown and --why: one of them", hint)
    first, second, past = chosen(results, a, b, [name for text in against or () for name in words(text)])
    for store in (first, second):
        benches.of(store)
    comparison.check(first.folder, second.folder, first.meta(), second.meta())
    frames = first.frame(), second.frame()
    compared = comparison.compare(*frames, margin, [store.frame() for store in past])
    where = analysis.one_clock(frames[1])
    margin = margin or analysis.margin_of(where[1])
    verdict, names = gate.judge(compared, margin), (first.folder.name, second.folder.name)
    if as_json:
        answer(comparison.plain(compared, names, where, margin, len(past)))
    elif markdown:
        table = comparison.table(compared, names, margin)
        plain(gate.markdown(compared, verdict, names, table.notes, table.where).rstrip())
    else:
        _print_origins(first, second)
        _show(comparison.table(compared, ("", ""), margin))
    if page:
        written = comparison_page.write_page(page, first, second, compared, margin)
        if not (as_json or markdown):
            console.print(f"\nAs a page: {written}", highlight=False)
    if why:
        profiles.explain(first, second)
    if gated:
        if not (as_json or markdown):
            console.print(f"\nGate: {verdict.line()}", highlight=False)
        raise typer.Exit(verdict.code)


def _print_origins(*stores: Store) -> None:
    """Say of each run what it measured, on what, and over which wires."""
    from lab.report import comparison, tables

    for name, store in zip("AB", stores, strict=True):
        origin = comparison.origin(store.folder.name, store.meta())
        over = [f"{condition}: {meaning}" for condition, meaning in tables.meanings(store.meta()).items()]
        for line in (f"{name}: {origin}", *over):
            console.print(line, highlight=False, soft_wrap=True)


def aa(run: Run, margin: Margin = None, results: Results = RESULTS, as_json: Json = False) -> None:
    """Compare a run with itself (an A/A): nothing differs between its halves, so what is found is chance.

    Examples:
    - `lab aa {run}`
    """
    from lab.report import comparison, halves
    from lab.stats import analysis

    store = Store(results / run)
    benches.of(store)
    df = store.frame()
    sides, names = halves.in_time(df)
    compared = comparison.compare(*sides, margin)
    rates = halves.rates(df, compared, margin)
    if as_json:
        where = analysis.one_clock(df)
        told = comparison.plain(compared, names, where, margin, 0)
        answer({**told, "run": run, "aa": {name: rate.plain() for name, rate in rates.items()}})
        return
    _show(comparison.table(halves.shown(compared), names, margin))
    console.print(f"\nA, {names[0]}, against B, {names[1]}: {rates[halves.IN_TIME]}", highlight=False)
    console.print(f"Every other block against the rest: {rates[halves.EVERY_OTHER]}", highlight=False)


def _show(table: Table) -> None:
    """Show a comparison: a table for each metric and measure, so that its rows fit a terminal of 80 columns."""
    metric = table.columns.index("metric")
    names = ["A", "B", *table.columns[metric + 3 :]]
    groups: dict[str, list[dict[str, str]]] = {}
    for row in table.rows:
        *subject, measure, metric_text = (cell.text for cell in row[: metric + 1])
        figures = dict(zip(names, (cell.text for cell in row[metric + 1 :]), strict=True))
        groups.setdefault(f"{metric_text}: {measure}", []).append({"cell": " ".join(subject), **figures})
    for title, rows in groups.items():
        console.print()
        show(rows, as_json=False, title=title, optional=[names[3]])
    verdicts = Counter(row["verdict"] for rows in groups.values() for row in rows)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    console.print(f"\nB against A: {counts or 'no figure that both have'}", highlight=False)
    for note in table.notes:
        console.print(Text(note, style="dim"))
