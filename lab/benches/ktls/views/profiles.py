# SPDX-License-Identifier: MIT
"""Tables of profiles: the share of time by category, in the shape of section 5.6 and table 5.9."""
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
"""Symbols shown for each category."""
SAID = (
    "perf's cpu-clock in the guest, of all processes but idle; self time: a share is of where the processor was, "
    "interrupts on the time of whom they interrupted"
)


def build(taken: Iterable[Mapping[str, Any]], there: thesis_model.Chapter, where: str) -> list[Table]:
    """Every table for which the profiles of a run have data."""
    profiles = perf.of_samples(taken)
    if not profiles:
        return []
    return [by_category(profiles, where), beside(profiles, there, where), symbols(profiles, where)]


def titles() -> dict[str, str]:
    """The categories and their titles, in order."""
    return {row.category: row.title for row in perf.categories()} | {perf.OTHER: "other"}


def by_category(found: Mapping[tuple[str, ...], list[list[Sampled]]], where: str) -> Table:
    """A row for each endpoint of each profile: the shares of all categories, unknown symbols included."""
    rows = []
    for key, blocks in sorted(found.items()):
        shares = [perf.shares(block) for block in blocks]
        for end, title in ENDS.items():
            texts = [*named(key), title, *(_share(shares, end, category) for category in titles())]
            texts.append(f"{sum(_of_end(block, end) for block in blocks)}")
            rows.append([Cell(text) for text in texts])
    heads = ["scenario", "protocol", "path", "payload", "end", *titles().values(), "samples"]
    return Table("ktls profile", "Where the time went, by perf", heads, rows, 5, [SAID], where)


def named(key: Sequence[str]) -> list[str]:
    """The scenario, protocol, path (with its way) and payload of a profile."""
    protocol, path, _, conditions = key
    condition = parse_conditions(conditions)
    return [condition["scenario"], protocol, f"{frame.title_of(path)}, {condition['way']}", f"{condition['payload']} B"]


def _of_end(block: Sequence[Sampled], end: str) -> int:
    return sum(sample.samples for sample in block if end in ("all", sample.end))


def _share(blocks: Sequence[Mapping[str, Mapping[str, float]]], end: str, category: str) -> str:
    """The median share of a category in the time of an endpoint, of blocks as `perf.shares` has them."""
    of_end = [block.get(end, {}) for block in blocks]
    return percent(median(shares.get(category, 0.0) for shares in of_end)) if any(of_end) else "–"


def beside(found: Mapping[tuple[str, ...], list[list[Sampled]]], there: thesis_model.Chapter, where: str) -> Table:
    """Table 5.9 and the figures of section 5.6, each with this run's share at the same or the nearest payload."""
    rows = []
    for source in there.profiles:
        for row in source.rows:
            key = nearest(found, source, row, there.suite)
            end = row.end or "all"
            texts = [source.source, source.title, f"{row.label}, {frame.title_of(row.path)}", f"{row.percent:.2f} %"]
            texts += [_part(found[key], row, of=of) if key else "–" for of in ("all", end)]
            texts += [f"{titles().get(row.category, row.category)}, {ENDS[end]}"]
            texts.append(", ".join(named(key)) if key else "–")
            rows.append([Cell(text) for text in texts])
    heads = ["source", "load", "what", "there", "here, of all", "of that end", "of ours", "in"]
    return Table("ktls 5.9", "Thesis, table 5.9 and section 5.6: shares of the time", heads, rows, 3, [SAID], where)


def _part(blocks: Sequence[Sequence[Sampled]], row: thesis_model.Share, of: str) -> str:
    """The share that a row of the thesis describes: of the time of one endpoint, or of all."""
    parts = []
    for block in blocks:
        matching = [sample for sample in block if row.end in ("", sample.end) and sample.category == row.category]
        samples = sum(sample.samples for sample in matching if re.fullmatch(row.symbols, sample.symbol))
        parts.append(samples / max(_of_end(block, of), 1))
    return percent(median(parts))


def nearest(
    found: Mapping[tuple[str, ...], list[list[Sampled]]],
    source: thesis_model.Profile,
    row: thesis_model.Share,
    suite: str,
) -> tuple[str, ...] | None:
    """The profile of the same scenario, protocol, path and way with the nearest payload; None if there is none."""
    candidates = []
    expected = (source.protocol, row.path, suite, source.scenario, row.way)
    for key in found:
        conditions = parse_conditions(key[3])
        if (*key[:3], conditions["scenario"], conditions["way"]) == expected:
            candidates.append((abs(int(conditions["payload"]) - source.payload), key))
    return min(candidates)[1] if candidates else None


def symbols(found: Mapping[tuple[str, ...], list[list[Sampled]]], where: str) -> Table:
    """The symbols with the most time in each category, `other` included."""
    rows = []
    for key, blocks in sorted(found.items()):
        samples = [sample for block in blocks for sample in block]
        texts = []
        for category in titles():
            leading = perf.leading(samples, category, LEADING)
            texts.append("\n".join(f"{percent(share)} {name}" for name, share in leading) or "–")
        rows.append([Cell(text) for text in (*named(key), *texts)])
    heads = ["scenario", "protocol", "path", "payload", *titles().values()]
    title = f"What the shares are made of: the {LEADING} symbols with most of all time"
    return Table("ktls symbols", title, heads, rows, 4, [SAID], where)
