# SPDX-License-Identifier: MIT
"""Tables of raw cipher speed, in the shape of the thesis's tables 3.8 to 3.14."""
# ruff: noqa: RUF001 - en dashes and multiplication signs are what a reader of tables expects

from __future__ import annotations

from typing import Any

from lab.benches.crypto import libraries
from lab.benches.crypto.libraries import PLACES
from lab.benches.crypto.views import frame
from lab.report import tables
from lab.stats import analysis
from lab.stats.inference import MIN_SAMPLES
from lab.stats.summary import Summary

MEGABYTE = 1e6
DETECTED = ("ssse3", "aes", "pclmulqdq", "avx", "avx2", "avx512f", "vaes", "vpclmulqdq", "gfni", "sha_ni")
"""The processor flags that decide which code path a library takes."""


def build(run: Summary) -> list[tables.Table]:
    """A table for each library, and the code paths that ran."""
    known = libraries.load()
    names = [name for name in known if name in set(run.rows["vpn"])]
    return [*(_speeds(run, known[name]) for name in names), _implementations(run)]


def _speeds(run: Summary, library: libraries.Library) -> tables.Table:
    """Suites by size: host / container, with the ratio container to host below."""
    summary = frame.speeds(run)
    figures = summary[(summary["library"] == library.library) & summary["metric"].isin(["speed", "stitched"])]
    medians = {(row.suite, row.metric, row.size, row.place): row for row in tables.each(figures)}
    ratios = frame.ratios(run)
    ratio = {
        (row.suite, row.metric, row.size): row for row in tables.each(ratios[ratios["library"] == library.library])
    }
    samples = frame.named(run.outcomes[run.outcomes["vpn"] == library.library])
    sizes, notes = sorted(set(samples["size"])), tables.Notes()
    reasons = {(row.suite, row.size, row.place): f"{row.outcome}: {row.reason}"
               for row in tables.each(samples[samples["outcome"] != "ok"])}  # fmt: skip
    places = [place for place in PLACES if place in set(samples["place"])]
    lines = []
    for suite in tables.order(samples["suite"]):
        for metric in ("speed", "stitched"):
            if metric == "stitched" and not any(key[:2] == (suite, metric) for key in medians):
                continue
            cells = [tables.Cell(suite if metric == "speed" else f"{suite}, {metric}")]
            for size in sizes:
                rows = [medians.get((suite, metric, size, place)) for place in places]
                texts = [
                    _speed(row) if row else f"–{notes.mark(reasons.get((suite, size, place), ''))}"
                    for row, place in zip(rows, places, strict=True)
                ]
                quotient = ratio.get((suite, metric, size))
                texts = list(dict.fromkeys(texts)) if not any(rows) else texts
                below = f"\n× {quotient.median:.3f}" if quotient else ""
                cells.append(tables.Cell(" / ".join(texts) + below, "" if any(rows) else "unsupported"))
            lines.append(cells)
    counts = sorted(set(figures["n"]))
    title = f"{library.title}: MB/s of payload by bytes of payload, {' / '.join(places)}"
    remarks = [library.what.strip()]
    if counts:
        remarks.append(f"medians of {'–'.join(map(str, counts))} runs, by CPU time" + (
            "; below, container ÷ host within a run" if len(places) == 2 else ""))  # fmt: skip
        remarks += [] if min(counts) >= MIN_SAMPLES else [f"fewer than {MIN_SAMPLES} runs say nothing about spread"]
    columns = ["suite", *(f"{size} B" for size in sizes)]
    return tables.Table(f"crypto {library.library}", title, columns, lines, 1, remarks + notes.lines())


def _speed(row: Any) -> str:
    return tables.figure(row.median / MEGABYTE)


def _implementations(run: Summary) -> tables.Table:
    """What each library reports about itself in each place, and the processor flags that decide it."""
    statements: dict[str, list[str]] = {}
    for name, places in run.meta.get("implementations", {}).items():
        for place, facts in places.items():
            statements.setdefault(f"{name}: {'; '.join(facts)}", []).append(place)
    notes = [f"{text} ({', '.join(places)})" for text, places in statements.items()]
    machine = run.meta.get("machine", {})
    flags = set(str(machine.get("flags", "")).split())
    detected = ", ".join(flag for flag in DETECTED if flag in flags) or "none that matter here"
    notes.append(f"processor: {machine.get('cpu', 'unknown')}; of its flags: {detected}")
    busy = run.measured.loc[run.measured["metric"] == "busy", "value"]
    if len(busy):
        notes.append(
            f"the benches that tell had a processor for {tables.percent(busy.median())} of their time (median)"
        )
    notes += analysis.retaken(run.df)
    return tables.Table("crypto implementations", "Which implementation ran", [], [], 0, notes)
