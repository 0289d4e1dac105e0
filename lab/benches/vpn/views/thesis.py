# SPDX-License-Identifier: MIT
"""A run beside the thesis whose system this lab rebuilds.

The machines are ten years apart, so absolute figures are shown and ratios are compared: of a suite to the reference
suite of the same VPN, of a VPN to the reference VPN (`thesis_speed`), of kernel to user time (`thesis_time`). The
thesis's figures are in `thesis.yaml`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lab.benches.vpn.views import thesis_speed, thesis_time
from lab.benches.vpn.views.thesis_model import Thesis, load
from lab.report import reference, tables
from lab.report.tables import Table
from lab.stats import analysis

if TYPE_CHECKING:
    import pandas as pd


def build(df: pd.DataFrame, thesis: Thesis) -> list[Table]:
    """Every comparison, as tables.

    Raises:
        LabError: the frame mixes engines or clocks.
    """
    where = analysis.clocked(*analysis.one_clock(df))
    df = analysis.tidy(df)
    speeds = thesis_speed.Speeds.of(df, thesis.throughput)
    orders = thesis_speed.orders(thesis, speeds)
    ledger = thesis_time.ledger(df, thesis.throughput, orders)
    components = thesis_time.Here(df, thesis.components)
    comparisons = [thesis_speed.suites(source, speeds, thesis) for source in thesis.throughput.tables]
    comparisons += [thesis_speed.averages(thesis, speeds), thesis_speed.pairs(thesis, speeds)]
    comparisons += [thesis_speed.order_table(thesis, speeds, orders), thesis_time.why(ledger, orders, speeds.clock)]
    comparisons += [thesis_time.time(components), thesis_time.calls(components)]
    explained = [replace(table, notes=[*table.notes, *tables.spread_note(speeds.clock)]) for table in comparisons]
    return [*(replace(table, where=where) for table in explained), reference.errata()]


def data(df: pd.DataFrame) -> dict[str, Any]:
    """The comparison as plain data for a program: orders and ledger as figures, each table as text.

    Raises:
        LabError: the frame mixes engines or clocks.
    """
    thesis = load()
    engine, clock = analysis.one_clock(df)
    tidy = analysis.tidy(df)
    orders = thesis_speed.orders(thesis, thesis_speed.Speeds.of(tidy, thesis.throughput))
    return {
        "run": sorted(set(df["run"])),
        "thesis": reference.load().title,
        "engine": engine,
        "clock": clock,
        "orders": [order.plain() for order in orders],
        "ledger": thesis_time.ledger(tidy, thesis.throughput, orders),
        "tables": [reference.plain(table) for table in build(df, thesis)],
    }
