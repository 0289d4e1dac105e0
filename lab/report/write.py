# SPDX-License-Identifier: MIT
"""Derive everything in a run's folder anew, and show it: results.csv, summary.csv, pictures, and one HTML page.

Made again, it is the same byte for byte.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from lab.core import terminal
from lab.report import machines
from lab.report.page import SUMMARY, write_page
from lab.report.screen import wrapped
from lab.report.tables import Table
from lab.report.text import show
from lab.report.views import Offer, Views, nobody
from lab.results.store import Store
from lab.stats.summary import Summary


def write(
    views: Views,
    store: Store,
    console: Console,
    *,
    as_json: bool = False,
    every_table: bool = False,
    offer: Offer = nobody,
) -> Path | None:
    """Derive and show a run: its screen, or with `every_table` all of it; as JSON where a program reads.

    The path of its page; None if nothing was measured yet.
    """
    run = Summary.of(store)
    store.write_csv(run.df)
    if run.empty:
        nothing(store, console, as_json=as_json, views=views)
        return None
    store.write_table(SUMMARY, views.summary(run, offer))

    def tables(*, whole: bool) -> list[Table]:
        return [*views.tables(run, offer, whole=whole), *machines.tables(run)]

    page = write_page(store.folder, run, lambda: tables(whole=True), views.pictures(run))
    if as_json:
        terminal.answer({**views.data(run, offer), **machines.data(run)}, console)
        return page
    if lines := [] if every_table else views.screen(run, console.width):
        lines += [line for text in machines.sentences(run) for line in wrapped(text, console.width, more="  ")]
        lines += ["", f"Every table and picture: {near(page)}", f"Tables here: lab report {store.folder.name} --tables"]
        console.print("\n".join(lines), markup=False, highlight=False, emoji=False, soft_wrap=True)
        return page
    console.print(run.heading, style="bold", highlight=False)
    for table in tables(whole=False):
        show(table, console)
    console.print(f"Every table and picture: {near(page)}", highlight=False, soft_wrap=True)
    return page


def near(path: Path) -> Path:
    """A path as one types it here: without the current folder, if it is under that."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def thesis(views: Views, store: Store, console: Console, *, as_json: bool = False) -> None:
    """Show a run beside the thesis, and nothing else; nothing is written."""
    run = Summary.of(store)
    if run.empty:
        nothing(store, console, as_json=as_json, views=views)
        return
    beside = views.thesis(run)
    if as_json:
        terminal.answer(beside.data, console)
        return
    console.print(run.heading, style="bold", highlight=False)
    for line in beside.lines:
        console.print(line, highlight=False, soft_wrap=True)
    for table in beside.tables:
        show(table, console)


def nothing(store: Store, console: Console, *, as_json: bool, views: Views) -> None:
    """Show a run that has no sample yet; as JSON it is as any other."""
    if as_json:
        engine = store.meta().get("engine") or {}
        told = {"run": [store.folder.name], "engine": engine.get("name"), "clock": engine.get("clock")}
        terminal.answer({**told, **views.NOTHING}, console)
    else:
        console.print("nothing was measured yet", highlight=False)
