# SPDX-License-Identifier: MIT
"""The answer of a run on one screen: how fast each path carries records, by what is done with them and by protocol."""

from __future__ import annotations

from lab.benches.ktls import cells, output
from lab.benches.ktls.views import frame
from lab.benches.ktls.views.frame import WALL, Figures, Spot
from lab.report.screen import Bar, bars, listed, wrapped
from lab.report.tables import each, figure, of_clock, spread, spread_name, value
from lab.stats import analysis
from lab.stats.summary import Summary

RAW = "raw"
"""The path without records: what the others are held against."""


def lines(run: Summary, figures: Figures, width: int) -> list[str]:
    """The screen of a run, in lines of `width` columns."""
    title = (
        f"Payload received, {of_clock('MB/s', run.clock)}: the best way of each path at the largest payload, median "
        f"({spread_name(run)})"
    )
    sections = [line for part in _parts(figures) for line in _section(figures, part, width)]
    shown = [run.heading, "", *(wrapped(title, width) if sections else []), *sections]
    return [*shown, *_verified(figures), *_failures(run, width)]


def _parts(figures: Figures) -> list[list[Spot]]:
    """The measured spots of each scenario and protocol with records, of one suite and the largest payload."""
    parts: dict[tuple[str, str], list[Spot]] = {}
    for spot in figures.spots:
        if spot.payload and spot.path != RAW and figures.get(spot, WALL):
            parts.setdefault((spot.scenario, spot.protocol), []).append(spot)
    largest = [(spots, max(spot.payload for spot in spots)) for spots in parts.values()]
    return [
        [spot for spot in spots if (spot.payload, spot.suite) == (payload, spots[0].suite)]
        for spots, payload in largest
    ]


def _section(figures: Figures, spots: list[Spot], width: int) -> list[str]:
    """The best way of each path as a bar."""
    known, first = cells.load(), spots[0]
    rows: dict[str, Bar] = {}
    for spot in sorted(spots, key=lambda spot: -figures.get(spot, WALL)[0].median):
        found = figures.get(spot, WALL)
        name = f"{frame.title_of(spot.path)}, {spot.way}"
        after = f"({value(found) if len(found) > 1 else spread(found)})"
        rows.setdefault(spot.path, Bar(f"  {name}", found[0].median, figure(found[0].median), after))
    head = (
        f"{known.scenario[first.scenario].title}: {known.protocol[first.protocol].title}, {first.suite}, "
        f"{first.payload} B"
    )
    return [*wrapped(head, width), *bars(list(rows.values()), width)]


def _verified(figures: Figures) -> list[str]:
    spots = [spot for spot in figures.spots if spot.scenario == "verify" and spot in figures.found]
    checks, failures = (
        sum(figures.median(spot, (name, "machine")) for spot in spots) for name in (output.CHECKS, output.FAILURES)
    )
    return [f"verification: {checks:.0f} checks, {failures:.0f} failures"] if spots else []


def _failures(run: Summary, width: int) -> list[str]:
    """Samples without a figure, with their reasons."""
    missing = run.outcomes[run.outcomes["outcome"] != "ok"].rename(columns=cells.COLUMNS)
    texts = [
        f"{row.n} {row.outcome}: {row.protocol}, {row.path}: {row.reason}"
        for row in each(missing.groupby(["protocol", "path", "outcome", "reason"])["n"].sum().reset_index())
    ]
    return [*listed(texts, width), *(line for text in analysis.retaken(run.df) for line in wrapped(text, width))]
