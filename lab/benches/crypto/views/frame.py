# SPDX-License-Identifier: MIT
"""From the samples of a run to raw speeds: pure functions on data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from lab.benches.crypto import libraries
from lab.benches.crypto.libraries import PLACES
from lab.results.cell import parse_conditions

if TYPE_CHECKING:
    from lab.stats.summary import Summary

CELL = ["engine", "clock", "library", "place", "suite", "size", "metric"]
SPEEDS = ("speed", "stitched", "cipher", "mac")
"""The metrics, in bytes per second; `speed` covers everything that protects a record."""
PAYLOAD = 1400
"""Bytes of payload of a packet in a tunnel: about what an MTU of 1500 leaves."""
MEGABIT = 1e6 / 8


def named(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame with this bench's columns: library, place, and size (bytes of payload)."""
    sizes = [int(parse_conditions(text)["size"]) for text in frame["conditions"]]
    return frame.rename(columns=libraries.COLUMNS).assign(size=sizes)


def speeds(run: Summary) -> pd.DataFrame:
    """For each cell and metric of SPEEDS: n runs, the median, its interval, the minimum and the maximum (B/s)."""
    summary = named(run.figures[run.figures["metric"].isin(SPEEDS)])
    return summary[[*CELL, "n", "median", "low", "high", "min", "max"]]


def runs(run: Summary) -> pd.DataFrame:
    """The value of each run (`block`) of each cell, B/s."""
    readings = run.measured[run.measured["metric"].isin(SPEEDS)]
    return named(readings)[["run", "block", *CELL, "value"]]


def ratios(run: Summary) -> pd.DataFrame:
    """Container to host within each run, by library, suite, size and metric: n and the median.

    Both must be on one clock: otherwise the ratio would show the clocks, not the container.
    """
    keys = ["library", "suite", "size", "metric"]
    rows = runs(run)
    host, container = (rows[rows["place"] == place] for place in PLACES)
    pairs = container.merge(host, on=["run", "block", "engine", "clock", *keys], suffixes=("", "_host"))
    pairs = pairs.assign(ratio=pairs["value"] / pairs["value_host"])
    return pairs.groupby(keys, sort=True)["ratio"].agg(n="size", median="median").reset_index()


def library_of(records: str, dialect: str) -> str | None:
    """The library under a data path, by where its records are processed and its VPN's dialect.

    None if there is no single library: records in the kernel at one endpoint only, ciphers that are the VPN's own, or a
    VPN that does not encrypt.
    """
    known = libraries.load().values()
    if not any(dialect in row.serves for row in known):
        return None
    return next((row.library for row in known if row.covers(records, dialect)), None)


def raw_speeds(run: Summary, *, payload: int = PAYLOAD, place: str = "container") -> dict[tuple[str, str], float]:
    """By library and suite, the median raw speed, Mbit/s, at the largest payload timed up to `payload`.

    `run` is one of `lab crypto`.
    """
    rows = speeds(run)
    rows = rows[(rows["metric"] == "speed") & (rows["place"] == place) & (rows["size"] <= payload)].sort_values("size")
    found = zip(rows["library"], rows["suite"], rows["median"], strict=True)
    return {(library, suite): float(median) / MEGABIT for library, suite, median in found}


def share(throughput: float, raw: float) -> float:
    """The part of one processor that encryption alone takes at `throughput`, at each endpoint. Both are in Mbit/s.

    It is under 1, unless a VPN encrypts on several processors. The rest up to 1 is not encryption.
    """
    return throughput / raw if raw > 0 else float("nan")
