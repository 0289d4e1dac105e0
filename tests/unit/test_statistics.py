# SPDX-License-Identifier: MIT
"""The claims of benchmarks/instrument.py with few trials: whatever is wanted there holds here, with room for chance."""

from __future__ import annotations

from functools import cache

import instrument
import numpy as np
import pytest
from frames import VM, cell, frame

from lab.stats.summary import Summary

TRIALS = 60


@cache
def rows(part: instrument.Part) -> list[instrument.Row]:
    return list(part(np.random.default_rng(5), TRIALS))


def share(part: instrument.Part, *words: str) -> float:
    (found,) = [row.share for row in rows(part) if all(word in row.what for word in words)]
    return found


@pytest.mark.parametrize(
    "part",
    [
        instrument.of_differences,
        instrument.of_modes_compared,
        instrument.of_modes,
        instrument.of_intervals,
        instrument.of_looks,
        instrument.of_changes,
    ],
)
def test_what_is_wanted_holds(part: instrument.Part) -> None:
    bounds = [row for row in rows(part) if row.wanted]
    assert bounds
    assert [row for row in bounds if not row.met(row.trials or TRIALS)] == []


@pytest.mark.parametrize("clock", ["instructions clock, noise 1.0%", "wall clock, noise 5.0%"])
def test_more_blocks_find_more(clock: str) -> None:
    found, tied = (
        [share(instrument.of_differences, clock, f" {n} blocks", what) for n in (5, 10, 20)]
        for what in ("is found", "an equal cell is called a tie")
    )
    for shares in (found, tied):
        assert shares == sorted(shares)
        assert shares[-1] > shares[0] + 0.5


def test_more_blocks_miss_fewer_modes() -> None:
    missed = [share(instrument.of_modes, "50% in one", f" {n} blocks", "missed") for n in (5, 10, 20)]
    assert missed == sorted(missed, reverse=True)


def test_a_range_holds_the_median_less_often_than_an_interval() -> None:
    """So it is not called one: three samples hold it in three of four cases."""
    assert share(instrument.of_intervals, "3 samples, called range") == pytest.approx(0.75, abs=0.06)
    assert share(instrument.of_intervals, "5 samples, called range") == pytest.approx(0.9375, abs=0.03)


def test_equal_cells_share_a_tier() -> None:
    ranks = list(instrument.of_ranks(np.random.default_rng(5), 1))
    assert len(ranks) == 6
    assert [row for row in ranks if not row.met(row.trials)] == []


@pytest.mark.parametrize("about", ["instructions clock, noise 1.0%", "wall clock, noise 5.0%"])
def test_a_look_after_every_block_finds_what_is_not_there(about: str) -> None:
    sound, naive = (
        share(instrument.of_looks, f"{about}, 2 equal cells: {what}")
        for what in ("a false difference when the run stops", "the same, looked at after every block")
    )
    assert sound <= 0.1 < naive


def test_a_run_that_is_decided_takes_fewer_blocks() -> None:
    assert share(instrument.of_looks, "noise 0.3%, 2 equal cells: blocks taken") < 0.5
    assert share(instrument.of_looks, "noise 3.0%, 2 equal cells: blocks taken") > 0.9


def test_cells_of_real_tunnels_that_lie_within_a_per_cent() -> None:
    values = {"near": [100, 100.4, 100.9], "far": [100, 100.4, 101.1]}
    run = Summary(frame([row for name, its in values.items() for row in cell(name, "x", its, **VM)]), {})
    (row,) = instrument.of_tunnels(run)
    assert (row.share, row.trials) == (0.5, 2)
    assert "throughput, 2 cells of 2 data paths, 3 blocks" in row.what
