"""Show a run: tables in the terminal, results.csv, summary.csv, pictures, and one HTML page that needs nothing else.

All of it is derived from the run's folder, and from the run of `lab crypto` beside it that was made on the same
machine, where there is one (`lab.rawspeed`): made again, it is the same byte for byte. Importing this module is cheap;
pandas, scipy and matplotlib are loaded when there is something to show.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table as RichTable
from rich.text import Text

from lab import files, terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd
    from matplotlib.figure import Figure
    from rich.console import Console

    from lab.rawspeed import Raw
    from lab.store import Store
    from lab.tables import Cell, Table

TEMPLATES = Path(__file__).parent / "templates"
SUMMARY = "summary.csv"
"""One row a figure of a cell (and mode): n, median, and how far it can be trusted."""
STYLES = {"unsupported": "dim", "failed": "bold red", "invalid": "bold magenta"}


def write(store: Store, console: Console, *, as_json: bool = False) -> None:
    """Derive everything in the run's folder anew, and show it (as JSON where a program reads)."""
    frame, meta = store.frame(), store.meta()
    store.write_csv()
    if frame.empty:
        nothing(store, console, as_json=as_json, control=None, raw_speeds=None, summary=[], outcomes=[])
        return
    from lab import rawspeed

    raw = rawspeed.beside(store.folder, meta)
    write_summary(frame, store.folder, raw)
    page = write_html(frame, meta, store.folder, raw)
    if as_json:
        terminal.plain(as_text(frame, meta, raw), console)
        return
    render_terminal(frame, meta, console, raw)
    console.print(f"{page} has every table and picture", highlight=False, soft_wrap=True)


def nothing(store: Store, console: Console, *, as_json: bool, **empty: Any) -> None:
    """Show a run that has no sample yet; as JSON it is as any other, with what `empty` holds."""
    if as_json:
        engine = store.meta().get("engine") or {}
        told = {"run": [store.folder.name], "engine": engine.get("name"), "clock": engine.get("clock")}
        terminal.answer(told | empty, console)
    else:
        console.print("nothing was measured yet", highlight=False)


def show_comparison(a: Store, b: Store, margin: float, console: Console) -> None:
    """Show run `b` against run `a`, cell by cell.

    Raises:
        LabError: their engines or clocks differ; says what can be compared.
    """
    from lab import comparison

    comparison.check(a.folder, b.folder, a.meta(), b.meta())
    for name, store in (("A", a), ("B", b)):
        console.print(f"{name}: {origin(store.folder.name, store.meta())}", highlight=False, soft_wrap=True)
    compared = comparison.compare(a.frame(), b.frame(), margin)
    show(comparison.table(compared, (a.folder.name, b.folder.name), margin), console)


def comparison_data(a: Store, b: Store, margin: float) -> dict[str, Any]:
    """Run `b` against run `a` as plain data, for a program.

    Raises:
        LabError: their engines or clocks differ; says what can be compared.
    """
    from lab import comparison

    comparison.check(a.folder, b.folder, a.meta(), b.meta())
    return comparison.data((a.folder.name, a.frame()), (b.folder.name, b.frame()), margin)


def origin(name: str, meta: Mapping[str, Any]) -> str:
    """A run's name, engine, clock, kernel and processor in one line: two kernels may be what a comparison is about."""
    engine, machine = meta.get("engine", {}), meta.get("machine", {})
    clock = f"{engine.get('name')} engine, {engine.get('clock')} clock" if engine else ""
    under = (engine.get("guest") or {}).get("accelerator", "")
    told = (name, clock, under, machine.get("kernel", ""), machine.get("cpu", ""))
    return ", ".join(text for text in told if text)


def render_terminal(df: pd.DataFrame, meta: Mapping[str, Any], console: Console, raw: Raw | None = None) -> None:
    """Print every table, each in as many pieces as the terminal's width asks for."""
    from lab import contents

    built = contents.build(df, meta, raw=raw)
    console.print(heading(df), style="bold", highlight=False)
    for table in built:
        show(table, console)


def heading(df: pd.DataFrame) -> str:
    """Run, engine, clock and blocks in one line."""
    from lab import analysis

    engine, clock = analysis.one_clock(df)
    runs = ", ".join(sorted(set(df["run"].astype(str))))
    blocks = df.loc[df["outcome"] != "unsupported", "block"].nunique()
    return f"run {runs}: {analysis.clocked(engine, clock)}, {blocks} blocks"


def show(table: Table, console: Console) -> None:
    """Print one table and its notes; notes alone where it has no columns."""
    console.print()
    where = f" [{table.where}]" if table.where else ""
    console.print(Text(table.title, style="bold") + Text(where, style="dim"), soft_wrap=True)
    for number, columns in enumerate(pieces(table, console.width) if table.columns else ()):
        if number:
            console.print(Text(f"{table.title} (continued)", style="bold"), soft_wrap=True)
        drawn = RichTable(header_style="bold", show_edge=False, pad_edge=False)
        for column in columns:
            drawn.add_column(table.columns[column], justify="left" if column < table.keys else "right")
        for row in table.rows:
            drawn.add_row(*(_text(row[column]) for column in columns))
        console.print(drawn)
    for note in table.notes:
        console.print(Text(note, style="dim"), soft_wrap=True)


def _text(cell: Cell) -> Text:
    return Text(cell.text, style=STYLES.get(cell.kind, ""))


def pieces(table: Table, width: int) -> Iterator[list[int]]:
    """The table's columns in groups that fit into `width`; each begins with the columns that name a row."""
    widths = [
        max(len(line) for text in (table.columns[column], *(row[column].text for row in table.rows))
            for line in text.split("\n"))
        for column in range(len(table.columns))
    ]  # fmt: skip
    keys = list(range(table.keys))
    group, used = list(keys), sum(widths[key] + 3 for key in keys)
    for column in range(table.keys, len(table.columns)):
        if len(group) > len(keys) and used + widths[column] > width:
            yield group
            group, used = list(keys), sum(widths[key] + 3 for key in keys)
        group.append(column)
        used += widths[column] + 3
    yield group


def write_summary(df: pd.DataFrame, out_dir: Path, raw: Raw | None = None) -> Path:
    """Write `summary.csv`; a cell of several modes has a row for each, and no average of them."""
    return files.write_table(out_dir / SUMMARY, summary(df, raw))


def summary(df: pd.DataFrame, raw: Raw | None = None) -> pd.DataFrame:
    """The summary of every metric; `raw_share` (share of raw cipher speed) of throughput where that is known."""
    from lab import analysis, tables

    found = analysis.summarise(df)
    shares = [
        raw.share(row.vpn, row.records, row.suite, row.median) if raw and row.metric == "throughput" else float("nan")
        for row in tables.each(found)
    ]
    return found.assign(raw_share=shares)


def write_html(df: pd.DataFrame, meta: Mapping[str, Any], out_dir: Path, raw: Raw | None = None) -> Path:
    """Write `report.html`, with the pictures inside, and each picture as a PNG beside it."""
    from lab import contents

    built = contents.build(df, meta, every_load=True, raw=raw)
    return write_page(out_dir, heading(df), built, contents.pictures(df, meta), meta)


def write_page(
    out_dir: Path, headline: str, built: Sequence[Table], drawn: Iterable[tuple[str, Figure]], meta: Mapping[str, Any]
) -> Path:
    """Write `report.html` of tables and pictures, and each picture as a PNG beside it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from lab import plots, tables

    pictures = []
    for name, figure in drawn:
        files.write(out_dir / f"{name}.png", plots.drawn(figure, "png"))
        pictures.append((name, base64.b64encode(plots.drawn(figure, "svg")).decode()))
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template("report.html.j2").render(
        heading=headline, tables=built, pictures=pictures, facts=tables.facts(meta)
    )
    return files.write(out_dir / "report.html", page)


def as_text(df: pd.DataFrame, meta: Mapping[str, Any], raw: Raw | None = None) -> str:
    """The summary of every metric and the outcome of every cell, as JSON; an interval that there is not is null."""
    from lab import analysis, tables

    engine, clock = analysis.one_clock(df)
    return json.dumps(
        {
            "run": sorted(set(df["run"])),
            "engine": engine,
            "clock": clock,
            "control": analysis.control_of(df, meta),
            "raw_speeds": raw.run if raw else None,
            "retaken": len(analysis.attempts(df)),
            "summary": tables.plain(summary(df, raw)),
            "outcomes": tables.plain(analysis.outcomes(df)),
        },
        indent=1,
    )
