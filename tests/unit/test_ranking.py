# SPDX-License-Identifier: MIT
"""Ranks, on frames small enough to check by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from frames import VM, by, cell, control, frame, one, row
from scipy import stats

from lab.stats import ranking


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

    def test_samples_beside_programs_of_others_do_not_count(self) -> None:
        disturbed = [row("a", "x", block, 50, bottleneck="foreign") for block in (3, 4, 5)]
        rows = [*cell("a", "x", [100, 101, 99]), *disturbed, *cell("b", "x", [100, 101, 99, 100, 101, 99])]
        assert list(ranking.rankable(frame(rows))["why"]) == ["", ""]
        (pair,) = ranking.pairwise(frame(rows)).to_dict("records")
        assert (pair["n"], pair["verdict"]) == (3, "tie")
        (why,) = ranking.rankable(frame(disturbed))["why"]
        assert why == "CPU-bound in 0 of 3 samples, 3 beside programs of others"

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

    def test_p_is_corrected_for_all_pairs(self) -> None:
        drift = np.array([1.0, 0.7, 1.3, 0.9, 1.1])
        rows = [
            entry
            for name, speed in (("a", 100.0), ("b", 99.0), ("c", 98.0))
            for entry in cell(name, "x", speed * drift * np.roll([1, 1.02, 0.98, 1.01, 0.99], ord(name)))
        ]
        found = ranking.pairwise(frame(rows)).set_index(["a", "b"])["p"]
        logs = {name: np.log([entry["value"] for entry in rows if entry["vpn"] == name]) for name in "abc"}
        raw = [stats.ttest_rel(logs[a[0]], logs[b[0]]).pvalue for a, b in found.index]
        assert found.tolist() == pytest.approx(stats.false_discovery_control(raw).tolist())

    def test_the_ratio_lies_in_its_interval(self) -> None:
        """Of geometric means, as the interval: the ratio of medians of these is outside of it."""
        rows = cell("a", "x", [100, 100, 100.1, 150, 151], **VM) + cell("b", "x", [50, 50.1, 50.2, 50.3, 50.4], **VM)
        found = one(ranking.pairwise(frame(rows)))
        assert found["low"] < found["ratio"] < found["high"]
        assert found["ratio"] == pytest.approx(
            stats.gmean([100, 100, 100.1, 150, 151]) / stats.gmean([50, 50.1, 50.2, 50.3, 50.4])
        )

    def test_the_clocks_have_margins_of_their_own(self) -> None:
        a, b = [100, 100.1, 99.9, 100, 100], [102, 102.1, 101.9, 102, 102]
        verdicts = {}
        for clock, where in (("wall", {}), ("instructions", VM)):
            found = one(ranking.pairwise(frame(cell("a", "x", a, **where) + cell("b", "x", b, **where))))
            verdicts[clock] = found["verdict"]
        assert verdicts == {"wall": "tie", "instructions": "lower"}

    def test_what_is_undecided_says_how_many_blocks_would_decide(self) -> None:
        rows = cell("a", "x", [100, 104, 96, 101], **VM) + cell("b", "x", [95, 99, 91, 96], **VM)
        found = one(ranking.pairwise(frame(rows)))
        assert found["verdict"] == "undecided"
        assert 4 < found["blocks"] < 40
