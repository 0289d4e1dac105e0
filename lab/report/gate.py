# SPDX-License-Identifier: MIT
"""Whether a run may pass: no figure worse than before, as an exit code, and as Markdown for a pull request.

A figure passes if it is shown not to be worse by more than the margin: the interval's worse end lies within it,
whatever the better end says (a test of non-inferiority; S. Wellek, Testing Statistical Hypotheses of Equivalence and
Noninferiority, 2nd ed., 2010). That needs fewer samples than to show sameness.
"""
# ruff: noqa: RUF001 - en dashes are what a reader of tables expects

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lab.report import tables
from lab.stats.differences import HIGHER, LOWER, UNDECIDED

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

USUAL, LOST, ONLY_A, ONLY_B = "usual", "lost", "only in A", "only in B"
"""Verdicts beside those of `differences`: `comparison.compare` says what they mean."""
WORSE, BETTER, SAME, OPEN, APART = "worse", "better", "same", "undecided", "not compared"
CODES = {SAME: 0, WORSE: 3, OPEN: 4}
"""The exit codes of `lab compare --gate`. 1 and 2 are those of errors."""
MOST_ROWS = 50
"""Rows of a list in Markdown: a comment has an end."""


@dataclass(frozen=True)
class Gate:
    """What became of each row of a comparison, and the result: `same` (or better), `worse` or `undecided`."""

    outcomes: list[str]
    result: str
    blocks: float
    """How many blocks would decide each undecided row of which that is known; NaN if there is none."""

    @property
    def code(self) -> int:
        """The exit code."""
        return CODES[self.result]

    @property
    def counts(self) -> dict[str, int]:
        """The number of rows by outcome."""
        found = Counter(self.outcomes)
        return {name: found[name] for name in (WORSE, OPEN, SAME, BETTER, APART)}

    def plain(self) -> dict[str, Any]:
        """Plain data for a program."""
        blocks = None if np.isnan(self.blocks) else int(self.blocks)
        return {"result": self.result, "exit_code": self.code, "rows": self.counts, "blocks": blocks}

    def line(self) -> str:
        """The result in one line."""
        counts = ", ".join(f"{count} {name}" for name, count in self.counts.items() if count) or "nothing to compare"
        text = {SAME: "passed: nothing is worse", WORSE: "not passed: worse", OPEN: "undecided"}[self.result]
        more = f"; {self.blocks:.0f} blocks would decide" if self.result == OPEN and not np.isnan(self.blocks) else ""
        return f"{text} ({counts}){more}"


def judge(compared: pd.DataFrame, margin: float) -> Gate:
    """Judge the rows of `comparison.compare`.

    `worse`: at least one row is shown to be worse, or was lost. Else `undecided`: a row is not shown to be no worse, or
    no row was compared at all. Rows that one of the runs never tried are not compared.
    """
    outcomes = [_outcome(row, margin) for row in tables.each(compared)]
    found = set(outcomes)
    result = WORSE if WORSE in found else OPEN if OPEN in found or not found & {SAME, BETTER} else SAME
    open_rows = np.array([outcome == OPEN for outcome in outcomes], bool)
    blocks = compared.loc[open_rows, "blocks"].max() if open_rows.any() else float("nan")
    return Gate(outcomes, result, float(blocks))


def _outcome(row: Any, margin: float) -> str:
    if row.verdict in (ONLY_A, ONLY_B):
        return APART
    more_is_better = row.better == "more"
    if row.verdict in (HIGHER, LOWER):
        return BETTER if (row.verdict == HIGHER) == more_is_better else WORSE
    if row.verdict != UNDECIDED:
        return WORSE if row.verdict == LOST else SAME
    allowed = 1 + margin if np.isnan(row.fence) else max(1 + margin, row.fence)
    passes = row.low >= 1 / allowed if more_is_better else row.high <= allowed
    return SAME if passes else OPEN


def markdown(compared: pd.DataFrame, gated: Gate, names: tuple[str, str], notes: Sequence[str], where: str) -> str:
    """The comparison as Markdown: the result, what is worse, what is better, and folded, what is undecided."""
    lines = [f"**{gated.line()}**", "", f"B: `{names[1]}` against A: `{names[0]}`, {where}"]
    for outcome, folded in ((WORSE, False), (BETTER, False), (OPEN, True)):
        rows = [row for row, mine in zip(tables.each(compared), gated.outcomes, strict=True) if mine == outcome]
        if rows:
            lines += ["", *_section(f"{outcome}: {len(rows)}", _rows(rows), folded=folded)]
    return "\n".join([*lines, "", *(f"<sub>{note}</sub>  " for note in notes)]) + "\n"


def _section(title: str, rows: Sequence[str], *, folded: bool) -> list[str]:
    if folded:
        return [f"<details><summary>{title}</summary>", "", *rows, "", "</details>"]
    return [f"**{title}**", "", *rows]


def _rows(rows: Sequence[Any]) -> list[str]:
    """A table, the largest differences first."""
    heads = ("cell", "metric", "A", "B", "B / A", tables.INTERVAL, "verdict")
    ordered = sorted(rows, key=lambda row: -abs(np.log(row.ratio)) if row.ratio > 0 else -np.inf)
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in ordered[:MOST_ROWS]:
        cell = " ".join(filter(None, (row.vpn, row.variant, row.suite, row.measure, row.conditions)))
        interval = "–" if np.isnan(row.low) else f"{tables.figure(row.low)}–{tables.figure(row.high)}"
        more = "" if np.isnan(row.blocks) else f" ({row.blocks:.0f} blocks)"
        texts = [cell, f"{row.metric}, {row.unit}", *map(_levels, (row.modes_a, row.modes_b))]
        texts += [tables.figure(row.ratio), interval, f"{row.verdict}{more}"]
        lines.append(f"| {' | '.join(text.replace('|', '/') for text in texts)} |")
    return lines + ([f"\nand {len(rows) - MOST_ROWS} more"] if len(rows) > MOST_ROWS else [])


def _levels(found: Sequence[tuple[float, int]]) -> str:
    return " or ".join(tables.figure(median) for median, _ in found) or "–"
