# SPDX-License-Identifier: MIT
"""From one tunnel to many: what a run measured with each number of clients on one server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.report.tables import (
    RECORDS,
    Cell,
    Table,
    each,
    natural,
    of_clock,
    order,
    series,
    sizes,
    spread_note,
    value,
)
from lab.results.cell import LOADS, TUNNELS, conditions_text, parse_conditions

if TYPE_CHECKING:
    import pandas as pd

    from lab.stats.summary import Summary

SETUP = "setup"
SHOWN = {
    ("throughput", ""): "Mbit/s",
    ("fairness", ""): "fairness",
    ("cost", "machine"): "CPU s/GB",
    ("ready", "client"): "all up, s",
    ("handshakes", "client"): "up a second",
    ("setup_cpu", "server"): "CPU s a tunnel, server",
    ("setup_cpu", "client"): "client",
    ("memory", "server"): "MB a tunnel, server",
    ("memory", "client"): "client",
    ("memory", "machine"): "machine",
}
"""The figures of a row of the table, each a metric and an end (a receiver is whichever it is), with the title."""
PATH = ["vpn", "variant", "records", "suite"]


def numbered(run: Summary) -> pd.DataFrame:
    """The summary of all that was measured with a number of tunnels, and with a single one beside it.

    `tunnels` is the number; `load` what else the conditions say of a load, empty for the setup.
    """
    conditions = [parse_conditions(text) for text in run.figures["conditions"]]
    counts = [int(words.get(TUNNELS, 1)) for words in conditions]
    others = [{key: word for key, word in words.items() if key not in (TUNNELS, LOADS)} for words in conditions]
    summary = run.figures.assign(tunnels=counts, load=[conditions_text(words) for words in others])
    said = {
        (measure, load)
        for measure, load, words in zip(summary["measure"], summary["load"], conditions, strict=True)
        if TUNNELS in words
    }
    keys = zip(summary["measure"], summary["load"], strict=True)
    rows = summary[[key in said for key in keys]]
    return rows.assign(series=series) if len(rows) else rows


def tables(run: Summary) -> list[Table]:
    """A table for each load, with the setup beside it; of the setup alone where nothing was loaded."""
    summary = numbered(run)
    loads = order(load for load in set(summary["load"]) if load)
    return [_table(run, summary, load) for load in loads or ([""] if len(summary) else [])]


def _table(run: Summary, summary: pd.DataFrame, load: str) -> Table:
    rows = summary[(summary["load"] == load) | (summary["measure"] == SETUP)]
    found: dict[tuple[Any, ...], dict[tuple[str, str], list[Any]]] = {}
    for row in each(rows):
        key = (*(str(getattr(row, name)) for name in PATH), row.tunnels)
        shown = next((name for name in ((row.metric, row.end), (row.metric, "")) if name in SHOWN), None)
        if shown:
            found.setdefault(key, {}).setdefault(shown, []).append(row)
    lines = []
    for key in sorted(found, key=lambda key: [*map(natural, map(str, key))]):
        vpn, variant, records, suite, count = key
        figures = [value(found[key].get(name)) for name in SHOWN]
        texts = (f"{vpn}/{variant}", suite, RECORDS.get(records, records), str(count), *figures, sizes(found[key]))
        lines.append([Cell(text) for text in texts])
    title = f"Tunnels{f', {load}' if load else ''}, {of_clock('s', run.clock)}: medians by number of tunnels"
    notes = [
        "Mbit/s: of all loaded tunnels together; fairness: Jain's index of their rates, 1 if all have the same",
        "memory: of processes at the ends; at the machine also the kernel's, and whatever else it did meanwhile",
        *spread_note(run.clock),
    ]
    return Table(
        "tunnels", title, ["vpn/variant", "suite", "records in", "tunnels", *SHOWN.values(), "n"], lines, 4, notes,
        run.where,
    )  # fmt: skip
