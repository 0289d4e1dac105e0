# SPDX-License-Identifier: MIT
"""How a run is followed where the output is no terminal, and the time that it has left."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from lab.core.paths import RESULTS
from lab.results.cell import Cell
from lab.results.overview import skimmed
from lab.results.store import Store, cell_of
from lab.runner.forecast import Forecast
from lab.runner.plan import Step
from lab.runner.progress import Follow, result_text

CELL = Cell("alpha", "udp", "strong", "throughput", "streams=1")
OK = {"outcome": "ok", "readings": [{"value": 405.285264, "unit": "Mbit/s"}]}
FAILED = {"outcome": "failed", "reason": "the [client] did not come up"}


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("lab.runner.progress.time.monotonic", clock)
    return clock


def follow(clock: Clock, seconds: float, outcomes: list[dict[str, Any]], total: int, *, terminal: bool = False) -> str:
    output = io.StringIO()
    shown = Follow(Console(file=output, force_terminal=terminal, width=200))
    with shown.start(len(outcomes), total):
        for position, outcome in enumerate(outcomes):
            step = Step(1, position, CELL)
            shown.before(step)
            clock.now += seconds
            shown.after(step, outcome)
    return output.getvalue()


def test_plain_lines(clock: Clock) -> None:
    assert follow(clock, 10, [OK, FAILED, OK], total=3).splitlines() == [
        "1/3 block 2 alpha udp strong throughput streams=1: 405.3 Mbit/s (20 s left)",
        "2/3 block 2 alpha udp strong throughput streams=1: failed: the [client] did not come up (10 s left)",
        "3/3 block 2 alpha udp strong throughput streams=1: 405.3 Mbit/s (0 s left)",
    ]


def test_a_resumed_run_counts_what_it_had(clock: Clock) -> None:
    assert follow(clock, 10, [OK, OK], total=5).splitlines()[0].startswith("4/5 ")


def test_minutes(clock: Clock) -> None:
    lines = follow(clock, 60, [OK] * 4, total=4).splitlines()
    assert [line.rpartition("(")[2] for line in lines] == ["3 min left)", "2 min left)", "60 s left)", "0 s left)"]


def test_before_the_first_sample_the_time_is_not_known(clock: Clock) -> None:
    shown = Follow(Console(file=io.StringIO()))
    with shown.start(7, 9):
        assert shown.left() == "7 to go"


@pytest.mark.parametrize(("at_least", "said"), [(False, "about 5 min left"), (True, "at least 5 min left")])
def test_before_the_first_sample_the_forecast_is_told(clock: Clock, at_least: bool, said: str) -> None:
    output = io.StringIO()
    shown = Follow(Console(file=output), Forecast(300.0, at_least, None, {}))
    with shown.start(7, 9):
        assert output.getvalue() == f"2/9 ({said})\n"
        clock.now += 60
        assert shown.left() == said.replace("5", "4")
        shown.after(Step(0, 0, CELL), OK)
        assert shown.left() == "6 min left"  # its own pace, once there is one


def test_lines_are_not_folded(clock: Clock) -> None:
    reason = {"outcome": "failed", "reason": "word " * 100}
    assert len(follow(clock, 1, [reason], total=1).splitlines()) == 1


def test_a_terminal_shows_lines_only_for_what_went_wrong(clock: Clock) -> None:
    said = re.sub(r"\x1b\[[\d;?]*\w", "", follow(clock, 10, [OK, FAILED, OK], total=3, terminal=True))
    assert "2/3 block 2 alpha udp strong throughput streams=1: failed: the [client] did not come up" in said
    assert "405.3" not in said


def test_a_sample_in_a_few_words() -> None:
    assert result_text(OK) == "405.3 Mbit/s"
    assert result_text({"outcome": "invalid", "reason": "why"}) == "invalid: why"


RUNS = sorted(path.parent.name for path in RESULTS.glob("*/meta.json"))


@pytest.mark.parametrize("name", RUNS)
def test_the_bar_and_the_longest_cell_of_a_run_at_80_columns(clock: Clock, name: str) -> None:
    samples = [sample for sample in skimmed(Store(RESULTS / name)) if sample]
    cell = max((cell_of(sample) for sample in samples), key=lambda cell: len(str(cell)))
    output = io.StringIO()
    shown = Follow(Console(file=output, force_terminal=True, width=80))
    with shown.start(10, len(samples)):
        for position in range(2):
            shown.before(Step(9, position, cell))
            clock.now += 1500
            shown.after(Step(9, position, cell), OK)
        shown.before(Step(9, 2, cell))
        assert shown.bar
        drawn = Console(width=80, file=io.StringIO(), legacy_windows=False)
        with drawn.capture() as captured:
            drawn.print(shown.bar.get_renderable())
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in captured.get()
    assert f"{len(samples) - 8}/{len(samples)}" in lines[0]
    assert "block 10, 3 h 20 min left" in lines[0]
    assert "".join(lines[1:]).split() == str(cell).split()
