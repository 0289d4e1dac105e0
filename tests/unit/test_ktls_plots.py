# SPDX-License-Identifier: MIT
"""The pictures of `lab ktls`: the thesis's figures beside the run's, each panel with the axis that it needs."""

from __future__ import annotations

from typing import Any

import pytest
from frames import VM, frame, summary
from test_ktls_tables import THERE, a_run, sample

from lab.benches.ktls import cells
from lab.benches.ktls.views import looks, plots
from lab.benches.ktls.views.frame import Figures
from lab.report import plots as plots_of


@pytest.fixture(scope="module")
def it() -> Figures:
    return Figures.of(summary(a_run(**VM)))


@pytest.fixture(scope="module")
def specs(it: Figures) -> dict[str, Any]:
    return charts(it)


class TestPictures:
    def test_the_thesis_figures_and_the_costs(self, specs: dict[str, Any]) -> None:
        assert list(specs) == [
            "figure-5-1",
            "figure-5-2",
            "figure-5-4",
            "cost-transmission-dtls",
            "cost-transmission-tls",
        ]

    def test_there_and_here_share_no_axis(self, specs: dict[str, Any]) -> None:
        picture = specs["figure-5-1"]
        assert picture["resolve"]["scale"] == {"x": "independent", "y": "independent"}
        there, wall, cpu, ratio = (panel["title"]["text"] for panel in picture["hconcat"])
        assert "there" in there
        assert "instruction-clock" in wall
        assert "CPU" in cpu
        assert "÷ GnuTLS" in ratio
        numbers = [len(lines(points)) for points in panels(picture)]
        assert numbers == [2, 3, 3, 3]

    def test_ratios_are_drawn_through_here_and_dotted_there(self, specs: dict[str, Any]) -> None:
        ratios = panels(specs["figure-5-1"])[-1]
        drawn = [point for point in ratios if not point["dotted"] and point["payload"] == 1400]
        assert {point["series"]: round(point["value"], 3) for point in drawn} == {
            "AF_KTLS, send": 0.8, "AF_KTLS sends, send": 0.9}  # fmt: skip
        dotted = {point["payload"]: point["value"] for point in ratios if point["dotted"]}
        assert dotted[1400] == pytest.approx(104.527 / 134.796, rel=5e-5)
        layers = specs["figure-5-1"]["hconcat"][-1]["layer"]
        assert [layer["mark"]["type"] for layer in layers] == ["rule", "line", "point"]
        assert layers[1]["encoding"]["strokeDash"]["scale"]["range"] == [[1, 0], [2, 3]]

    def test_a_path_has_one_colour_in_every_picture(self, specs: dict[str, Any]) -> None:
        known: dict[str, set[str]] = {}
        for picture in specs.values():
            for panel in picture.get("hconcat", [picture]):
                for layer in panel["layer"]:
                    scale = layer["encoding"].get("stroke", {}).get("scale", {"domain": [], "range": []})
                    for series, color in zip(scale["domain"], scale["range"], strict=True):
                        known.setdefault(series, set()).add(color)
        assert set(known) == {
            "GnuTLS, send", "AF_KTLS sends, send", "AF_KTLS, send", "the kernel's own TLS, send"}  # fmt: skip
        assert len(set.union(*known.values())) == len(known)

    def test_a_symbol_is_filled_by_where_records_are_processed(self, specs: dict[str, Any]) -> None:
        encoding = specs["cost-transmission-dtls"]["layer"][-1]["encoding"]
        strokes, fills = encoding["stroke"]["scale"]["range"], encoding["fill"]["scale"]["range"]
        assert encoding["fill"]["scale"]["domain"] == ["GnuTLS, send", "AF_KTLS sends, send", "AF_KTLS, send"]
        assert fills[0] == strokes[0]
        assert fills[1] not in (strokes[1], "#FFFFFF")
        assert fills[2] == "#FFFFFF"

    def test_symbols_alike_differ_in_shape(self) -> None:
        for name, scenario in cells.load().scenario.items():
            seen = [(looks.records(path), looks.shape(name, path, way)) for way in scenario.ways
                    for path in scenario.ways[way]]  # fmt: skip
            assert len(set(seen)) == len(seen)

    def test_bars_are_there_and_here(self, specs: dict[str, Any]) -> None:
        there, wall, cpu = panels(specs["figure-5-4"])
        assert {bar["color"] for bar in there} == {plots_of.GREY}
        assert {bar["color"] for bar in wall} == {looks.color("raw")}
        assert {bar["series"]: bar["value"] for bar in wall} == pytest.approx(
            {"no records, user-send": 1000, "no records, sendfile": 2000, "no records, mmap": 500})  # fmt: skip
        (sendfile,) = (bar for bar in wall if bar["series"].endswith("sendfile"))
        assert (sendfile["low"], sendfile["high"]) == pytest.approx((1980, 2020))
        assert len(cpu) == 3

    def test_each_mode_is_a_symbol_and_the_line_goes_through_one(self) -> None:
        rows = [each for payload in (1400, 16000) for block, speed in enumerate((100.0, 100.1, 140.0)) for each in
                sample("dtls", "library", "transmission", "send", payload, block, speed, **VM)]  # fmt: skip
        _, wall, *_ = panels(charts(Figures.of(summary(frame(rows))))["figure-5-1"])
        assert [(point["payload"], point["lead"]) for point in wall] == [
            (1400, True), (1400, False), (16000, True), (16000, False)]  # fmt: skip

    def test_payloads_are_labelled_from_the_greatest_down(self) -> None:
        sizes = [1280, 1400, 4000, 16000]
        several: Any = plots_of.payload_axis(sizes, 250).to_dict()
        assert several["axis"]["values"] == sizes
        assert "[16000, 4000, 1400]" in several["axis"]["labelExpr"]
        two: Any = plots_of.payload_axis(sizes[:2], 250).to_dict()
        assert "[1400, 1280]" in two["axis"]["labelExpr"]

    def test_the_title_says_clock_and_n(self, specs: dict[str, Any]) -> None:
        for picture in specs.values():
            assert picture["title"]["subtitle"][-1] == "run r1 · vm engine, instructions clock · n 3"


def charts(it: Figures) -> dict[str, Any]:
    """The Vega-Lite specification of every picture."""
    return {name: plots_of.spec(picture) for name, picture in plots.pictures(it, THERE)}


def panels(picture: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The points or bars of each panel."""
    rows = [panel.get("data") or panel["layer"][-1]["data"] for panel in picture["hconcat"]]
    return [picture["datasets"][data["name"]] for data in rows]


def lines(points: list[dict[str, Any]]) -> set[tuple[str, bool]]:
    """The lines of a panel: its series, drawn through or dotted."""
    return {(point["series"], point["dotted"]) for point in points if point["lead"]}
