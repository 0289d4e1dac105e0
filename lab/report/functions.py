# SPDX-License-Identifier: MIT
"""Exact profiles in tables: instructions per byte of payload by function, and what differs between two profiles.

A sample that was profiled has `functions` in its raw data: by whom, task, object, function, instructions and calls.
"""
# ruff: noqa: RUF001 - en dashes are what a reader of tables expects

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from lab.report.tables import Cell, Table, figure, percent
from lab.results.function import functions

TOP = 20
"""Functions of each profile that a report shows; `lab profile` shows as many as asked."""
NOTES = [
    "every instruction of the whole machine while the load ran, counted by the emulator; the guest cannot notice it",
    "interrupts, and the work that follows them, are on the task that they interrupted; idle time is jumped over",
    "[…]: the kernel and its modules; a function without a name is called after its address in its file",
]


class Where(NamedTuple):
    """A function, by whose process and task it was executed in."""

    by: str
    task: str
    object: str
    name: str


@dataclass(frozen=True)
class Profile:
    """Instructions and calls per byte of payload, by function."""

    functions: Mapping[Where, tuple[float, float]]
    samples: int

    @property
    def total(self) -> float:
        """Instructions per byte of everything."""
        return sum(instructions for instructions, _ in self.functions.values())

    def leading(self, most: int) -> list[tuple[Where, float, float]]:
        """The functions with most instructions: where, instructions and calls per byte."""
        rows = [(where, *counted) for where, counted in self.functions.items()]
        return sorted(rows, key=lambda row: (-row[1], row[0]))[:most]

    def parts(self) -> list[tuple[str, str, float]]:
        """By whom, in which object, and instructions per byte; most first."""
        sums: dict[tuple[str, str], float] = defaultdict(float)
        for where, (instructions, _) in self.functions.items():
            sums[where.by, where.object] += instructions
        rows = [(*key, value) for key, value in sums.items()]
        return sorted(rows, key=lambda row: (-row[2], row[:2]))


Key = tuple[str, ...]
NAMES = ("vpn", "variant", "suite", "conditions")
"""What names a cell that was profiled: the words of a key."""


def of_samples(samples: Iterable[Mapping[str, Any]]) -> dict[Key, Profile]:
    """The profile of each cell; several samples of a cell count as one."""
    found: dict[Key, list[Mapping[str, Any]]] = defaultdict(list)
    for sample in samples:
        if sample["outcome"] == "ok" and "functions" in (sample.get("raw") or {}):
            found[tuple(str(sample[name]) for name in NAMES)].append(sample)
    return {cell: _profile(taken) for cell, taken in found.items()}


def _profile(samples: Sequence[Mapping[str, Any]]) -> Profile:
    sums: dict[Where, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for sample in samples:
        for each in functions(sample["raw"]):
            row = sums[Where(*each[:4])]
            row[0] += each.instructions
            row[1] += each.calls
    payload = sum(
        reading["value"] for sample in samples for reading in sample["readings"] if reading["metric"] == "payload"
    )
    return Profile({where: (row[0] / payload, row[1] / payload) for where, row in sums.items()}, len(samples))


def tables(profiles: Mapping[Key, Profile], where: str, most: int = TOP) -> list[Table]:
    """Of each profile: by object, and the functions with most instructions."""
    return [
        table
        for cell, profile in profiles.items()
        for table in (_by_object(cell, profile, where), _by_function(cell, profile, where, most))
    ]


def _title(cell: Key) -> str:
    return " ".join(word for word in cell if word)


def _by_object(cell: Key, profile: Profile, where: str) -> Table:
    rows = [
        [Cell(text) for text in (by, file, figure(value), percent(value / profile.total))]
        for by, file, value in profile.parts()
        if value >= profile.total / 1000
    ]
    rows.append([Cell(text) for text in ("all", "", figure(profile.total), percent(1))])
    title = f"Instructions per byte by program and library: {_title(cell)}"
    return Table(f"profile {_title(cell)}", title, ["by", "in", "instructions", "share"], rows, 2, NOTES, where)


def _by_function(cell: Key, profile: Profile, where: str, most: int) -> Table:
    rows = [
        [
            Cell(text)
            for text in (*each, figure(instructions), percent(instructions / profile.total), figure(calls * 1000))
        ]
        for each, instructions, calls in profile.leading(most)
    ]
    title = f"Instructions per byte by function, the first {len(rows)} of {len(profile.functions)}: {_title(cell)}"
    columns = ["by", "task", "in", "function", "instructions", "share", "calls per kB"]
    return Table(f"functions {_title(cell)}", title, columns, rows, 4, NOTES, where)


def folded(profile: Profile) -> str:
    """The profile as lines `by;task;object;function COUNT`, for any program that draws flame graphs.

    COUNT is instructions for a megabyte of payload.
    """
    lines = [(";".join(where), round(value * 1e6)) for where, (value, _) in profile.functions.items()]
    return "".join(f"{name} {count}\n" for name, count in sorted(lines) if count)


class Change(NamedTuple):
    """A function in two profiles: instructions and calls per byte in each."""

    where: Where
    before: float
    after: float
    calls_before: float
    calls_after: float

    @property
    def by_byte(self) -> float:
        """Instructions per byte that the second has more."""
        return self.after - self.before


def changes(before: Profile, after: Profile) -> list[Change]:
    """Every function of both, those whose instructions differ most first. Tasks of one name and owner are one."""
    nothing = (0.0, 0.0)
    rows = []
    for where in {*before.functions, *after.functions}:
        first, second = before.functions.get(where, nothing), after.functions.get(where, nothing)
        rows.append(Change(where, first[0], second[0], first[1], second[1]))
    return sorted(rows, key=lambda row: (-abs(row.by_byte), row.where))


def why(cell: Key, before: Profile, after: Profile, most: int = TOP) -> Table:
    """The functions that account for the difference of two profiles."""
    differences = changes(before, after)
    rows = []
    for row in differences[:most]:
        calls = f"{figure(row.calls_before * 1000)} → {figure(row.calls_after * 1000)}"
        texts = [*row.where, figure(row.before), figure(row.after), f"{row.by_byte:+.3g}", calls]
        rows.append([Cell(text) for text in texts])
    rest = sum(row.by_byte for row in differences[most:])
    rows.append([Cell(text) for text in ("the rest", "", "", "", "", "", f"{rest:+.3g}", "")])
    whole = [figure(before.total), figure(after.total), f"{after.total - before.total:+.3g}", ""]
    rows.append([Cell(text) for text in ("all", "", "", "", *whole)])
    columns = ["by", "task", "in", "function", "A", "B", "B − A", "calls per kB"]
    title = f"Why: instructions per byte by function, largest differences first: {_title(cell)}"
    return Table(f"why {_title(cell)}", title, columns, rows, 4, NOTES)
