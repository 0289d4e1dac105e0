# SPDX-License-Identifier: MIT
"""What a table is, and how its figures are written: built once, drawn in the terminal and in HTML alike.

A figure is written as its cell's modes: one on the wall clock, and never as an average of several.
"""
# ruff: noqa: RUF001 - en dashes are what a reader of tables expects

from __future__ import annotations

import json
import math
import re
from collections import namedtuple
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from lab.stats import inference, modes
from lab.stats.inference import CONFIDENCE, INTERVAL_FROM
from lab.stats.summary import Load, Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

INTERVAL = f"{CONFIDENCE * 100:.0f} % interval"
SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
RANGE = "range"
CLOCKS = {modes.EXACT: "instruction"}
"""What a clock is called before the word `clock`, where that is not its name."""
OF_TIME = re.compile(r"(^|[/ ])(s|ms|us)($|[/ ])|bit/s|B/s")
RECORDS = {"user": "user space", "kernel": "kernel", "kernel-tx": "kernel when sending", "": "–"}
"""Where records are processed, in words."""


@dataclass(frozen=True)
class Cell:
    """One field: its text, and what it says (`unsupported`, `failed`, `invalid`, or nothing) for those who draw it."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """A table to show. The first `keys` columns name a row; `name` is unique in a report.

    `where` says which engine and clock its figures are of.
    """

    name: str
    title: str
    columns: list[str]
    rows: list[list[Cell]]
    keys: int = 1
    notes: list[str] = field(default_factory=list)
    where: str = ""


@dataclass
class Notes:
    """Numbers footnotes; a text said twice keeps its number."""

    texts: list[str] = field(default_factory=list)

    def mark(self, text: str) -> str:
        """The superscript number of the footnote `text`; nothing for an empty one."""
        if not text:
            return ""
        if text not in self.texts:
            self.texts.append(text)
        return str(self.texts.index(text) + 1).translate(SUPERSCRIPT)

    def lines(self) -> list[str]:
        """Every footnote with its number."""
        return [f"{self.mark(text)} {text}" for text in self.texts]


def each(frame: pd.DataFrame) -> Iterator[Any]:
    """The rows of a frame, columns as attributes."""
    row = namedtuple("Row", frame.columns, rename=True)  # type: ignore[misc]
    # Much faster than `itertuples`, which asks an array of text for one item after the other.
    yield from map(row._make, zip(*(frame[column].tolist() for column in frame), strict=True))


def figure(value: float) -> str:
    """Three significant digits or all before the point, never an exponent: 0.123, 1.23, 12.3, 123, 12345."""
    if math.isnan(value):
        return "–"
    if value == 0:
        return "0"
    size = abs(value)
    digits = 0 if size >= 99.95 else 1 if size >= 9.995 else 2 if size >= 0.995 else 3 if size >= 0.0995 else 4
    return f"{value:.{digits}f}"


def percent(value: float) -> str:
    """A fraction as per cent."""
    return "–" if math.isnan(value) else f"{value * 100:.1f} %"


def of_clock(unit: str, clock: str) -> str:
    """A unit of time, or of something by time, with the clock that told it: `s of instruction-clock time`."""
    return f"{unit} of {CLOCKS.get(clock, clock)}-clock time" if OF_TIME.search(unit) else unit


def spread_name(run: Summary) -> str:
    """What stands beside the medians of a run: the interval, or the range from the least sample to the greatest."""
    kinds = set(run.figures["spread"].unique())
    if inference.INTERVAL not in kinds:
        return RANGE
    return f"{INTERVAL} ({RANGE} if n < {INTERVAL_FROM})" if inference.RANGE in kinds else INTERVAL


def spread_note(clock: str) -> list[str]:
    """How to read spread and modes on the instruction clock; nothing on the wall clock."""
    if clock != modes.EXACT:
        return []
    said = (
        f"{RANGE}: least to greatest, which the seeded perturbation caused. a (n=2) | b (n=1): modes, more than "
        f"{modes.GAP * 100:.0f} % apart and each narrow beside that; told apart from {modes.MIN_SAMPLES} samples on"
    )
    return [said]


def interval(row: Any, show: Callable[[float], str] = figure) -> str:
    """The interval or range of a row of `analysis.summarise`, or why there is none."""
    return _range(row.low, row.high, show) if row.n > 1 else "one sample"


def _range(low: float, high: float, show: Callable[[float], str]) -> str:
    return f"{low * 100:.1f}–{high * 100:.1f} %" if show is percent else f"{show(low)}–{show(high)}"


Found = Sequence[Any] | None
"""The rows of one cell, metric and end in a summary: one for each mode. None where nothing was read."""


def several(texts: Sequence[str], sizes: Sequence[int]) -> str:
    """Modes side by side: `162 (n=2) | 117 (n=1)`."""
    return " | ".join(f"{text} (n={n})" for text, n in zip(texts, sizes, strict=True))


def value(found: Found, show: Callable[[float], str] = figure) -> str:
    """The median of a cell, or those of its modes."""
    if not found:
        return "–"
    texts = [show(row.median) for row in found]
    return texts[0] if len(texts) == 1 else several(texts, [row.n for row in found])


def spread(found: Found, show: Callable[[float], str] = figure) -> str:
    """The interval of a cell; over all its modes, from the least to the greatest."""
    if not found:
        return "–"
    if len(found) == 1:
        return interval(found[0], show)
    return _range(min(row.min for row in found), max(row.max for row in found), show)


def with_spread(found: Found, show: Callable[[float], str] = figure) -> str:
    """Median and interval of a cell, or the medians of its modes."""
    return f"{value(found, show)} ({spread(found, show)})" if found and len(found) == 1 else value(found, show)


def count(found: Found) -> int:
    """Samples of a cell, in all its modes."""
    return sum(row.n for row in found or ())


def by_cell(*summaries: pd.DataFrame) -> dict[Named, dict[tuple[str, str], list[Any]]]:
    """Summaries as {(vpn/variant, suite, records): {(metric, end): rows of its modes}}, in natural order."""
    cells: dict[Named, dict[tuple[str, str], list[Any]]] = {}
    for summary in summaries:
        for row in each(summary):
            key = (f"{row.vpn}/{row.variant}", str(row.suite), RECORDS.get(row.records, str(row.records)))
            cells.setdefault(key, {}).setdefault((str(row.metric), str(row.end)), []).append(row)
    return {key: cells[key] for key in sorted(cells, key=lambda key: (natural(key[0]), natural(key[1])))}


Named = tuple[str, str, str]


def sizes(found: dict[tuple[str, str], list[Any]]) -> str:
    """How many samples the figures of a cell come from."""
    numbers = sorted({count(rows) for rows in found.values()})
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}–{numbers[-1]}"


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as a program reads them: what is not there is None."""
    rows: list[dict[str, Any]] = json.loads(frame.to_json(orient="records", double_precision=10))
    return rows


def natural(text: str) -> list[tuple[int, int, str]]:
    """Sorts `aes-128` before `aes-1024`, and words before numbers."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", text) if part]


def order(names: Iterable[str]) -> list[str]:
    """The distinct names in natural order."""
    return sorted(set(names), key=natural)


def series(df: pd.DataFrame) -> pd.Series[str]:
    """`vpn/variant` of each row."""
    return df["vpn"].astype(str) + "/" + df["variant"].astype(str)


def named(load: Load) -> str:
    """A load in words: `direction=up streams=1` where throughput is measured, else `transfer, size=10000000`."""
    return ", ".join(part for part in load if part and part != "throughput") or load[0]


def facts(meta: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """What `meta` says about a run, flattened to `a.b: value`; long lists are counted, long texts are cut."""
    found: list[tuple[str, str]] = []
    for key, value in meta.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            found += facts(value, f"{name}.")
        elif isinstance(value, list):
            plain = len(value) <= 16 and all(isinstance(item, str | int | float) for item in value)
            found.append((name, ", ".join(map(str, value)) if plain else f"{len(value)} entries"))
        elif value is not None:
            text = str(value)
            found.append((name, text if len(text) <= 300 else f"{text[:300]}…"))
    return found


def meanings(meta: Mapping[str, Any]) -> dict[str, str]:
    """What the conditions of a run stand for, by `key=value`, as far as its `meta` says so."""
    return {f"{key}={value}": text for key, its in meta.get("conditions", {}).items() for value, text in its.items()}


def meant(run: Summary, loads: Iterable[Load]) -> list[str]:
    """What the conditions of these loads stand for, each once."""
    known = meanings(run.meta)
    words = dict.fromkeys(word for _, conditions in loads for word in conditions.split())
    return [f"{word}: {known[word]}" for word in words if word in known]
