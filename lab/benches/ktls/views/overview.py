# SPDX-License-Identifier: MIT
"""The samples of a run: outcomes, implementations, and the verification of section 5.7."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lab.benches.ktls import output
from lab.benches.ktls.cells import COLUMNS
from lab.benches.ktls.views import frame
from lab.benches.ktls.views.frame import Figures
from lab.report import tables
from lab.results.store import OUTCOMES
from lab.stats import analysis
from lab.stats.summary import Summary


def drivers(samples: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The implementations that made the records, by the library's or kernel's name: for which paths, directions."""
    places_of: dict[str, dict[str, None]] = {}
    for sample in samples:
        for way in ("tx", "rx"):
            driver = (sample.get("drivers") or {}).get(way)
            if driver and driver != "none" and sample["outcome"] == "ok":
                places_of.setdefault(driver, {})[f"{sample['variant']} {way}"] = None
    return {driver: list(places) for driver, places in places_of.items()}


def samples(run: Summary) -> tables.Table:
    """The outcomes of each scenario and protocol with reasons, and the implementations that made the records."""
    outcomes = run.outcomes.rename(columns=COLUMNS)
    rows = []
    for key, group in outcomes.groupby(["scenario", "protocol"], sort=True):
        counts = group.groupby("outcome")["n"].sum()
        numbers = [int(counts.get(outcome, 0)) for outcome in OUTCOMES]
        kinds = ["", *OUTCOMES[1:]]
        cells = [tables.Cell(str(n), kind if n else "") for n, kind in zip(numbers, kinds, strict=True)]
        rows.append([tables.Cell(" ".join(map(str, key))), *cells])
    failures = (
        outcomes[outcomes["outcome"] != "ok"]
        .groupby(["protocol", "path", "outcome", "reason"])["n"]
        .sum()
        .reset_index()
    )
    notes = [f"{row.n} {row.outcome}: {row.protocol}, {row.path}: {row.reason}" for row in tables.each(failures)]
    notes += analysis.retaken(run.df)
    notes += [f"{driver}: {', '.join(paths)}" for driver, paths in drivers(run.samples).items()]
    notes += [f"{name}: {text}" for name, text in (run.meta.get("modules") or {}).items()]
    return tables.Table("ktls samples", "Samples by outcome", ["", *OUTCOMES], rows, 1, notes, run.where)


def verification(it: Figures) -> tables.Table:
    """Section 5.7: the checks of each protocol, and how many failed."""
    rows = []
    for spot in it.spots:
        if spot.scenario == "verify" and spot in it.found:
            numbers = [f"{it.median(spot, (name, 'machine')):.0f}" for name in (output.CHECKS, output.FAILURES)]
            texts = [spot.protocol, spot.suite, frame.title_of(spot.path), spot.way, *numbers]
            rows.append([tables.Cell(text) for text in texts])
    heads = ["protocol", "suite", "path", "what", "checks", "failures"]
    return tables.Table("ktls verify", "Verification (section 5.7): checks and failures", heads, rows, 4, [], it.where)
