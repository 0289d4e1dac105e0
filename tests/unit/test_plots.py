# SPDX-License-Identifier: MIT
"""Pictures hold what the analysis says, and only that."""
# ruff: noqa: RUF001 - en dashes are what the tables show

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from frames import UP, VM, cell, control, frame, ledger, missing, summary, whole_matrix

from lab.benches.vpn.views import contents, cpu_plots, looks, speed_plots
from lab.core.errors import LabError
from lab.report import drawing, plots, tables
from lab.report.plots import Picture

META: dict[str, Any] = {"controls": ["plain"]}
LOAD = ("throughput", UP)


def rows(picture: Picture, *columns: str, mark: str = "") -> list[tuple[Any, ...]]:
    """The data of every layer, or of those with a `mark`, that have these columns."""
    spec = plots.spec(picture)
    found: list[tuple[Any, ...]] = []
    for layer in layers(spec):
        kind = layer["mark"]["type"]
        data = spec["datasets"][layer["data"]["name"]]
        if mark in ("", kind) and data and set(columns) <= set(data[0]):
            found += [tuple(row[column] for column in columns) for row in data]
    return found


def layers(spec: dict[str, Any], data: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """Every layer of a picture, with its data."""
    data = spec.get("data", data)
    parts = [part for key in ("layer", "hconcat", "concat") for part in spec.get(key, [])]
    for part in parts:
        yield from layers(part, data)
    if not parts:
        yield {**spec, "data": data}


def words(picture: Picture) -> str:
    """Everything that a picture says: titles of picture, panels and axes."""
    spec = plots.spec(picture)
    found = [spec["title"]["text"], *spec["title"]["subtitle"]]
    for layer in layers(spec):
        found += [str(entry.get("title")) for entry in layer["encoding"].values() if isinstance(entry, dict)]
        found.append(str(layer.get("title")))
    return "\n".join(found)


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
        said = words(speed_plots.by_suite(summary(a_run(), META), LOAD))
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
        picture = speed_plots.by_suite(summary(a_run(), META), LOAD)
        (points,) = [layer for layer in layers(plots.spec(picture)) if layer["mark"]["type"] == "point"]
        assert points["encoding"]["y"]["sort"] == ["fast", "slow"]
        assert sorted(rows(picture, "series", "suite", "median", mark="point")) == [
            ("alpha/udp", "fast", 505), ("alpha/udp", "slow", 51), ("beta/udp", "fast", 305.5)
        ]  # fmt: skip

    def test_every_sample_is_a_tick(self) -> None:
        picture = speed_plots.by_suite(summary(a_run(), META), LOAD)
        assert sorted(value for (value,) in rows(picture, "value", mark="tick")) == [
            50, 51, 52, 300, 305, 306, 310, 500, 505, 510
        ]  # fmt: skip

    def test_axis_is_linear_from_zero_unless_the_spread_is_wide(self) -> None:
        assert self.scale(a_run()) == {"zero": True}
        wide = frame(cell("alpha", "slow", [5, 6, 7]) + cell("alpha", "fast", [500, 510, 505]))
        assert self.scale(wide)["type"] == "log"
        assert "(log scale)" in words(speed_plots.by_suite(summary(wide, META), LOAD))

    def scale(self, df: pd.DataFrame) -> dict[str, Any]:
        spec = plots.spec(speed_plots.by_suite(summary(df, META), LOAD))
        scale: dict[str, Any] = next(layers(spec))["encoding"]["x"]["scale"]
        return scale

    def test_a_logarithmic_axis_has_few_round_labels(self) -> None:
        _, _, axis = plots.value_scale(pd.Series([50.0, 1000.0]), "")
        assert axis.to_dict()["values"] == [50, 100, 200, 500, 1000]


class TestTimes:
    def test_round_trips_and_handshakes_are_drawn_the_shortest_on_top(self) -> None:
        entries: list[dict[str, Any]] = []
        for suite, value in (("slow", 3.0), ("quick", 1.0)):
            for measure, metric, conditions in (("latency", "rtt_p50", "load=idle"), ("handshake", "handshake", "")):
                shape = {"measure": measure, "metric": metric, "conditions": conditions, "end": "client"}
                entries += cell("a", suite, [value] * 3, unit="ms", **shape)
        asked = {**META, "settings": {"measures": ["latency", "handshake"]}}
        drawn = dict(contents.pictures(summary(frame(entries), asked)))
        assert list(drawn) == ["latency-load-idle", "handshake"], "as they were asked for"
        for picture in drawn.values():
            (points,) = [layer for layer in layers(plots.spec(picture)) if layer["mark"]["type"] == "point"]
            assert points["encoding"]["y"]["sort"] == ["quick", "slow"]
            assert sorted(rows(picture, "suite", "median", mark="point")) == [("quick", 1), ("slow", 3)]
        assert "of wall-clock time" in words(drawn["handshake"])


class TestLooks:
    def scales(self, *paths: tuple[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        names = pd.DataFrame(paths, columns=["vpn", "variant"])
        found = [scale.to_dict() for scale in looks.of(names.assign(series=tables.series(names)))]
        color, shape = (dict(zip(scale["domain"], scale["range"], strict=True)) for scale in found)
        return color, shape

    def test_a_vpn_has_one_colour_whatever_else_is_shown(self) -> None:
        vpns = list(looks.colors())
        alone = {name: self.scales((name, "x"), ("other", "x"))[0][f"{name}/x"] for name in vpns}
        together, _ = self.scales(*((name, "x") for name in vpns))
        assert {f"{name}/x": color for name, color in alone.items()} == together
        assert len(set(together.values())) == len(vpns)

    def test_variants_of_a_vpn_differ_in_shape(self) -> None:
        color, shape = self.scales(("a", "x"), ("a", "y"), ("b", "x"))
        assert color["a/x"] == color["a/y"] != color["b/x"]
        assert shape["a/x"] != shape["a/y"]

    def test_variants_of_the_only_vpn_differ_in_colour_too(self) -> None:
        color, shape = self.scales(*(("a", name) for name in "abcdefgh"))
        assert len(set(color.values())) == len(set(shape.values())) == 8


class TestStacks:
    def widths(self, picture: Picture) -> list[list[float]]:
        spec = plots.spec(picture)
        data = [spec["datasets"][panel["data"]["name"]] for panel in layers(spec)]
        return [[round(row["median"], 3) for row in sorted(each, key=lambda row: row["order"])] for each in data]

    def test_kernel_and_user_seconds_at_each_end(self) -> None:
        picture = cpu_plots.cpu_split(summary(a_run(), META), ("transfer", "size=1000000"))
        assert self.widths(picture) == [[750, 250], [300, 300], [1100, 700, 200]]
        assert [panel["title"] for panel in layers(plots.spec(picture))] == [
            "server: its processes", "client: its processes", "whole machine"
        ]  # fmt: skip
        assert "['CPU s/GB', 'of wall-clock time']" in words(picture)
        assert list(dict.fromkeys(rows(picture, "part"))) == [("kernel",), ("user",), ("softirq",)]

    def test_switches(self) -> None:
        picture = cpu_plots.switches(summary(a_run(), META), ("transfer", "size=1000000"))
        assert self.widths(picture) == [[300, 7], []]

    def test_cost_is_stacked_to_the_whole_machine(self) -> None:
        picture = cpu_plots.cost(summary(a_run(), META), ("transfer", "size=1000000"))
        assert self.widths(picture) == [[1000, 600, 400]]
        assert ("rest of the machine",) in rows(picture, "part")

    def test_bars_stand_under_their_series(self) -> None:
        picture = cpu_plots.cost(summary(a_run(), META), ("transfer", "size=1000000"))
        assert names(picture) == ["alpha/udp · user space", "fast"]
        assert {line for (line,) in rows(picture, "line")} == {1}


def names(picture: Picture) -> list[str]:
    """The names of the lines of a picture of bars."""
    axis = next(layers(plots.spec(picture)))["encoding"]["y"]["axis"]
    listed: list[str] = json.loads(axis["labelExpr"].removesuffix("[datum.value]"))
    return listed


class TestRecords:
    def test_a_symbol_says_where_records_are_processed(self) -> None:
        rows = cell("a", "x", [5, 6, 7]) + cell("a", "x", [8, 9, 9], variant="udp-kernel", records="kernel")
        rows += cell("a", "x", [3, 3, 3], variant="tls-kernel-tx", records="kernel-tx")
        picture = speed_plots.by_suite(summary(frame(rows)), LOAD)
        (points,) = [layer for layer in layers(plots.spec(picture)) if layer["mark"]["type"] == "point"]
        scale = points["encoding"]["fillOpacity"]["scale"]
        assert dict(zip(scale["domain"], scale["range"], strict=True)) == {"user": 1, "kernel-tx": 0.35, "kernel": 0}
        assert plots.FILLED in words(picture)

    def test_nothing_is_said_where_all_are_alike(self) -> None:
        assert plots.FILLED not in words(speed_plots.by_suite(summary(a_run(), META), LOAD))


class TestModes:
    def test_each_mode_is_a_mark_with_its_n(self) -> None:
        picture = speed_plots.by_suite(summary(frame(cell("a", "x", [162, 117, 163], **VM))), LOAD)
        assert rows(picture, "median", "n", mark="point") == [(162.5, 2), (117, 1)]
        numbered = [layer for layer in layers(plots.spec(picture)) if layer["mark"]["type"] == "text"]
        assert len({layer["mark"]["dy"] for layer in numbered}) == 2
        assert "a symbol with its n for each mode" in words(picture)
        assert "n 3" in words(picture)

    def test_each_mode_is_a_bar(self) -> None:
        entries = []
        for block, factor in enumerate((1.0, 2.0, 1.0)):
            for entry in ledger("a", "x", block, **VM):
                changed = entry["metric"] == "throughput" or entry["metric"] == "cost"
                entries.append(entry | {"value": entry["value"] * (factor if changed else 1)})
        picture = cpu_plots.cost(summary(frame(entries)), ("transfer", "size=1000000"))
        assert names(picture) == ["a/udp · user space", "x (mode of n=2)", "x (mode of n=1)"]
        bars = rows(picture, "part", "line", "median")
        assert [bar for bar in bars if bar[0] == "server"] == [("server", 1, 1000), ("server", 2, 2000)]


@pytest.fixture(scope="module")
def matrix() -> dict[str, Picture]:
    """The pictures of a whole matrix."""
    return dict(contents.pictures(summary(whole_matrix(), META)))


class TestWholeMatrix:
    name = "throughput-direction-up-streams-1"

    def test_an_overview_and_a_picture_for_each_vpn(self, matrix: dict[str, Picture]) -> None:
        drawn = [name for name in matrix if name.startswith("throughput")]
        assert drawn == [self.name, *(f"{self.name}-{vpn}" for vpn in ("alpha", "beta", "delta", "gamma"))]
        medians = rows(matrix[f"{self.name}-gamma"], "suite", "series", mark="point")
        assert (len({suite for suite, _ in medians}), len({series for _, series in medians})) == (35, 4)

    def test_the_overview_has_the_best_of_each_vpn(self, matrix: dict[str, Picture]) -> None:
        medians = rows(matrix[self.name], "suite", "series", mark="point")
        assert len({suite for suite, _ in medians}) == speed_plots.OVERVIEW
        assert tables.order(series for _, series in medians) == [
            "alpha (tls13-kernel, tls-kernel)", "alpha (tls-kernel-tx)", "alpha (tls-vhost)", "beta (esp-in-udp)",
            "delta (udp)", "gamma (tcp)", "gamma (tcp-kernel)",
        ]  # fmt: skip
        assert "the 12 of 35 ciphersuites" in words(matrix[self.name])

    @pytest.mark.parametrize("name", ["cpu-split", "switches", "cost"])
    def test_bars_are_those_of_the_suites_that_most_have(self, matrix: dict[str, Picture], name: str) -> None:
        ticks = names(matrix[name])
        assert len(ticks) <= cpu_plots.MANY
        series = [text for text in ticks if "·" in text]
        assert len(series) == 15
        assert "beta/esp · kernel" in series
        assert set(ticks) - set(series) <= {f"suite-{number:02d}" for number in range(8)}
        assert "that most series have" in words(matrix[name])


def test_pictures_are_named_and_drawn() -> None:
    found = dict(contents.pictures(summary(a_run(), META)))
    assert list(found) == [
        "throughput-direction-up-streams-1", "transfer-size-1000000", "cpu-split", "switches", "cost"
    ]  # fmt: skip
    chart = plots.spec(found["cost"])
    assert drawing.drawn(chart, "png").startswith(b"\x89PNG")
    assert drawing.drawn(chart, "svg").startswith(b"<svg")
    with drawing.beside([(chart, "svg"), (chart, "png")]) as pictures:
        assert pictures.result() == [drawing.drawn(chart, "svg"), drawing.drawn(chart, "png")]


def test_a_picture_that_cannot_be_drawn_is_an_error() -> None:
    with (
        drawing.beside([({"mark": "none such"}, "png")]) as pictures,
        pytest.raises(LabError, match="draws the pictures"),
    ):
        pictures.result()


def test_pictures_are_valid_vega_lite(matrix: dict[str, Picture]) -> None:
    for picture in matrix.values():
        assert picture.to_dict(validate=True)["$schema"] == plots.spec(picture)["$schema"]


def test_a_control_alone_is_no_comparison() -> None:
    shake = {"measure": "handshake", "conditions": "", "metric": "handshake", "unit": "s", "end": "client"}
    rows = [*control([1, 2, 3]), *cell("plain", "none", [1, 2, 3], **shake)]
    assert list(contents.pictures(summary(frame(rows), META))) == []


def test_nothing_measured_draws_nothing() -> None:
    assert list(contents.pictures(summary(frame([missing("a", "x", "unsupported", "no")]), META))) == []
