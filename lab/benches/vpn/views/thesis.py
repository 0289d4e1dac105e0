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

if TYPE_CHECKING:
    from lab.stats.summary import Summary


def build(run: Summary, thesis: Thesis) -> list[Table]:
    """Every comparison, as tables.

    Raises:
        LabError: the run mixes engines or clocks.
    """
    speeds = thesis_speed.Speeds.of(run, thesis.throughput)
    orders = thesis_speed.orders(thesis, speeds)
    ledger = thesis_time.ledger(run, thesis.throughput, orders)
    components = thesis_time.Here(run, thesis.components)
    comparisons = [thesis_speed.suites(source, speeds, thesis) for source in thesis.throughput.tables]
    comparisons += [thesis_speed.averages(thesis, speeds), thesis_speed.pairs(thesis, speeds)]
    comparisons += [thesis_speed.order_table(thesis, speeds, orders), thesis_time.why(ledger, orders, speeds.clock)]
    comparisons += [thesis_time.time(components), thesis_time.calls(components)]
    explained = [replace(table, notes=[*table.notes, *tables.spread_note(speeds.clock)]) for table in comparisons]
    return [*(replace(table, where=run.where) for table in explained), reference.errata()]


def data(run: Summary) -> dict[str, Any]:
    """The comparison as plain data for a program: orders and ledger as figures, each table as text.

    Raises:
        LabError: the run mixes engines or clocks.
    """
    thesis = load()
    orders = thesis_speed.orders(thesis, thesis_speed.Speeds.of(run, thesis.throughput))
    return {
        "run": run.runs,
        "thesis": reference.load().title,
        "engine": run.engine,
        "clock": run.clock,
        "orders": [order.plain() for order in orders],
        "ledger": thesis_time.ledger(run, thesis.throughput, orders),
        "tables": [reference.plain(table) for table in build(run, thesis)],
    }
