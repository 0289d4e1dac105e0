# SPDX-License-Identifier: MIT
"""Differences of two samples: they are scipy's tests, and interval, verdict and advice agree with each other."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy import stats

from lab.stats import differences
from lab.stats.differences import Differences

A, B = [0.1, 0.3, 0.2, 0.25], [0.0, 0.1, 0.4, 0.2, 0.1]


def one(gap: float, error: float, freedom: float = 8, n: int = 5) -> Differences:
    return Differences(*(np.array([value], float) for value in (n, gap, error, freedom)))


class TestEstimates:
    def test_within_blocks_it_is_student_s(self) -> None:
        found, theirs = differences.paired([A]), stats.ttest_1samp(A, 0)
        assert found.p[0] == pytest.approx(theirs.pvalue)
        assert np.log(found.interval).ravel() == pytest.approx(theirs.confidence_interval(0.95))
        assert found.ratio[0] == pytest.approx(stats.gmean(np.exp(A)))

    @pytest.mark.parametrize("estimate", [
        lambda: differences.welch([A], [B]), lambda: differences.every_two([B, A], [(1, 0)])
    ])  # fmt: skip
    def test_of_two_groups_it_is_welch_s(self, estimate: Any) -> None:
        found, theirs = estimate(), stats.ttest_ind(A, B, equal_var=False)
        assert found.p[0] == pytest.approx(theirs.pvalue)
        assert np.log(found.interval).ravel() == pytest.approx(theirs.confidence_interval(0.95))
        assert found.n.tolist() == [4]

    def test_rows_of_several_lengths(self) -> None:
        found = differences.welch([A, A[:3], A[:2]], [B, B[:3], B])
        assert found.p[:2] == pytest.approx(
            [stats.ttest_ind(A[:n], B[:m], equal_var=False).pvalue for n, m in ((4, 5), (3, 3))]
        )
        assert np.isnan(found.p[2])

    def test_samples_without_spread(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = differences.welch([[1.0] * 3, [1.0] * 3, [1.0] * 3], [[1.0] * 3, [2.0] * 3, [1.0, 1.1, 1.2]])
            p, verdicts = differences.judge(found, 0.01, "holm")
            blocks = differences.blocks_to_decide(found, p, verdicts, 0.01, "holm")
        assert found.p[:2].tolist() == [1.0, 0.0]
        assert list(verdicts) == ["tie", "lower", "undecided"]
        assert np.isnan(blocks[:2]).all()
        assert differences.paired([[0.0] * 3, [0.1] * 3]).p.tolist() == [1.0, 0.0]

    def test_two_samples_decide_nothing(self) -> None:
        found = differences.welch([[1.0, 1.0]], [[9.0, 9.0]])
        p, verdicts = differences.judge(found, 0.05, "bh")
        assert list(verdicts) == ["undecided"]
        assert found.ratio[0] == pytest.approx(np.exp(-8)), "what was read is shown"
        blocks = differences.blocks_to_decide(found, p, verdicts, 0.05, "bh")
        assert np.isnan([p[0], blocks[0], *np.ravel(found.interval)]).all()

    def test_none(self) -> None:
        assert len(differences.every_two([], []).p) == 0
        assert len(differences.welch([], []).blocks_needed(0.01, 0.05)) == 0


class TestCorrection:
    def test_benjamini_hochberg(self) -> None:
        p = differences.correct([0.01, 0.04, float("nan"), 0.03], "bh")
        assert p[[0, 1, 3]] == pytest.approx([0.03, 0.04, 0.04])
        assert np.isnan(p[2])

    def test_holm(self) -> None:
        """By hand: 0.01 x 3, 0.03 x 2, and the largest is at least as large as the one before."""
        p = differences.correct([0.01, 0.04, float("nan"), 0.03], "holm")
        assert p[[0, 1, 3]] == pytest.approx([0.03, 0.06, 0.06])
        assert np.isnan(p[2])
        assert differences.correct([0.9, 0.8], "holm").tolist() == [1, 1]

    @pytest.mark.parametrize(("method", "expected"), [("holm", 0.05 / 3), ("bh", 0.05 * 2 / 4)])
    def test_the_level_of_the_next(self, method: differences.Method, expected: float) -> None:
        """One of four is found: Holm leaves three, Benjamini and Hochberg let the second have twice the first's."""
        assert differences.level([0.001, 0.2, 0.3, 0.9, float("nan")], method) == pytest.approx(expected)


class TestVerdict:
    @pytest.mark.parametrize(
        ("gap", "error", "p", "said"),
        [
            (0.0, 0.01, 0.9, "tie"), (0.02, 0.005, 0.001, "tie"), (0.2, 0.03, 0.001, "higher"),
            (-0.2, 0.03, 0.001, "lower"), (0.2, 0.03, 0.2, "undecided"), (0.04, 0.03, 0.2, "undecided"),
            (0.0, 0.1, 0.9, "undecided"), (float("nan"), float("nan"), float("nan"), "undecided"),
        ],
    )  # fmt: skip
    def test_a_tie_lies_within_the_margin_and_a_difference_needs_a_small_p(
        self, gap: float, error: float, p: float, said: str
    ) -> None:
        assert one(gap, error).verdicts([p], 0.05) == [said]

    def test_a_tie_is_two_one_sided_tests(self) -> None:
        a = np.log([100, 101, 99, 100.5, 99.5])
        for shift in (0.0, 0.03, 0.036, 0.05):
            b = a + shift
            above = stats.ttest_ind(b + np.log(1.05), a, equal_var=False, alternative="greater").pvalue
            below = stats.ttest_ind(b - np.log(1.05), a, equal_var=False, alternative="less").pvalue
            tie = differences.welch([b], [a]).verdicts([1.0], 0.05) == ["tie"]
            assert tie == (max(above, below) < 0.025), shift


class TestBlocks:
    def test_a_smaller_gap_and_a_stricter_level_take_more(self) -> None:
        def blocks(gap: float, level: float = 0.05) -> float:
            return float(one(gap, 0.02).blocks_needed(0.001, level)[0])

        assert blocks(0.3) < blocks(0.1) < blocks(0.03)
        assert blocks(0.1) < blocks(0.1, 0.0005)

    def test_the_same_takes_more_within_a_narrower_margin(self) -> None:
        many, few = (one(0.0, 0.01).blocks_needed(margin, 0.05)[0] for margin in (0.01, 0.05))
        assert few < many

    def test_it_is_the_fewest_that_suffice(self) -> None:
        """By the textbook's formula, at the number and one below."""
        n = int(one(0.05, 0.02).blocks_needed(0.001, 0.05)[0])
        for blocks, suffices in ((n, True), (n - 1, False)):
            freedom = 2 * (blocks - 1)
            reach = stats.t.ppf(0.975, freedom) + stats.t.ppf(0.95, freedom)
            assert (0.02 * np.sqrt(5 / blocks) * reach <= 0.05) is np.bool_(suffices)

    def test_what_no_number_decides(self) -> None:
        """A gap as wide as the margin is no tie and, with this spread, no difference either."""
        assert np.isnan(one(np.log(1.01), 5.0).blocks_needed(0.01, 0.05)[0])
