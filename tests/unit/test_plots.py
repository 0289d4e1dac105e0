# SPDX-License-Identifier: MIT
"""Pictures hold what the analysis says, and only that."""
# ruff: noqa: RUF001 - en dashes are what the tables show

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from frames import UP, VM, cell, control, frame, ledger, missing, summary, whole_matrix
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from lab.benches.vpn.views import contents, cpu_plots, speed_plots
from lab.report import plots

META: dict[str, Any] = {"controls": ["plain"]}
LOAD = ("throughput", UP)


def words(figure: Figure) -> str:
    """Every text of a figure."""
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [
            axes.get_xlabel(),
            axes.get_ylabel(),
            axes.get_title(),
            *(tick.get_text() for tick in axes.get_yticklabels()),
        ]
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
        said = words(speed_plots.throughput(summary(a_run(), META), LOAD))
        for text in (
            UP,
            "run r1",
            "host engine, wall clock",
            "n 3–4",
            "Mbit/s",
            "control plain: 10000 Mbit/s of wall-clock time",
        ):
            assert text in said

    def test_best_suite_on_top_and_each_median_drawn(self) -> None:
        (axes,) = speed_plots.throughput(summary(a_run(), META), LOAD).axes
        assert [tick.get_text() for tick in axes.get_yticklabels()] == ["slow", "fast"]
        medians = {line.get_label(): list(line.get_xdata()) for line in axes.lines}  # type: ignore[arg-type]
        assert medians == {"alpha/udp": [505, 51], "beta/udp": [305.5]}

    def test_every_sample_is_a_dot(self) -> None:
        (axes,) = speed_plots.throughput(summary(a_run(), META), LOAD).axes
        dots = [len(group.get_offsets()) for group in axes.collections if isinstance(group, PathCollection)]  # type: ignore[arg-type]
        assert dots == [6, 4]

    def test_axis_is_linear_from_zero_unless_the_spread_is_wide(self) -> None:
        (axes,) = speed_plots.throughput(summary(a_run(), META), LOAD).axes
        assert (axes.get_xscale(), axes.get_xlim()[0]) == ("linear", 0)
        wide = frame(cell("alpha", "slow", [5, 6, 7]) + cell("alpha", "fast", [500, 510, 505]))
        (axes,) = speed_plots.throughput(summary(wide, META), LOAD).axes
        assert axes.get_xscale() == "log"
        assert "(log scale)" in axes.get_xlabel()

    def test_series_differ_in_colour_and_in_marker(self) -> None:
        looks = [plots.look(index) for index in range(9)]
        assert len({look["color"] for look in looks}) == len({look["marker"] for look in looks}) == 9


class TestStacks:
    def widths(self, figure: Figure) -> list[list[float]]:
        return [[round(bar.get_width(), 3) for bar in axes.patches] for axes in figure.axes]  # type: ignore[attr-defined]

    def test_kernel_and_user_seconds_at_each_end(self) -> None:
        figure = cpu_plots.cpu_split(summary(a_run(), META), ("transfer", "size=1000000"))
        assert self.widths(figure) == [[750, 250], [300, 300], [1100, 700, 200]]
        assert [axes.get_title() for axes in figure.axes] == [
            "server: its processes", "client: its processes", "whole machine"
        ]  # fmt: skip
        assert "CPU s/GB\nof wall-clock time" in words(figure)
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["kernel", "user", "softirq"]

    def test_switches(self) -> None:
        assert self.widths(cpu_plots.switches(summary(a_run(), META), ("transfer", "size=1000000"))) == [[300, 7], []]

    def test_cost_is_stacked_to_the_whole_machine(self) -> None:
        figure = cpu_plots.cost(summary(a_run(), META), ("transfer", "size=1000000"))
        assert self.widths(figure) == [[1000, 600, 400]]
        (axes,) = figure.axes
        assert [bar.get_x() for bar in axes.patches] == [0, 1000, 1600]  # type: ignore[attr-defined]
        assert "rest of the machine" in words(figure)

    def test_bars_stand_under_their_series(self) -> None:
        figure = cpu_plots.cost(summary(a_run(), META), ("transfer", "size=1000000"))
        assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["alpha/udp · user space", "fast"]


class TestRecords:
    def test_a_symbol_says_where_records_are_processed(self) -> None:
        rows = cell("a", "x", [5, 6, 7]) + cell("a", "x", [8, 9, 9], variant="udp-kernel", records="kernel")
        rows += cell("a", "x", [3, 3, 3], variant="tls-kernel-tx", records="kernel-tx")
        figure = speed_plots.throughput(summary(frame(rows)), LOAD)
        lines = {str(line.get_label()): line for line in figure.axes[0].lines}
        faces = {name: (line.get_fillstyle(), line.get_markerfacecolor() == "white") for name, line in lines.items()}
        assert faces == {
            "a/udp": ("full", False), "a/udp-kernel": ("full", True), "a/tls-kernel-tx": ("left", False)
        }  # fmt: skip
        assert plots.FILLED in words(figure)

    def test_nothing_is_said_where_all_are_alike(self) -> None:
        assert plots.FILLED not in words(speed_plots.throughput(summary(a_run(), META), LOAD))

    def test_many_series_have_looks_of_their_own(self) -> None:
        looks = [plots.look(index) for index in range(81)]
        assert len({(look["color"], look["marker"]) for look in looks}) == 81


class TestModes:
    def test_each_mode_is_a_mark_with_its_n(self) -> None:
        figure = speed_plots.throughput(summary(frame(cell("a", "x", [162, 117, 163], **VM))), LOAD)
        (line,) = figure.axes[0].lines
        assert list(line.get_xdata()) == [162.5, 117]  # type: ignore[arg-type]
        assert [text.get_text() for text in figure.axes[0].texts] == ["n=2", "n=1"]
        assert "a symbol with its n for each mode" in words(figure)
        assert "n 3" in words(figure)

    def test_each_mode_is_a_bar(self) -> None:
        rows = []
        for block, factor in enumerate((1.0, 2.0, 1.0)):
            for entry in ledger("a", "x", block, **VM):
                changed = entry["metric"] == "throughput" or entry["metric"] == "cost"
                rows.append(entry | {"value": entry["value"] * (factor if changed else 1)})
        figure = cpu_plots.cost(summary(frame(rows)), ("transfer", "size=1000000"))
        assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == [
            "a/udp · user space", "x (mode of n=2)", "x (mode of n=1)"
        ]  # fmt: skip
        assert [round(bar.get_width()) for bar in figure.axes[0].patches][:2] == [1000, 2000]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def matrix() -> dict[str, Figure]:
    """The pictures of a whole matrix."""
    return dict(contents.pictures(summary(whole_matrix(), META)))


class TestWholeMatrix:
    name = "throughput-direction-up-streams-1"

    def test_an_overview_and_a_picture_for_each_vpn(self, matrix: dict[str, Figure]) -> None:
        names = [name for name in matrix if name.startswith("throughput")]
        assert names == [self.name, *(f"{self.name}-{vpn}" for vpn in ("alpha", "beta", "delta", "gamma"))]
        of_vpn = matrix[f"{self.name}-gamma"].axes[0]
        assert len(of_vpn.get_yticklabels()) == 35
        assert len(of_vpn.lines) == 4

    def test_the_overview_has_the_best_of_each_vpn(self, matrix: dict[str, Figure]) -> None:
        (axes,) = matrix[self.name].axes
        assert len(axes.get_yticklabels()) == speed_plots.OVERVIEW
        lines = {str(line.get_label()): line for line in axes.lines}
        assert list(lines) == [
            "alpha (tls13-kernel, tls-kernel)", "alpha (tls-kernel-tx)", "alpha (tls-vhost)", "beta (esp-in-udp)",
            "delta (udp)", "gamma (tcp)", "gamma (tcp-kernel)",
        ]  # fmt: skip
        assert "the 12 of 35 ciphersuites" in words(matrix[self.name])

    @pytest.mark.parametrize("name", ["cpu-split", "switches", "cost"])
    def test_bars_are_those_of_the_suites_that_most_have(self, matrix: dict[str, Figure], name: str) -> None:
        ticks = [tick.get_text() for tick in matrix[name].axes[0].get_yticklabels()]
        assert len(ticks) <= cpu_plots.MANY
        series = [text for text in ticks if "·" in text]
        assert len(series) == 15
        assert "beta/esp · kernel" in series
        assert set(ticks) - set(series) <= {f"suite-{number:02d}" for number in range(8)}
        assert "that most series have" in words(matrix[name])

    def test_each_fits_a_screen_or_two(self, matrix: dict[str, Figure]) -> None:
        for figure in matrix.values():
            assert figure.get_figheight() < 25


def test_pictures_are_named_and_drawn() -> None:
    found = dict(contents.pictures(summary(a_run(), META)))
    assert list(found) == ["throughput-direction-up-streams-1", "cpu-split", "switches", "cost"]
    assert plots.drawn(found["cost"], "png").startswith(b"\x89PNG")


def test_nothing_measured_draws_nothing() -> None:
    assert list(contents.pictures(summary(frame([missing("a", "x", "unsupported", "no")]), META))) == []
