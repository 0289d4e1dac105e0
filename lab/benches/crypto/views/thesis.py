# SPDX-License-Identifier: MIT
"""A run beside the thesis's tables of raw cipher speed. Machines differ, so the ratios of places are compared."""
# ruff: noqa: RUF001 - en dashes are what a reader of tables expects

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.benches.crypto.libraries import PLACES
from lab.benches.crypto.views import frame
from lab.report import tables

if TYPE_CHECKING:
    import pandas as pd

    from lab.benches.crypto.views.thesis_model import Ciphers, Speeds
    from lab.stats.summary import Summary

GIGABYTE = 1e9
UNSAID = (
    "whether the thesis's AES-128-CBC-SHA1 of OpenSSL is one stitched pass is not said; at 0.61 GB/s, beside GnuTLS's "
    "0.60, it is compared with ours: both taken in turn are in the table of OpenSSL"
)


def build(run: Summary, there: Ciphers) -> list[tables.Table]:
    """Tables 3.8 to 3.12, and 3.13 with the data of 3.14."""
    medians = {(row.library, row.place, row.suite, row.size, row.metric): row for row in tables.each(frame.speeds(run))}
    runs = frame.runs(run)
    return [_speeds(there, medians, runs), _trend(there, medians)]


def _speeds(there: Ciphers, here: dict[Any, Any], each: pd.DataFrame) -> tables.Table:
    lines = []
    for source in there.tables:
        for row in source.rows:
            key = (source.library, source.place, row.suite, source.size, row.metric)
            summary = here.get(key)
            texts = [f"{source.source} {source.library}, {source.place}, {source.size} B", row.label]
            texts += [f"{' '.join(f'{run:.2f}' for run in row.runs)}: {row.value:.2f}"]
            texts += [f"{_runs(each, key)}: {summary.median / GIGABYTE:.2f}" if summary else "–"]
            texts += [_ratio_there(there, source, row.label), _ratio_here(here, key)]
            lines.append([tables.Cell(text) for text in texts])
    columns = ["table", "suite", "there: runs, mean", "here: runs, median", "÷ host there", "here"]
    title = "Thesis, tables 3.8 to 3.12: raw cipher speed, GB/s, and the container's as a share of the host's"
    return tables.Table("crypto thesis", title, columns, lines, 2, [UNSAID])


def _runs(each: pd.DataFrame, key: tuple[str, str, str, int, str]) -> str:
    library, place, suite, size, metric = key
    rows = each[(each["library"] == library) & (each["place"] == place) & (each["suite"] == suite)]
    rows = rows[(rows["size"] == size) & (rows["metric"] == metric)].sort_values("block")
    return " ".join(f"{value / GIGABYTE:.2f}" for value in rows["value"])


def _ratio_there(there: Ciphers, source: Speeds, label: str) -> str:
    """In a container's row: its ratio to the host's row of the same library and label."""
    if source.place != "container":
        return ""
    values = {
        (table.place, row.label): row.value
        for table in there.tables
        if table.library == source.library
        for row in table.rows
    }
    host = values.get(("host", label))
    return f"{values['container', label] / host:.3f}" if host else "–"


def _ratio_here(here: dict[Any, Any], key: tuple[str, str, str, int, str]) -> str:
    library, place, *rest = key
    host, container = here.get((library, "host", *rest)), here.get(key)
    return f"{container.median / host.median:.3f}" if place == "container" and host and container else ""


def _trend(there: Ciphers, here: dict[Any, Any]) -> tables.Table:
    """3.13 and 3.14: each size beside the largest, in the thesis and in each place here."""
    source = there.trend
    largest = max(source.sizes)
    lines = []
    for size, value in source.sizes.items():
        texts = [str(size), f"{value:.3f}", f"{value / source.sizes[largest]:.3f}"]
        for place in PLACES:
            summary, at_largest = (
                here.get((source.library, place, source.suite, payload, "speed")) for payload in (size, largest)
            )
            texts.append(f"{summary.median / GIGABYTE:.3f}" if summary else "–")
            texts.append(f"{summary.median / at_largest.median:.3f}" if summary and at_largest else "–")
        lines.append([tables.Cell(text) for text in texts])
    columns = ["payload", "there", "÷ largest"]
    columns += [text for place in PLACES for text in (f"here, {place}", "÷ largest")]
    title = f"Thesis, tables {source.source}: {source.suite} of the {source.library} by payload, GB/s"
    return tables.Table("crypto trend", title, columns, lines, 1, ["there: in the kernel; here: through AF_ALG"])
