# SPDX-License-Identifier: MIT
"""Instructions by packet: the cost of a data path per packet and per byte, from packets of several sizes."""
# ruff: noqa: RUF001 - en dashes and multiplication signs are what a reader of tables expects

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab.report.tables import (
    RECORDS,
    Cell,
    Notes,
    Table,
    count,
    each,
    figure,
    natural,
    spread,
    spread_name,
    spread_note,
    value,
)
from lab.results.cell import parse_conditions
from lab.stats import analysis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.stats.summary import Summary

METRIC = "instructions_per_packet"
PARTS = (f"{METRIC}_user", f"{METRIC}_kernel")
Figure = tuple[int, str, str]
"""A size, a metric and an endpoint."""
PATH = ["engine", "clock", "vpn", "variant", "records", "suite"]


def sized(run: Summary) -> pd.DataFrame:
    """The summary of instructions by packet: of the whole machine, and of each endpoint's processes.

    `size`: bytes of an IP packet.
    """
    summary = run.figures[run.figures["metric"].isin([METRIC, *PARTS])]
    summary = summary[summary["end"].isin(["machine", *analysis.VPN_ENDS])]
    summary = summary.assign(size=[int(parse_conditions(text).get("size", 0)) for text in summary["conditions"]])
    return summary[summary["size"] > 0]


def of_machine(summary: pd.DataFrame) -> pd.DataFrame:
    """All instructions of the whole machine, in user space and in the kernel."""
    return summary[(summary["metric"] == METRIC) & (summary["end"] == "machine")]


def fits(summary: pd.DataFrame) -> pd.DataFrame:
    """A packet's instructions as `fixed` + `by_byte` x size, by least squares through the medians of all sizes.

    `error` is the largest distance of a median from the line, as a share of the median. All are NaN if a data path has
    fewer than two sizes, or several modes at a size: no line goes through both. One row per data path.
    """
    rows = []
    for key, group in of_machine(summary).groupby(PATH, sort=True):
        sizes, medians = group["size"].to_numpy(float), group["median"].to_numpy(float)
        line = (float("nan"),) * 3
        if (group["modes"] == 1).all() and len(set(sizes)) > 1:
            slope, fixed = np.polyfit(sizes, medians, 1)
            line = (fixed, slope, float(np.max(np.abs(fixed + slope * sizes - medians) / medians)))
        rows.append((*key, len(set(sizes)), *line))
    return pd.DataFrame(rows, columns=[*PATH, "sizes", "fixed", "by_byte", "error"])


def table(run: Summary) -> Table:
    """Instructions by packet and size: all, user space, kernel; and the parts of a line through them."""
    summary, clock = sized(run), run.clock
    sizes = sorted(set(summary["size"]))
    lines_of = {tuple(str(getattr(row, name)) for name in PATH): row for row in each(fits(summary))}
    cells: dict[tuple[str, ...], dict[Figure, list[Any]]] = {}
    for row in each(summary):
        key = tuple(str(getattr(row, name)) for name in PATH)
        cells.setdefault(key, {}).setdefault((row.size, row.metric, row.end), []).append(row)
    notes, lines = Notes(), []
    for key in sorted(cells, key=lambda key: [natural(word) for word in key]):
        _, _, vpn, variant, records, suite = key
        texts = [f"{vpn}/{variant}", suite, RECORDS.get(records, records)]
        texts += [_at(cells[key], size) for size in sizes]
        texts += _line(lines_of.get(key), notes)
        lines.append([Cell(text) for text in (*texts, _counted(cells[key]))])
    columns = ["vpn/variant", "suite", "records in", *(f"{size} B" for size in sizes)]
    columns += ["by packet", "by byte", "off the line", "n"]
    title = "Instructions by packet: median of all, user / kernel, and least squares through the sizes"
    remarks = [f"then: user / kernel; processes of server / client; {spread_name(run)} of all", *spread_note(clock)]
    remarks.append("by packet + by byte × size: the line; off the line: its largest distance from a median")
    return Table("packets", title, columns, lines, 3, [*remarks, *notes.lines()], run.where)


def _at(figures: dict[Figure, list[Any]], size: int) -> str:
    whole = figures.get((size, METRIC, "machine"))
    if not whole:
        return "–"
    parts = " / ".join(value(figures.get((size, part, "machine"))) for part in PARTS)
    ends = " / ".join(value(figures.get((size, METRIC, end))) for end in analysis.VPN_ENDS)
    return f"{value(whole)}\n{parts}\n{ends}\n{spread(whole)}"


def _line(row: Any, notes: Notes) -> list[str]:
    if row is None or np.isnan(row.fixed):
        why = "no line: one size alone, or a size at which the data path has more than one mode"
        return [f"–{notes.mark(why)}", "–", "–"]
    return [figure(row.fixed), figure(row.by_byte), f"{row.error * 100:.1f} %"]


def _counted(figures: dict[Figure, list[Any]]) -> str:
    numbers = sorted(
        {count(rows) for (_, metric, end), rows in figures.items() if (metric, end) == (METRIC, "machine")}
    )
    return "–".join(str(number) for number in dict.fromkeys([*numbers[:1], *numbers[-1:]]))


def shared_suites(summary: pd.DataFrame, most: int) -> Sequence[str]:
    """At most `most` suites; those that most data paths have come first."""
    paths = summary.drop_duplicates([*PATH]).groupby("suite").size()
    return sorted(paths.index, key=lambda suite: (-paths[suite], natural(suite)))[:most]
