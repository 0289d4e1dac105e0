# SPDX-License-Identifier: MIT
"""Rows of named values: a table for a person, or JSON for a program. No value is cut off, whatever the width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lab.core.terminal import answer, console

GAP = 2
"""Characters between two columns."""
PROSE = 18
"""A column of sentences is never narrower than this."""
INDENT = 2


def show(
    rows: Sequence[Mapping[str, Any]],
    as_json: bool,
    title: str = "",
    *,
    optional: Sequence[str] = (),
    empty: str = "",
) -> None:
    """Print rows as a table, or as JSON.

    If the terminal is too narrow, the `optional` columns are left out, and a note names them. If that is not enough,
    each row becomes a paragraph. `empty` is what to print if there are no rows.
    """
    if as_json:
        answer(rows)
        return
    if not rows:
        console.print(empty or "nothing to list", highlight=False)
        return
    if title:
        console.print(Text(title, style="italic"))
    columns = list(rows[0])
    if room(rows, columns) > console.width:
        columns = [name for name in columns if name not in optional]
    if room(rows, columns) > console.width:
        _paragraphs(rows)
        return
    _table(rows, columns)
    if omitted := [name for name in rows[0] if name not in columns]:
        note = f"not shown at {console.width} columns: {', '.join(omitted)}; `--json` and a wider terminal show them"
        console.print(Text(note, style="dim"))


def room(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> int:
    """The least width of a table in which no word is broken."""
    return sum(_least(_texts(rows, name)) for name in columns) + GAP * (len(columns) - 1)


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name, width in zip(columns, _widths(rows, columns), strict=True):
        table.add_column(name, width=width)
    for row in rows:
        table.add_row(*(Text(str(row[name])) for name in columns))
    console.print(table)


def _widths(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[int]:
    """The width of each column. The columns that need most get what the others leave."""
    texts = [_texts(rows, name) for name in columns]
    widths, longest = [_least(column) for column in texts], [max(map(len, column)) for column in texts]
    for _ in range(console.width - sum(widths) - GAP * (len(columns) - 1)):
        needs = [most / width for most, width in zip(longest, widths, strict=True)]
        if max(needs) <= 1:
            break
        widths[needs.index(max(needs))] += 1
    return widths


def _least(texts: Sequence[str]) -> int:
    """The least width of a column: its longest word, and for sentences PROSE."""
    words = [word for text in texts for word in text.split()]
    return max(max(map(len, words), default=0), min(PROSE, max(map(len, texts))))


def _texts(rows: Sequence[Mapping[str, Any]], column: str) -> list[str]:
    return [column, *(str(row[column]) for row in rows)]


def _paragraphs(rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        (_, heading), *others = row.items()
        console.print(Text(str(heading), style="bold"))
        lines = [""]
        for text in (f"{name} {value}" for name, value in others if str(value)):
            if lines[-1] and len(lines[-1]) + len("; ") + len(text) > console.width - INDENT:
                lines.append("")
            lines[-1] += f"; {text}" if lines[-1] else text
        for line in lines:
            console.print(Padding(Text(line), (0, 0, 0, INDENT), expand=False))
