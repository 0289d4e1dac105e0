# SPDX-License-Identifier: MIT
"""`lab compare` of committed runs: every row can be read at 80 columns."""

from __future__ import annotations

from functools import cache
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from lab.cli import rows, runs
from lab.core.errors import LabError
from lab.core.paths import RESULTS
from lab.report import comparison, tables
from lab.results.store import Store

A, B = "crypto-20261123-144804-dwr", "crypto-20261123-165953-xwp"
"""The ciphers on the instruction clock, on two kernels."""
MODES = "20261123-070753-paa"
"""A run with cells of several modes."""


@cache
def frame(name: str) -> pd.DataFrame:
    return Store(RESULTS / name).frame()


@cache
def comparison_of(a: str, b: str) -> pd.DataFrame:
    return comparison.compare(frame(a), frame(b))


def rows_of(a: str, b: str) -> list[Any]:
    return list(comparison_of(a, b).itertuples(index=False))


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """The output of a comparison in a terminal of some width, as lines; the two lines on the runs are not wrapped."""

    def compare(a: str, b: str, width: int = 80) -> list[str]:
        for module in (runs, rows):
            monkeypatch.setattr(module, "console", Console(width=width))
        table = comparison_of(a, b)
        monkeypatch.setattr(Store, "frame", lambda store: frame(store.folder.name))
        monkeypatch.setattr(comparison, "compare", lambda *_: table)  # a comparison of many samples takes long
        runs.compare(a, b)
        return capsys.readouterr().out.splitlines()

    return compare


@pytest.mark.parametrize(("a", "b"), [(A, B), ("ktls-20261123-231108-xnz",) * 2, ("20261123-115837-fyk",) * 2])
def test_nothing_is_cut_off_at_80_columns(compared: Any, a: str, b: str) -> None:
    lines = compared(a, b)[2:]
    assert max(map(len, lines)) <= 80
    assert "…" not in " ".join(lines)
    words = set(" ".join(lines).replace(":", " ").split())
    for row in rows_of(a, b):
        assert {row.vpn, row.variant, row.suite, row.measure, *row.conditions.split()} <= words
        assert {tables.figure(value) for value in (row.median_a, row.median_b)} <= words


def test_each_row_has_its_figures_and_its_verdict(compared: Any) -> None:
    parts = "\n".join(compared(A, B, width=200)).split("\nspeed, B/s of instruction-clock time (machine): crypto ")
    assert len(parts) == 7, "a table for each of six sizes"
    for part in parts[1:]:
        conditions, _, _, *rest = part.splitlines()
        lines = rest[: rest.index("")] if "" in rest else rest
        matching = [row for row in rows_of(A, B) if row.conditions == conditions]
        assert len(lines) == len(matching) > 0
        for row, line in zip(matching, lines, strict=True):
            assert line.startswith(f"{row.vpn} {row.variant} {row.suite} ")
            assert line.rstrip().endswith(row.verdict)
            assert all(tables.figure(value) in line for value in (row.median_a, row.median_b, row.ratio))


def test_modes_are_shown_whole(compared: Any) -> None:
    lines = compared(MODES, MODES)
    assert max(map(len, lines[2:])) <= 80
    words = set(" ".join(lines).split())
    several = [row for row in rows_of(MODES, MODES) if len(row.modes_a) > 1]
    assert several
    for row in several:
        assert {tables.figure(median) for median, _ in row.modes_a} <= words


def test_the_end_counts_the_verdicts(compared: Any) -> None:
    verdicts = list(comparison_of(A, B)["verdict"])
    (line,) = (line for line in compared(A, B) if line.startswith("B against A: "))
    for verdict in set(verdicts):
        assert f"{verdicts.count(verdict)} {verdict}" in line


def test_it_says_what_the_runs_are_of(compared: Any) -> None:
    for side, name, line in zip("AB", (A, B), compared(A, B), strict=False):
        assert line == f"{side}: {comparison.origin(name, Store(RESULTS / name).meta())}"


def test_runs_that_cannot_be_compared() -> None:
    with pytest.raises(LabError, match="cannot be compared"):
        runs.compare(A, "crypto-20261123-093120-xjd")
