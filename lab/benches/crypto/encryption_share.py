# SPDX-License-Identifier: MIT
"""How much of a VPN's cost is encryption: its throughput beside the raw speed of the cipher on the same machine.

The raw speeds are from the newest run of `lab crypto` in the same results folder, on the same engine, clock, kernel
and processor. If there is no such run, or it lacks the suite or the library, there is no share.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from lab.benches.crypto.settings import KIND
from lab.benches.crypto.views import frame
from lab.catalog.catalog import Catalog
from lab.core.errors import LabError
from lab.results.store import runs
from lab.stats.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


SAME_MACHINE = ("kernel", "cpu", "flags")
"""The keys of `machine` in meta.json that decide how fast a cipher is; `flags` lists the instruction sets."""


def _platform(meta: Mapping[str, Any]) -> list[Any]:
    engine, machine = meta.get("engine", {}), meta.get("machine", {})
    emulated = (engine.get("guest") or {}).get("accelerator")
    return [engine.get("name"), engine.get("clock"), emulated, *(machine.get(key) for key in SAME_MACHINE)]


class Raw:
    """The raw speeds of one run."""

    def __init__(self, summary: Summary, catalog: Catalog) -> None:
        self.run, self.summary, self.catalog = summary.runs[0], summary, catalog
        self.speeds = frame.raw_speeds(summary)

    def share(self, vpn: str, records: str, suite: str, throughput: float) -> float:
        """The part of one processor that encryption alone takes at `throughput` (Mbit/s); NaN if unknown."""
        if vpn not in self.catalog.vpns:
            return float("nan")
        library = frame.library_of(records, self.catalog.vpns[vpn].file.dialect)
        return frame.share(throughput, self.speeds.get((library or "", suite), float("nan")))

    @cached_property
    def payload(self) -> int:
        """The payload, in bytes, at which the ciphers were timed."""
        sizes = [int(text.removeprefix("size=")) for text in set(self.summary.rows["conditions"])]
        return max((size for size in sizes if size <= frame.PAYLOAD), default=0)

    def note(self) -> str:
        """What the share means, and where the raw speeds come from."""
        return (
            f"share of raw cipher speed: throughput ÷ speed of the cipher alone at {self.payload} B, in the library "
            f"that the data path uses (run {self.run}): what part of one processor encryption alone takes, at each end"
        )


def beside(folder: Path, meta: Mapping[str, Any], catalog: Catalog | None = None) -> Raw | None:
    """The newest run of `lab crypto` beside `folder` on the same platform as `meta`; None if there is none."""
    for store in runs(folder.parent, KIND):
        try:
            if _platform(store.meta()) != _platform(meta):
                continue
            df = store.frame()
        except LabError:
            continue  # damaged, or of another version: the column is optional
        name, clock, *_ = _platform(meta)
        df = df[(df["engine"] == name) & (df["clock"] == clock)]
        if (df["outcome"] == "ok").any():
            return Raw(Summary(df, store.meta()), catalog or Catalog())
    return None
