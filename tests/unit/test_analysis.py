# SPDX-License-Identifier: MIT
"""Analysis on frames small enough to check by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frames import cell, control, frame, missing, one, row
from numpy.typing import NDArray
from scipy.stats import quantile_test

from lab.core.errors import LabError
from lab.results.store import Store
from lab.stats import analysis, inference


def theirs(values: NDArray[np.float64]) -> tuple[float, float]:
    """Scipy's 95 % interval of the median."""
    found: Any = quantile_test(values, q=0, p=0.5).confidence_interval(0.95)
    return found.low, found.high


class TestSummary:
    def test_median_interval_and_range(self) -> None:
        found = one(analysis.summarise(frame(cell("a", "x", [10, 11, 12, 13, 100]))))
        assert (found["n"], found["median"], found["min"], found["max"]) == (5, 12, 10, 100)
        assert (found["low"], found["high"], found["spread"]) == (10, 100, "range")

    @pytest.mark.parametrize("n", [6, 7, 9, 20, 51])
    def test_interval_is_by_order_statistics(self, n: int) -> None:
        values = np.random.default_rng(n).normal(size=n)
        low, high = inference.median_intervals([values])
        assert (low[0], high[0]) == theirs(values)
        assert inference.kind(n) == "interval"

    @pytest.mark.parametrize("n", [2, 3, 5])
    def test_too_few_samples_have_a_range(self, n: int) -> None:
        """Scipy says so too: of five values no interval has 95 %."""
        found = one(analysis.summarise(frame(cell("a", "x", range(10, 10 + n)))))
        assert (found["low"], found["high"], found["spread"]) == (10, 9 + n, "range")
        assert np.isnan(theirs(np.arange(n, dtype=float))).any()

    def test_one_sample_has_neither(self) -> None:
        found = one(analysis.summarise(frame(cell("a", "x", [10]))))
        assert found["spread"] == ""
        assert np.isnan([found["low"], found["high"]]).all()

    def test_interval_depends_on_its_own_row_alone(self) -> None:
        rows = cell("a", "x", [10, 15, 12, 13, 19, 11, 14, 16, 18])
        alone = one(analysis.summarise(frame(rows)))
        many = frame([*(entry for k in range(300) for entry in cell(f"b{k}", "x", [k, 1, 2, 9, 4])), *reversed(rows)])
        among = analysis.summarise(many)
        same = one(among[among["vpn"] == "a"])
        assert (same["low"], same["high"]) == (alone["low"], alone["high"])

    def test_only_samples_that_count(self) -> None:
        rows = [
            *cell("a", "x", [10, 12]),
            row("a", "x", 2, 99, outcome="invalid"),
            missing("a", "x", "failed", "timed out"),
        ]
        assert one(analysis.summarise(frame(rows)))["median"] == 11

    def test_engines_and_clocks_stay_apart(self) -> None:
        rows = cell("a", "x", [10, 11, 12]) + cell("a", "x", [90, 91, 92], clock="instructions")
        assert sorted(analysis.summarise(frame(rows))["median"]) == [11, 91]
        with pytest.raises(LabError, match="host engine, instructions clock; host engine, wall clock"):
            analysis.one_clock(frame(rows))

    def test_a_missing_column_is_named(self) -> None:
        with pytest.raises(LabError, match="bottleneck"):
            analysis.summarise(frame(cell("a", "x", [1])).drop(columns="bottleneck"))

    def test_outcomes_keep_every_attempt(self) -> None:
        rows = [
            *cell("a", "x", [1, 2]),
            row("a", "x", 1, 5, metric="retransmits"),  # the same sample's second figure
            missing("a", "y", "unsupported", "no such cipher"),
            missing("a", "x", "failed", "timed out"),
        ]
        ended = analysis.outcomes(frame(rows)).to_dict("records")
        found = {(end["suite"], end["outcome"], end["reason"]): end["n"] for end in ended}
        assert found == {("x", "ok", ""): 2, ("y", "unsupported", "no such cipher"): 1, ("x", "failed", "timed out"): 1}


class TestFiles:
    def test_null_is_a_suite(self, tmp_path: Path) -> None:
        path = tmp_path / "results.csv"
        frame([*cell("a", "null", [10, 12]), missing("a", "y", "unsupported", "no")]).to_csv(path, index=False)
        read = analysis.read_csv(path)
        assert one(analysis.summarise(read))["suite"] == "null"
        assert len(analysis.outcomes(read)) == 2

    def test_find_run(self, tmp_path: Path) -> None:
        for name in ("20260101-a", "20260301-a", "20260201-a", "ktls-20250101-a", "renamed"):
            created = f"2026-{name[4:6]}-01T00:00:00+00:00" if name[0] == "2" else "2025-01-01T00:00:00+00:00"
            kind = {"kind": "ktls"} if name[0] == "k" else {}
            Store.create(tmp_path / name, {"created": created, **kind}).write_csv()
        (tmp_path / "20260301-a" / "results.csv").rename(tmp_path / "20260301-a" / "samples.jsonl")  # not derived yet
        Store.create(tmp_path / "20270101-unfinished", {"created": "2027-01-01T00:00:00+00:00"})
        (tmp_path / "unreadable").mkdir()
        (tmp_path / "unreadable" / "meta.json").write_text("{")
        (tmp_path / "unreadable" / "results.csv").touch()
        assert analysis.find_run(tmp_path).name == "20260301-a"
        assert analysis.find_run(tmp_path, "20260101-a").name == "20260101-a"
        assert analysis.find_run(Path("elsewhere"), str(tmp_path / "20260201-a")).name == "20260201-a"
        assert analysis.find_run(tmp_path, kind="ktls").name == "ktls-20250101-a"
        with pytest.raises(LabError, match="ktls-20250101-a is a run of `lab ktls`, not of `lab matrix`"):
            analysis.find_run(tmp_path, "ktls-20250101-a")
        with pytest.raises(LabError, match="nonesuch"):
            analysis.find_run(tmp_path, "nonesuch")


class TestControl:
    def test_ratios_are_taken_within_blocks(self) -> None:
        # The machine slows down from block to block; the share of the control does not change.
        rows = cell("a", "x", [100, 80, 60]) + control([1000, 800, 600])
        found = one(analysis.ratios_to_control(frame(rows), "plain"))
        assert found["median"] == pytest.approx(0.1)
        assert (found["low"], found["high"]) == pytest.approx((0.1, 0.1))
        assert found["unit"] == "ratio"

    def test_a_block_without_control_gives_no_ratio(self) -> None:
        rows = cell("a", "x", [100, 80, 60]) + control([1000, 800])
        assert one(analysis.ratios_to_control(frame(rows), "plain"))["n"] == 2

    def test_conditions_and_clocks_do_not_mix(self) -> None:
        rows = cell("a", "x", [100]) + control([1000], conditions="direction=down") + control([1], clock="other")
        assert analysis.ratios_to_control(frame(rows), "plain").empty

    def test_no_control(self) -> None:
        with pytest.raises(LabError, match="no control"):
            analysis.ratios_to_control(frame(cell("a", "x", [1, 2, 3])), "plain")

    def test_who_is_the_control(self) -> None:
        df = frame(cell("a", "x", [1]) + control([2]))
        assert analysis.control_of(df) == "plain"
        assert analysis.control_of(df, {"controls": ["other"]}) == "other"
        assert analysis.control_of(frame(cell("a", "x", [1])), {}) is None
