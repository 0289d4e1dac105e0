# SPDX-License-Identifier: MIT
"""From the samples of a run to raw speeds: pure functions on data frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from lab.benches.crypto import libraries
from lab.benches.crypto.libraries import PLACES
from lab.results.cell import parse_conditions
from lab.stats import analysis

if TYPE_CHECKING:
    pass

NAMES = {"vpn": "library", "variant": "place"}
CELL = ["engine", "clock", "library", "place", "suite", "size", "metric"]
SPEEDS = ("speed", "stitched", "cipher", "mac")
"""What is timed, in bytes a second; `speed` is of all that protects a record."""
PAYLOAD = 1400
"""Bytes of payload of a packet in a tunnel: what a MTU of 1500 leaves, in round figures."""
MEGABIT = 1e6 / 8


def tidy(df: pd.DataFrame) -> pd.DataFrame:
    """The frame of a run (`Store.frame`) under this bench's words: library, place, and size (bytes of payload)."""
    frame = analysis.tidy(df)
    sizes = [int(parse_conditions(text)["size"]) for text in frame["conditions"]]
    frame = frame.rename(columns=NAMES).assign(size=sizes)
    return frame.drop(columns=["conditions", "measure", "end", "bottleneck"])


def speeds(df: pd.DataFrame) -> pd.DataFrame:
    """For each cell and metric of SPEEDS: n runs, their median, its interval, the least and the greatest (B/s)."""
    summary = analysis.summarise(df, SPEEDS).rename(columns=NAMES)
    summary["size"] = [int(parse_conditions(text)["size"]) for text in summary["conditions"]]
    return summary[[*CELL, "n", "median", "low", "high", "min", "max"]]


def runs(df: pd.DataFrame) -> pd.DataFrame:
    """The figure of each run (`block`) of each cell, B/s."""
    frame = tidy(df)
    keep = (frame["outcome"] == "ok") & frame["metric"].isin(SPEEDS)
    return frame.loc[keep, ["run", "block", *CELL, "value"]]


def ratios(df: pd.DataFrame) -> pd.DataFrame:
    """Container to host, taken within each run, by library, suite, size and metric: n and the median.

    Only where both are on one clock: else it would not be the container that is seen.
    """
    keys = ["library", "suite", "size", "metric"]
    rows = runs(df)
    host, container = (rows[rows["place"] == place] for place in PLACES)
    both = container.merge(host, on=["run", "block", "engine", "clock", *keys], suffixes=("", "_host"))
    both = both.assign(ratio=both["value"] / both["value_host"])
    return both.groupby(keys, sort=True)["ratio"].agg(n="size", median="median").reset_index()


def library_of(records: str, dialect: str) -> str | None:
    """The library under a data path, by where its records are processed and its VPN's dialect.

    None where no one library is: records in the kernel at one end only, or a VPN that encrypts nothing.
    """
    known = libraries.load().values()
    if not any(dialect in row.serves for row in known):
        return None
    return next((row.library for row in known if row.covers(records, dialect)), None)


def raw_speed(
    df: pd.DataFrame, library: str, suite: str, *, payload: int = PAYLOAD, place: str = "container"
) -> tuple[float, int]:
    """The median raw speed, Mbit/s, at the largest payload timed that is no larger than `payload`; and that payload.

    (NaN, 0) where the run has none. `df` is the frame of a run of `lab crypto`.
    """
    rows = speeds(df)
    rows = rows[(rows["library"] == library) & (rows["suite"] == suite) & (rows["place"] == place)]
    rows = rows[(rows["metric"] == "speed") & (rows["size"] <= payload)]
    if rows.empty:
        return float("nan"), 0
    size, median = rows.sort_values("size")[["size", "median"]].to_numpy()[-1]
    return float(median) / MEGABIT, int(size)


def share(throughput: float, raw: float) -> float:
    """What part of one processor encryption alone takes at `throughput`, both in Mbit/s: at each end once.

    Under 1 but for a VPN that encrypts on several processors; how far under says how much is not encryption.
    """
    return throughput / raw if raw > 0 else float("nan")
