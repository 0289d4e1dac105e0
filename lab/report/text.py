# SPDX-License-Identifier: MIT
"""Tables as text, for a terminal of any width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table as RichTable
from rich.text import Text

from lab.report.tables import Cell, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console


STYLES = {"unsupported": "dim", "failed": "bold red", "invalid": "bold magenta"}


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
