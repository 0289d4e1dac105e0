# SPDX-License-Identifier: MIT
"""Ranks, on frames small enough to check by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from frames import by, cell, control, frame, one, row

from lab.stats import inference, ranking


class TestRanking:
    def tiers(self, rows: list[dict[str, Any]]) -> dict[str, int]:
        found = ranking.tiers(frame(rows), control="plain")
        return dict(zip(found["vpn"], found["tier"], strict=True))

    def test_tie_inside_the_margin_and_lower_outside(self) -> None:
        drift = np.array([1.0, 0.7, 1.3, 0.9, 1.1])
        rows = (
            cell("fast", "x", 100 * drift)
            + cell("same", "x", [98 * d * e for d, e in zip(drift, (1, 1.01, 0.99, 1, 1), strict=True)])
            + cell("slow", "x", [80 * d * e for d, e in zip(drift, (1.01, 1, 0.99, 1, 1), strict=True)])
        )
        assert self.tiers(rows) == {"fast": 1, "same": 1, "slow": 2}
        pairs = ranking.pairwise(frame(rows)).to_dict("records")
        assert {(pair["a"][0], pair["b"][0]): pair["verdict"] for pair in pairs} == {
            ("fast", "same"): "tie", ("fast", "slow"): "higher", ("same", "slow"): "higher"
        }  # fmt: skip

    def test_noise_is_no_rank(self) -> None:
        rows = cell("a", "x", [100, 140, 90, 120, 80]) + cell("b", "x", [90, 100, 130, 70, 110])
        assert ranking.pairwise(frame(rows))["verdict"].tolist() == ["undecided"]
        assert set(self.tiers(rows).values()) == {1}

    def test_two_blocks_decide_nothing(self) -> None:
        rows = cell("a", "x", [100, 100]) + cell("b", "x", [10, 10])
        assert self.tiers(rows) == {"a": 1, "b": 1}

    def test_cells_that_are_not_cpu_bound_are_not_ranked(self) -> None:
        rows = cell("a", "x", [100, 101, 99]) + cell("b", "x", [500, 505, 495], bottleneck="other")
        found = by(ranking.tiers(frame(rows)), "vpn")
        assert (found["a"]["tier"], found["b"]["tier"]) == (1, 0)
        assert found["b"]["why"] == "CPU-bound in 0 of 3 samples"
        assert ranking.pairwise(frame(rows)).empty

    def test_most_samples_decide_what_bound_a_cell(self) -> None:
        rows = [*cell("a", "x", [100, 101]), row("a", "x", 2, 99, bottleneck="generator")]
        assert self.tiers(rows) == {"a": 1}
        rows = [*cell("a", "x", [100, 101], bottleneck="other"), row("a", "x", 2, 99)]
        assert self.tiers(rows) == {"a": 0}

    def test_a_sample_that_read_nothing_is_said(self) -> None:
        found = one(ranking.tiers(frame(cell("a", "x", [100, 0, 99]))))
        assert (found["tier"], found["why"]) == (0, "1 of 3 samples read nothing")

    def test_control_clocks_and_conditions_have_no_common_rank(self) -> None:
        rows = (
            cell("a", "x", [10, 11, 10])
            + cell("b", "x", [99, 98, 99], clock="instructions")
            + cell("c", "x", [99, 98, 99], conditions="direction=down")
            + control([900, 901, 902], bottleneck="cpu:machine")
        )
        assert self.tiers(rows) == {"a": 1, "b": 1, "c": 1}
        assert ranking.pairwise(frame(rows).query("vpn != 'plain'")).empty

    def test_comparisons_are_corrected(self) -> None:
        p = inference.correct([0.01, 0.04, float("nan"), 0.03])
        assert p[[0, 1, 3]] == pytest.approx([0.03, 0.04, 0.04])
        assert np.isnan(p[2])

    @pytest.mark.parametrize(
        ("low", "high", "p", "said"),
        [
            (0.96, 1.04, 0.001, "tie"), (1.10, 1.30, 0.001, "higher"), (0.70, 0.90, 0.001, "lower"),
            (1.10, 1.30, 0.2, "undecided"), (0.70, 0.90, 0.2, "undecided"), (0.90, 1.30, 0.001, "undecided"),
            (0.94, 1.00, 0.2, "undecided"), (float("nan"), float("nan"), float("nan"), "undecided"),
        ],
    )  # fmt: skip
    def test_verdict_needs_both_interval_and_p(self, low: float, high: float, p: float, said: str) -> None:
        assert inference.verdict(low, high, p, 0.05) == said

    def test_exact_repeats_have_no_noise(self) -> None:
        assert inference.p_paired([[0.0] * 3, [0.1] * 3]).tolist() == [1.0, 0.0]
        assert inference.p_unpaired([[1.0] * 3, [1.0] * 3], [[1.0] * 3, [2.0] * 3]).tolist() == [1.0, 0.0]

    def test_tests_agree_with_scipy(self) -> None:
        from scipy import stats

        a, b = [0.1, 0.3, 0.2, 0.25], [0.0, 0.1, 0.4, 0.2, 0.1]
        assert inference.p_paired([a])[0] == pytest.approx(stats.ttest_1samp(a, 0).pvalue)
        assert inference.p_unpaired([a], [b])[0] == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)
