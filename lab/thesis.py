"""A run beside the thesis whose system this lab rebuilds.

Ten years lie between the machines, so absolute figures are shown and ratios are compared: of a suite to the reference
suite of the same VPN, of a VPN to the reference VPN (`thesis_speed`), of kernel to user time (`thesis_time`). All
figures are in `thesis.yaml`.
"""

from __future__ import annotations

from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from lab.crypto.figures import Ciphers
from lab.documents import Document, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from rich.console import Console

    from lab.tables import Table

FILE = Path(__file__).with_name("thesis.yaml")
Pair = tuple[float, float]


class Row(Document):
    """Runs of one suite, Mbit/s. A row without a suite is compared with nothing."""

    label: str
    suite: str | None
    runs: list[float]
    average: float

    @property
    def value(self) -> float:
        """The mean of the runs, or the printed average where no runs are given."""
        return mean(self.runs) if self.runs else self.average

    @property
    def span(self) -> Pair:
        """The least and the greatest run."""
        return (min(self.runs), max(self.runs)) if self.runs else (self.average, self.average)


class Throughput(Document):
    """One table: a VPN's suites."""

    source: str
    vpn: str
    variants: list[str]
    rows: list[Row]


class Throughputs(Document):
    """Tables of throughput, and what in a run they are compared with."""

    measure: str
    conditions: list[str]
    tables: list[Throughput]


class Average(Document):
    """A row of the table of averages: one suite, several VPNs."""

    label: str
    suite: str
    values: dict[str, float]


class Averages(Document):
    """The table of averages."""

    source: str
    rows: list[Average]


class Component(Document):
    """Runs of one VPN at one end, as pairs: kernel and user seconds, or reads and writes."""

    source: str
    end: str
    vpn: str
    runs: list[Pair]
    average: Pair
    percent: Pair | None = None

    @property
    def value(self) -> Pair:
        """The means of the runs."""
        return mean(one for one, _ in self.runs), mean(two for _, two in self.runs)


class Components(Document):
    """Tables of CPU time and system calls."""

    suite: str
    measure: str
    reference: str
    variants: dict[str, list[str]]
    time: list[Component]
    calls: list[Component]


class Erratum(Document):
    """Something wrong or unclear in the source, and what is used instead."""

    where: str
    what: str
    used: str


class Thesis(Document):
    """All of `thesis.yaml`."""

    title: str
    hardware: str
    software: dict[str, str]
    reference: str
    throughput: Throughputs
    averages: Averages
    components: Components
    ciphers: Ciphers
    errata: list[Erratum]


def load() -> Thesis:
    """The figures of the thesis."""
    return read(FILE, Thesis)


def render(df: pd.DataFrame, meta: Mapping[str, Any], console: Console) -> None:
    """Print the run beside the thesis: throughput, order, CPU time, system calls, and the errata."""
    from lab import report

    thesis = load()
    console.print(report.heading(df), style="bold", highlight=False)
    console.print(f"beside {thesis.title}", highlight=False, soft_wrap=True)
    console.print(f"there: {thesis.hardware}", highlight=False, soft_wrap=True)
    versions = ", ".join(f"{name} {version}" for name, version in thesis.software.items())
    console.print(f"with: {versions}", highlight=False, soft_wrap=True)
    machine = meta.get("machine", {})
    here = ", ".join(str(machine[key]) for key in ("cpu", "kernel") if isinstance(machine.get(key), str))
    if here:
        console.print(f"here: {here}", highlight=False, soft_wrap=True)
    for table in build(df, thesis) if meta.get("kind") != "crypto" else _ciphers(df, thesis):
        report.show(table, console)


def build(df: pd.DataFrame, thesis: Thesis) -> list[Table]:
    """Every comparison, as tables.

    Raises:
        LabError: the frame mixes engines or clocks.
    """
    from dataclasses import replace

    from lab import analysis, tables, thesis_speed, thesis_time

    where = analysis.clocked(*analysis.one_clock(df))
    df = analysis.tidy(df)
    speeds = thesis_speed.Speeds.of(df, thesis.throughput)
    orders = thesis_speed.orders(thesis, speeds)
    told = thesis_time.ledger(df, thesis.throughput, orders)
    here = thesis_time.Here(df, thesis.components)
    found = [thesis_speed.suites(source, speeds, thesis) for source in thesis.throughput.tables]
    found += [thesis_speed.averages(thesis, speeds), thesis_speed.pairs(thesis, speeds)]
    found += [thesis_speed.order_table(thesis, speeds, orders), thesis_time.why(told, orders, speeds.clock)]
    found += [thesis_time.time(here), thesis_time.calls(here)]
    explained = [replace(table, notes=[*table.notes, *tables.spread_note(speeds.clock)]) for table in found]
    return [*(replace(table, where=where) for table in explained), _errata(thesis)]


def data(df: pd.DataFrame, meta: Mapping[str, Any]) -> dict[str, Any]:
    """The run beside the thesis as plain data, for a program: orders and ledger as figures, each table as its text.

    Raises:
        LabError: the frame mixes engines or clocks.
    """
    from lab import analysis, thesis_speed, thesis_time

    thesis = load()
    said: dict[str, Any] = {"run": sorted(set(df["run"])), "thesis": thesis.title}
    if meta.get("kind") == "crypto":
        return said | {"tables": [_plain(table) for table in _ciphers(df, thesis)]}
    engine, clock = analysis.one_clock(df)
    df = analysis.tidy(df)
    orders = thesis_speed.orders(thesis, thesis_speed.Speeds.of(df, thesis.throughput))
    return said | {
        "engine": engine,
        "clock": clock,
        "orders": [one.plain() for one in orders],
        "ledger": thesis_time.ledger(df, thesis.throughput, orders),
        "tables": [_plain(table) for table in build(df, thesis)],
    }


def _plain(table: Table) -> dict[str, Any]:
    rows = [dict(zip(table.columns, (cell.text for cell in row), strict=True)) for row in table.rows]
    return {"name": table.name, "title": table.title, "rows": rows, "notes": table.notes}


# Raw cipher speed: 3.8 to 3.14


def _ciphers(df: pd.DataFrame, thesis: Thesis) -> list[Table]:
    from lab.crypto import beside

    return [*beside.build(df, thesis.ciphers), _errata(thesis)]


def _errata(thesis: Thesis) -> Table:
    from lab import tables

    notes = [f"{one.where}: {one.what}. Used: {one.used}." for one in thesis.errata]
    return tables.Table("thesis errata", "Errata of the source", [], [], 0, notes)
