# SPDX-License-Identifier: MIT
"""Tables of profiles: which share of the time went into what, in the shape of section 5.6 and table 5.9."""
# ruff: noqa: RUF001 - en dashes are what a reader of tables expects

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from lab.benches.ktls import perf
from lab.benches.ktls.perf import Sampled
from lab.benches.ktls.views import frame, thesis_model
from lab.report.tables import Cell, Table, percent
from lab.results.cell import parse_conditions

ENDS = {"sender": "sender", "receiver": "receiver", "all": "all but idle"}
LEADING = 4
"""Symbols shown of each category."""
SAID = (
    "perf's cpu-clock in the guest, of all processes but idle; self time: a share is of where the processor was, "
    "interrupts on the time of whom they interrupted"
)


def build(taken: Iterable[Mapping[str, Any]], there: thesis_model.Chapter, where: str) -> list[Table]:
    """Every table that the profiles of a run have something for."""
    found = perf.of_samples(taken)
    if not found:
        return []
    return [by_category(found, where), beside(found, there, where), symbols(found, where)]


def titles() -> dict[str, str]:
    """The categories and their titles, in order."""
    return {row.category: row.title for row in perf.categories()} | {perf.OTHER: "other"}


def by_category(found: Mapping[tuple[str, ...], list[list[Sampled]]], where: str) -> Table:
    """A row for each end of each profile: the shares of all categories, that of which nothing is known included."""
    rows = []
    for key, blocks in sorted(found.items()):
        for end, title in ENDS.items():
            texts = [*named(key), title, *(_share(blocks, end, category) for category in titles())]
            texts.append(f"{sum(_of_end(block, end) for block in blocks)}")
            rows.append([Cell(text) for text in texts])
    heads = ["scenario", "protocol", "path", "payload", "end", *titles().values(), "samples"]
    return Table("ktls profile", "Where the time went, by perf", heads, rows, 5, [SAID], where)


def named(key: Sequence[str]) -> list[str]:
    """Scenario, protocol, path with its way, and payload of a profile."""
    protocol, path, _, conditions = key
    said = parse_conditions(conditions)
    return [said["scenario"], protocol, f"{frame.title_of(path)}, {said['way']}", f"{said['payload']} B"]


def _of_end(block: Sequence[Sampled], end: str) -> int:
    return sum(one.samples for one in block if end in ("all", one.end))


def _share(blocks: Sequence[Sequence[Sampled]], end: str, category: str) -> str:
    each = [perf.shares(block).get(end, {}) for block in blocks]
    return percent(median(one.get(category, 0.0) for one in each)) if any(each) else "–"


def beside(found: Mapping[tuple[str, ...], list[list[Sampled]]], there: thesis_model.Chapter, where: str) -> Table:
    """Table 5.9 and the figures of section 5.6, each with its like of this run at the same payload, or the nearest."""
    rows = []
    for source in there.profiles:
        for row in source.rows:
            near = nearest(found, source, row, there.suite)
            end = row.end or "all"
            texts = [source.source, source.title, f"{row.label}, {frame.title_of(row.path)}", f"{row.percent:.2f} %"]
            texts += [_part(found[near], row, of=of) if near else "–" for of in ("all", end)]
            texts += [f"{titles().get(row.category, row.category)}, {ENDS[end]}"]
            texts.append(", ".join(named(near)) if near else "–")
            rows.append([Cell(text) for text in texts])
    heads = ["source", "load", "what", "there", "here, of all", "of that end", "of ours", "in"]
    return Table("ktls 5.9", "Thesis, table 5.9 and section 5.6: shares of the time", heads, rows, 3, [SAID], where)


def _part(blocks: Sequence[Sequence[Sampled]], row: thesis_model.Share, of: str) -> str:
    """What a row of the thesis is about, as a share of the time of an end, or of all."""
    parts = []
    for block in blocks:
        mine = [one for one in block if row.end in ("", one.end) and one.category == row.category]
        samples = sum(one.samples for one in mine if re.fullmatch(row.symbols, one.symbol))
        parts.append(samples / max(_of_end(block, of), 1))
    return percent(median(parts))


def nearest(
    found: Mapping[tuple[str, ...], list[list[Sampled]]],
    source: thesis_model.Profile,
    row: thesis_model.Share,
    suite: str,
) -> tuple[str, ...] | None:
    """The profile of the same scenario, protocol, path and way whose payload is nearest; None where there is none."""
    mine = []
    for key in found:
        said = parse_conditions(key[3])
        if (*key[:3], said["scenario"], said["way"]) == (source.protocol, row.path, suite, source.scenario, row.way):
            mine.append((abs(int(said["payload"]) - source.payload), key))
    return min(mine)[1] if mine else None


def symbols(found: Mapping[tuple[str, ...], list[list[Sampled]]], where: str) -> Table:
    """The symbols with the most time in each category: what the shares are made of, and what `other` hides."""
    rows = []
    for key, blocks in sorted(found.items()):
        together = [one for block in blocks for one in block]
        texts = []
        for category in titles():
            leading = perf.leading(together, category, LEADING)
            texts.append("\n".join(f"{percent(share)} {name}" for name, share in leading) or "–")
        rows.append([Cell(text) for text in (*named(key), *texts)])
    heads = ["scenario", "protocol", "path", "payload", *titles().values()]
    title = f"What the shares are made of: the {LEADING} symbols with most of all time"
    return Table("ktls symbols", title, heads, rows, 4, [SAID], where)
