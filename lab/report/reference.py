# SPDX-License-Identifier: MIT
"""The thesis as a whole: on what it was measured, with what, and what is wrong in it.

Its figures are with the views of the bench that they are shown in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lab.core.documents import Document, read
from lab.report.tables import Table

FILE = Path(__file__).with_name("reference.yaml")


class Erratum(Document):
    """Something wrong or unclear in the source, and what is used instead."""

    where: str
    what: str
    used: str


class Reference(Document):
    """All of `reference.yaml`."""

    title: str
    hardware: str
    software: dict[str, str]
    errata: list[Erratum]


@cache
def load() -> Reference:
    """What is said of the thesis as a whole."""
    return read(FILE, Reference)


def errata() -> Table:
    """What is wrong in the source, and what was used instead."""
    notes = [f"{one.where}: {one.what}. Used: {one.used}." for one in load().errata]
    return Table("thesis errata", "Errata of the source", [], [], 0, notes)


@dataclass(frozen=True)
class Beside:
    """A run beside the thesis: what stands under the heading, the tables, and all of it for a program."""

    lines: Sequence[str]
    tables: Sequence[Table]
    data: Mapping[str, Any]


def lines(meta: Mapping[str, Any]) -> list[str]:
    """What both were measured on: there, and as `meta` says here."""
    there = load()
    versions = ", ".join(f"{name} {version}" for name, version in there.software.items())
    machine = meta.get("machine", {})
    here = ", ".join(str(machine[key]) for key in ("cpu", "kernel") if isinstance(machine.get(key), str))
    said = [f"beside {there.title}", f"there: {there.hardware}", f"with: {versions}"]
    return [*said, f"here: {here}"] if here else said


def plain(table: Table) -> dict[str, Any]:
    """A table as its text, for a program."""
    rows = [dict(zip(table.columns, (cell.text for cell in row), strict=True)) for row in table.rows]
    return {"name": table.name, "title": table.title, "rows": rows, "notes": table.notes}
