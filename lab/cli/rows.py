# SPDX-License-Identifier: MIT
"""Rows of names and values, for a person or for a program."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from lab.core.terminal import answer, console


def show(rows: list[dict[str, Any]], as_json: bool, title: str = "") -> None:
    """Print rows as a table, or as JSON."""
    if as_json:
        answer(rows)
        return
    table = Table(title=title or None, title_justify="left")
    for column in rows[0] if rows else []:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console.print(table)
