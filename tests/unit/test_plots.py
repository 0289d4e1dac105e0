"""Pictures hold what the analysis says, and only that."""
# ruff: noqa: RUF001 - en dashes are what the tables show

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from frames import UP, cell, control, frame, ledger, missing
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from lab import plots

META: dict[str, Any] = {"controls": ["plain"]}
LOAD = ("throughput", UP)


def words(figure: Figure) -> str:
    """Every text of a figure."""
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [axes.get_xlabel(), axes.get_title(), *(tick.get_text() for tick in axes.get_yticklabels())]
    for legend in figure.legends:
        found += [text.get_text() for text in legend.get_texts()]
    return "\n".join([figure.get_suptitle(), *found])


def a_run() -> pd.DataFrame:
    return frame(
        [
            *cell("alpha", "slow", [50, 51, 52]),
            *cell("alpha", "fast", [500, 510, 505]),
            *cell("beta", "fast", [300, 310, 305, 306]),
            missing("beta", "slow", "failed", "no"),
            *control([10000, 10100, 9900]),
            *(figure for block in range(3) for figure in ledger("alpha", "fast", block)),
        ]
    )


class TestThroughput:
    def test_says_unit_n_engine_clock_and_run(self) -> None:
        said = words(plots.throughput(a_run(), META, LOAD))
        for text in (UP, "run r1", "host engine, wall clock", "n 3–4", "Mbit/s", "control plain: 10000 Mbit/s"):
            assert text in said

    def test_best_suite_on_top_and_each_median_drawn(self) -> None:
        (axes,) = plots.throughput(a_run(), META, LOAD).axes
        assert [tick.get_text() for tick in axes.get_yticklabels()] == ["slow", "fast"]
        medians = {line.get_label(): list(line.get_xdata()) for line in axes.lines}  # type: ignore[arg-type]
        assert medians == {"alpha/udp": [505, 51], "beta/udp": [305.5]}

    def test_every_sample_is_a_dot(self) -> None:
        (axes,) = plots.throughput(a_run(), META, LOAD).axes
        dots = [len(group.get_offsets()) for group in axes.collections if isinstance(group, PathCollection)]  # type: ignore[arg-type]
        assert dots == [6, 4]

    def test_axis_is_linear_from_zero_unless_the_spread_is_wide(self) -> None:
        (axes,) = plots.throughput(a_run(), META, LOAD).axes
        assert (axes.get_xscale(), axes.get_xlim()[0]) == ("linear", 0)
        wide = frame(cell("alpha", "slow", [5, 6, 7]) + cell("alpha", "fast", [500, 510, 505]))
        (axes,) = plots.throughput(wide, META, LOAD).axes
        assert axes.get_xscale() == "log"
        assert "(log scale)" in axes.get_xlabel()

    def test_series_differ_in_colour_and_in_marker(self) -> None:
        looks = [plots._look(index) for index in range(9)]
        assert len({look["color"] for look in looks}) == len({look["marker"] for look in looks}) == 9


class TestStacks:
    def widths(self, figure: Figure) -> list[list[float]]:
        return [[round(bar.get_width(), 3) for bar in axes.patches] for axes in figure.axes]  # type: ignore[attr-defined]

    def test_kernel_and_user_seconds_at_each_end(self) -> None:
        figure = plots.cpu_split(a_run(), META, ("transfer", "size=1000000"))
        assert self.widths(figure) == [[750, 250], [300, 300]]
        assert [axes.get_title() for axes in figure.axes] == ["server", "client"]
        assert "CPU s/GB" in words(figure)

    def test_switches(self) -> None:
        assert self.widths(plots.switches(a_run(), META, ("transfer", "size=1000000"))) == [[300, 7], []]

    def test_cost_is_stacked_to_the_whole_machine(self) -> None:
        figure = plots.cost(a_run(), META, ("transfer", "size=1000000"))
        assert self.widths(figure) == [[1000, 600, 400]]
        (axes,) = figure.axes
        assert [bar.get_x() for bar in axes.patches] == [0, 1000, 1600]  # type: ignore[attr-defined]
        assert "rest of the machine" in words(figure)

    def test_bars_stand_under_their_series(self) -> None:
        figure = plots.cost(a_run(), META, ("transfer", "size=1000000"))
        assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["alpha/udp", "fast"]


def test_save_all(tmp_path: Path) -> None:
    paths = plots.save_all(a_run(), META, tmp_path)
    assert [path.name for path in paths] == [
        "throughput-direction-up-streams-1.png", "cpu-split.png", "switches.png", "cost.png"
    ]  # fmt: skip
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_nothing_measured_draws_nothing(tmp_path: Path) -> None:
    assert plots.save_all(frame([missing("a", "x", "unsupported", "no")]), META, tmp_path) == []
