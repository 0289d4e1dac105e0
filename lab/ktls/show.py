"""A run shown: tables in the terminal, results.csv, pictures, and one page. All derived; made again, the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lab import analysis, files, report, tables, terminal
from lab.ktls import answers, beside, draw, factors, figures, frame, shares
from lab.ktls.frame import Figures

if TYPE_CHECKING:
    from rich.console import Console

    from lab.store import Store


def write(store: Store, console: Console, *, as_json: bool = False) -> None:
    """Derive everything in the run's folder anew, and show it (as JSON where a program reads)."""
    df, meta, there = store.frame(), store.meta(), figures.load()
    store.write_csv()
    if df.empty:
        report.nothing(store, console, as_json=as_json, summary=[], outcomes=[], tables=[])
        return
    it = Figures.of(df)
    built = build(it, store, meta, there)
    files.write_table(store.folder / report.SUMMARY, analysis.summarise(df))
    page = report.write_page(store.folder, report.heading(df), built, draw.pictures(it, there), meta)
    if as_json:
        terminal.plain(as_text(it, built), console)
        return
    console.print(report.heading(df), style="bold", highlight=False)
    for table in built:
        report.show(table, console)
    console.print(f"{page} has every table and picture", highlight=False, soft_wrap=True)


def thesis(store: Store, console: Console, *, as_json: bool = False) -> None:
    """Show a run beside the thesis's chapter 5, and nothing else; nothing is written."""
    df, there = store.frame(), figures.load()
    if df.empty:
        report.nothing(store, console, as_json=as_json, summary=[], outcomes=[], tables=[])
        return
    it = Figures.of(df)
    *found, errata = beside.build(it, there)
    built = [*found, *(table for table in shares.build(store.last(), there, it.where) if "5.9" in table.name), errata]
    if as_json:
        terminal.plain(as_text(it, built), console)
        return
    console.print(report.heading(df), style="bold", highlight=False)
    console.print(f"beside {there.title}", highlight=False, soft_wrap=True)
    for table in built:
        report.show(table, console)


def build(it: Figures, store: Store, meta: Mapping[str, Any], there: figures.Chapter) -> list[tables.Table]:
    """Every table that there is anything for."""
    found = [overview(it, meta, drivers(store)), verification(it), *beside.build(it, there)[:-1], *factors.build(it)]
    found += shares.build(store.last(), there, it.where)
    return [*(table for table in found if table.rows), beside.errata(there)]


def drivers(store: Store) -> dict[str, list[str]]:
    """Which implementations made the records, by what library or kernel call them: of which paths, at which end."""
    said: dict[str, dict[str, None]] = {}
    for sample in store.last():
        for way in ("tx", "rx"):
            driver = (sample.get("drivers") or {}).get(way)
            if driver and driver != "none" and sample["outcome"] == "ok":
                said.setdefault(driver, {})[f"{sample['variant']} {way}"] = None
    return {driver: list(where) for driver, where in said.items()}


def overview(it: Figures, meta: Mapping[str, Any], ran: Mapping[str, list[str]]) -> tables.Table:
    """How many samples of each scenario and protocol ended how, why, and which implementations made the records."""
    ended = analysis.outcomes(it.df).rename(columns=frame.NAMES)
    rows = []
    for key, group in ended.groupby(["scenario", "protocol"], sort=True):
        counts = group.groupby("outcome")["n"].sum()
        numbers = [int(counts.get(outcome, 0)) for outcome in OUTCOMES]
        kinds = ["", *OUTCOMES[1:]]
        cells = [tables.Cell(str(n), kind if n else "") for n, kind in zip(numbers, kinds, strict=True)]
        rows.append([tables.Cell(" ".join(map(str, key))), *cells])
    bad = ended[ended["outcome"] != "ok"].groupby(["protocol", "path", "outcome", "reason"])["n"].sum().reset_index()
    notes = [f"{row.n} {row.outcome}: {row.protocol}, {row.path}: {row.reason}" for row in tables.each(bad)]
    notes += analysis.retaken(it.df)
    notes += [f"{driver}: {', '.join(where)}" for driver, where in ran.items()]
    notes += [f"{name}: {text}" for name, text in (meta.get("modules") or {}).items()]
    return tables.Table("ktls samples", "Samples by outcome", ["", *OUTCOMES], rows, 1, notes, it.where)


OUTCOMES = ("ok", "unsupported", "failed", "invalid")


def verification(it: Figures) -> tables.Table:
    """Section 5.7: what was checked of each protocol, and what of it was wrong."""
    rows = []
    for spot in it.spots:
        if spot.scenario == "verify" and spot in it.found:
            numbers = [f"{it.median(spot, (name, 'machine')):.0f}" for name in (answers.CHECKS, answers.FAILURES)]
            texts = [spot.protocol, spot.suite, frame.title_of(spot.path), spot.way, *numbers]
            rows.append([tables.Cell(text) for text in texts])
    heads = ["protocol", "suite", "path", "what", "checks", "failures"]
    return tables.Table("ktls verify", "Verification (section 5.7): checks and failures", heads, rows, 4, [], it.where)


def as_text(it: Figures, built: list[tables.Table]) -> str:
    """The summary of every metric, the outcome of every cell, and every table as its text, as JSON."""
    shown = [
        {
            "name": table.name,
            "title": table.title,
            "columns": table.columns,
            "rows": [[cell.text for cell in row] for row in table.rows],
            "notes": table.notes,
        }
        for table in built
    ]
    return json.dumps(
        {
            "run": sorted(set(it.df["run"])),
            "clock": it.clock,
            "summary": tables.plain(analysis.summarise(it.df)),
            "outcomes": tables.plain(analysis.outcomes(it.df)),
            "tables": shown,
        },
        indent=1,
    )
