# SPDX-License-Identifier: MIT
"""`lab aa`: a run against itself, and how often something is found where nothing was changed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from frames import VM, cell, frame

from lab.cli import runs
from lab.core.errors import UsageError
from lab.core.paths import RESULTS
from lab.report import comparison, halves
from lab.report.halves import EVERY_OTHER, IN_TIME, Rate

BLOCKS = 20


def run(drift: float = 0.0, cells: int = 200, seed: int = 3) -> pd.DataFrame:
    """A run of equal cells with 1 % of noise, whose machine becomes slower by `drift` half way."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(cells):
        values = 100 * np.exp(0.01 * rng.normal(size=BLOCKS))
        values[BLOCKS // 2 :] *= 1 - drift
        rows += cell(f"v{number:03}", "x", values, **VM)
    return frame(rows)


def rates(df: pd.DataFrame) -> dict[str, Rate]:
    return halves.rates(df, comparison.compare(*halves.in_time(df)[0]), None)


def test_what_is_equal_differs_at_the_nominal_rate() -> None:
    found = rates(run())
    for rate in found.values():
        assert rate.figures == 200
        low, high = rate.interval
        assert low <= 0.05 <= high
        assert rate.shown == 0


def test_a_machine_that_changed_under_the_run_shows_in_time_alone() -> None:
    found = rates(run(drift=0.03))
    assert found[IN_TIME].share > 0.9
    assert found[IN_TIME].shown > 100
    assert found[EVERY_OTHER].share < 0.1


def test_the_halves_hold_every_sample_once() -> None:
    df = run(cells=2)
    (a, b), names = halves.in_time(df)
    assert names == ("blocks 1 to 10", "blocks 11 to 20")
    assert set(a["block"]) == set(range(10))
    assert len(a) + len(b) == len(df)
    a, b = halves.every_other(df)
    assert set(a["block"]) == set(range(0, 20, 2))
    assert set(b["block"]) == set(range(1, 20, 2))


def test_an_odd_number_of_blocks() -> None:
    (a, b), names = halves.in_time(frame(cell("a", "x", range(1, 8))))
    assert (len(a), len(b)) == (3, 4)
    assert names == ("blocks 1 to 3", "blocks 4 to 7")


def test_too_few_blocks() -> None:
    with pytest.raises(UsageError, match="from 6 blocks on, and this one has 5") as caught:
        halves.in_time(frame(cell("a", "x", range(1, 6))))
    assert "--blocks 6" in caught.value.hint


def test_the_interval_is_that_of_clopper_and_pearson() -> None:
    assert Rate(10, 0, 0).interval == pytest.approx((0, 1 - 0.025 ** (1 / 10)))
    assert Rate(0, 0, 0).plain() == {"figures": 0, "differ": 0, "shown": 0}
    assert str(Rate(200, 10, 1)) == (
        "10 of 200 figures differ at p under 5 %: 5.0% (95 % interval 2.4% to 9.0%); corrected for all, 1 differ"
    )


class TestCommand:
    RUN = max(
        (path.parent for path in RESULTS.glob("*/meta.json")),
        key=lambda folder: json.loads((folder / "meta.json").read_text())["settings"].get("blocks", 0),
    )

    @pytest.fixture
    def results(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A run of enough blocks, of whatever is committed."""
        monkeypatch.setattr("lab.results.store.Store.frame", lambda store: run(drift=0.03, cells=3))
        return RESULTS

    def test_it_names_what_differs(self, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
        runs.aa(self.RUN.name, results=results)
        text = " ".join(capsys.readouterr().out.split())
        assert "v000 udp x" in text
        assert "A, blocks 1 to 10, against B, blocks 11 to 20: 3 of 3 figures differ at p under 5 %" in text
        assert "Every other block against the rest: " in text

    def test_as_json(self, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
        runs.aa(self.RUN.name, results=results, as_json=True)
        told = json.loads(capsys.readouterr().out)
        assert (told["run"], told["a"], told["gate"]["result"]) == (self.RUN.name, "blocks 1 to 10", "worse")
        assert told["aa"][IN_TIME]["figures"] == 3
        assert told["aa"][EVERY_OTHER]["shown"] == 0
