# SPDX-License-Identifier: MIT
"""The fence that the past of a figure gives."""

from __future__ import annotations

import numpy as np
import pytest

from lab.stats import history


def test_it_is_the_third_quartile_and_three_times_the_distance_of_the_quartiles() -> None:
    changes = np.array([0.01, -0.02, 0.03, -0.04, 0.05])
    levels = 100 * np.exp(np.cumsum([0, *changes]))
    assert history.fence(levels.tolist()) == pytest.approx(np.exp(0.04 + 3 * (0.04 - 0.02)))


def test_a_past_without_changes_allows_none() -> None:
    assert history.fence([100.0] * 6) == 1


@pytest.mark.parametrize("runs", [0, 1, 4])
def test_a_short_past_says_nothing(runs: int) -> None:
    assert np.isnan(history.fence([100.0, 90.0, 120.0, 99.0][:runs]))


def test_a_run_that_lacks_a_cell_is_left_out_of_it() -> None:
    past = [{"a": 1.0 * (run % 2 + 1), **({"b": 1.0} if run < 3 else {})} for run in range(5)]
    fences = history.fences(past, ["a", "b", "c"])
    assert fences[0] == pytest.approx(2)
    assert np.isnan(fences[1:]).all()
