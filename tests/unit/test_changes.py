# SPDX-License-Identifier: MIT
"""`lab history`: where a figure changed in the course of many runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored import sample

from lab.cli.history import history
from lab.core.errors import UsageError
from lab.report.timeline import timelines
from lab.results.store import Store
from lab.stats import changes

RUNS, STEP, TRIALS = 30, 20, 300


def noisy(rng: np.random.Generator, size: float = 0.01) -> Any:
    return np.exp(size * rng.normal(size=RUNS))


class TestSeries:
    def test_a_step_is_found_where_it_is(self) -> None:
        rng, near = np.random.default_rng(8), 0
        for _ in range(TRIALS):
            levels = noisy(rng)
            levels[STEP:] *= 0.97
            near += any(abs(change.at - STEP) <= 1 for change in changes.changes(levels))
        assert near / TRIALS >= 0.95

    def test_no_step_is_found_where_there_is_none(self) -> None:
        rng = np.random.default_rng(9)
        assert sum(bool(changes.changes(noisy(rng))) for _ in range(TRIALS)) / TRIALS <= 0.05

    def test_nor_in_many_series_at_once(self) -> None:
        rng = np.random.default_rng(10)
        assert not any(changes.changes(noisy(rng), TRIALS) for _ in range(TRIALS))

    def test_how_much(self) -> None:
        levels = np.array([100.0, 101, 99, 100, 97, 96, 97, 98])
        (change,) = changes.changes(levels)
        assert change.at == 4
        before, after = (float(np.exp(np.log(half).mean())) for half in (levels[:4], levels[4:]))
        assert (change.before, change.after) == pytest.approx((before, after))
        assert change.ratio == pytest.approx(after / before)
        assert change.low < change.ratio < change.high < 1
        assert 0 < change.p < 0.05

    @pytest.mark.parametrize(("up", "down"), [(1.1, 0.9), (1.05, 1 / 1.05), (1.05, 1.05)])
    def test_two_steps(self, up: float, down: float) -> None:
        """Also those that undo each other: worse in one version, and put right in another."""
        rng, both = np.random.default_rng(3), 0
        for _ in range(TRIALS // 3):
            levels = noisy(rng)
            levels[10:] *= up
            levels[20:] *= down
            found = [change.at for change in changes.changes(levels)]
            both += len(found) == 2 and abs(found[0] - 10) <= 1 and abs(found[1] - 20) <= 1
        assert both / (TRIALS // 3) >= 0.85

    @pytest.mark.parametrize("levels", [[], [5.0], [1, 1, 1, 9, 9], [7.0] * 30])
    def test_what_shows_no_change(self, levels: list[float]) -> None:
        assert changes.changes(levels) == []

    def test_levels_without_noise(self) -> None:
        (change,) = changes.changes([100.0] * 5 + [90.0] * 5)
        assert (change.at, change.ratio, change.low, change.high) == (5, *[pytest.approx(0.9)] * 3)
        assert change.p < 1e-6

    @pytest.mark.parametrize("at", range(RUNS))
    def test_one_run_that_is_off_is_no_change(self, at: int) -> None:
        levels = noisy(np.random.default_rng(4), 0.001)
        levels[at] *= 1.5
        assert not [change for change in changes.changes(levels, 2) if change.at > 0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve runs of two cells, of which one is slower from the ninth on, and one run on another clock."""
    rng = np.random.default_rng(6)
    for number in range(13):
        clock = "wall" if number < 12 else "instructions"
        about = {
            "created": (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)).isoformat(),
            "engine": {"name": "vm", "clock": clock},
        }
        store = Store.create(tmp_path / f"r{number:02}", about)
        for block in range(3):
            for position, suite in enumerate(("strong", "weak")):
                value = 100 * (0.9 if suite == "weak" and number >= 8 else 1) * float(np.exp(0.002 * rng.normal()))
                figures = [{"metric": "throughput", "unit": "Mbit/s", "end": "server", "value": value}]
                figures += [{"metric": "retransmits", "unit": "count", "end": "client", "value": float(number)}]
                place = {"run": store.folder.name, "block": block, "engine": "vm", "clock": clock}
                store.append(sample(position, suite=suite, readings=figures, **place))
    return tmp_path


class TestTimeline:
    def test_a_clock_is_a_history_of_its_own(self, folder: Path) -> None:
        one, many = timelines(folder)
        assert (one.clock, one.runs) == ("instructions", ["r12"])
        assert (many.clock, many.runs) == ("wall", [f"r{number:02}" for number in range(12)])
        assert [(each.cell["suite"], each.metric) for each in many.series] == [
            ("strong", "throughput"), ("weak", "throughput"),
        ]  # fmt: skip

    def test_the_change_names_its_run(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        history(folder, as_json=True)
        _, told = json.loads(capsys.readouterr().out)
        still, changed = told["series"]
        assert still["changes"] == []
        (change,) = changed["changes"]
        assert (change["previous"], change["run"], change["verdict"]) == ("r07", "r08", "worse")
        assert change["ratio"] == pytest.approx(0.9, abs=0.005)
        assert changed["runs"][change["at"]] == "r08"
        assert len(changed["levels"]) == 12

    def test_as_a_picture(self, folder: Path) -> None:
        still, changed = timelines(folder)[1].series
        before, after = changed.picture.split("|")
        assert (len(before), len(after)) == (8, 4)
        assert min(before) > max(after)
        assert "|" not in still.picture

    def test_in_a_terminal_and_as_markdown(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        history(folder)
        text = " ".join(capsys.readouterr().out.split())
        assert "lab matrix, vm engine, wall clock: 12 runs from r00 to r11" in text
        assert "1 of 2 figures changed" in text
        assert "lab matrix, vm engine, instructions clock: one run: r12" in text
        assert "0 of 2 figures changed; 2 are in fewer than 6 runs, which show no change" in text
        history(folder, markdown=True)
        lines = capsys.readouterr().out.splitlines()
        (row,) = [line for line in lines if "r08" in line]
        head = next(line for line in lines if line.startswith("| figure"))
        assert row.count("|") == head.count("|")
        assert "alpha udp weak throughput direction=up streams=1 throughput, Mbit/s" in row
        assert "| worse |" in row

    def test_measures(self, folder: Path) -> None:
        assert len(timelines(folder, ["throughput"])) == 2
        with pytest.raises(UsageError, match=r"--measure: no run in .* has weight") as caught:
            timelines(folder, ["weight"])
        assert caught.value.hint == "there are: throughput"

    def test_a_folder_without_runs(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="holds no run with samples"):
            timelines(tmp_path)
