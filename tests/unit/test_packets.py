# SPDX-License-Identifier: MIT
"""Instructions by packet: a line through the sizes, its table and its picture."""
# ruff: noqa: RUF001 - en dashes are what the tables show

from __future__ import annotations

import numpy as np
import pytest
from frames import VM, by_packet, frame, one, row, summary

from lab.benches.vpn.views import contents, packet_cost, packet_plot
from lab.report import plots

META = {"controls": ["plain"]}


class TestFit:
    def test_fixed_and_by_byte(self) -> None:
        found = one(packet_cost.fits(packet_cost.sized(summary(frame(by_packet("a", 5000, 2.5, **VM))))))
        assert (found["fixed"], found["by_byte"], found["error"]) == pytest.approx((5000, 2.5, 0), abs=1e-6)
        assert found["sizes"] == 3

    def test_what_is_off_the_line_is_said(self) -> None:
        rows = by_packet("a", 1000, 0, **VM)
        rows = [entry | {"value": 2000.0} if "size=512" in entry["conditions"] else entry for entry in rows]
        assert one(packet_cost.fits(packet_cost.sized(summary(frame(rows)))))["error"] > 0.3

    def test_one_size_has_no_line(self) -> None:
        rows = [entry for entry in by_packet("a", 1000, 2, **VM) if "size=64" in entry["conditions"]]
        assert np.isnan(one(packet_cost.fits(packet_cost.sized(summary(frame(rows)))))["fixed"])

    def test_no_line_goes_through_two_modes(self) -> None:
        rows = by_packet("a", 1000, 2, **VM)
        rows = [
            entry | {"value": entry["value"] * (2 if "64" in entry["conditions"] and not entry["block"] else 1)}
            if entry["end"] == "machine"
            else entry
            for entry in rows
        ]
        df = frame(rows)
        assert np.isnan(one(packet_cost.fits(packet_cost.sized(summary(df))))["fixed"])
        cells = [each.text for each in packet_cost.table(summary(df)).rows[0]]
        assert cells[3] == "\n".join(
            ["1128 (n=2) | 2256 (n=1)", "376 (n=2) | 752 (n=1) / 752 (n=2) | 1504 (n=1)",
             "100 (n=2) | 100 (n=1) / 100 (n=2) | 100 (n=1)", "1128–2256"]
        )  # fmt: skip
        assert cells[6:9] == ["–¹", "–", "–"]


def test_table() -> None:
    found = packet_cost.table(summary(frame(by_packet("a", 5000, 2.5, records="kernel", **VM))))
    assert [each.text for each in found.rows[0]] == [
        "a/udp", "x", "kernel", "5160\n1720 / 3440\n100 / 100\n5160–5160",
        "6280\n2093 / 4187\n100 / 100\n6280–6280",
        "8500\n2833 / 5667\n100 / 100\n8500–8500", "5000", "2.50", "0.0 %", "3",
    ]  # fmt: skip
    assert found.columns[3:6] == ["64 B", "512 B", "1400 B"]
    assert found.where == "vm engine, instructions clock"


def test_the_measure_has_no_tables_of_its_load() -> None:
    extra = {"measure": "cost", "conditions": "size=64", **VM}
    rows = [row("a", "x", 0, 1.0, metric=metric, unit="s", end="server", **extra) for metric in ("cpu_user", "cost")]
    assert summary(frame(rows)).loads() == [("cost", "size=64")]
    assert summary(frame(rows + by_packet("a", 1, 1, **VM))).loads() == []


def test_picture() -> None:
    paths = (
        by_packet("a", 5000, 2.5, **VM)
        + by_packet("b", 2000, 3, records="kernel", **VM)
        + by_packet("b", 1, 1, suite="y", **VM)
    )
    df = frame(paths + by_packet("plain", 900, 0.1, suite="none", **VM))
    spec = plots.spec(packet_plot.draw(summary(df, META)))
    assert [panel["title"] for panel in spec["concat"]] == ["x", "y"]
    line, points = spec["concat"][0]["layer"]
    data = spec["datasets"][spec["concat"][0]["data"]["name"]]
    drawn: dict[str, list[tuple[int, float]]] = {}
    for entry in data:
        drawn.setdefault(entry["series"], []).append((entry["size"], entry["median"]))
    assert set(drawn) == {"a/udp", "b/udp", "plain/udp"}
    assert sorted(drawn["a/udp"]) == [(64, 5160), (512, 6280), (1400, 8500)]
    scale = points["encoding"]["fillOpacity"]["scale"]
    assert dict(zip(scale["domain"], scale["range"], strict=True))["kernel"] == 0
    colors = line["encoding"]["color"]["scale"]
    assert dict(zip(colors["domain"], colors["range"], strict=True))["plain/udp"] == plots.GREY
    assert line["encoding"]["x"]["title"] == "size of an IP packet, bytes"
    assert line["encoding"]["x"]["axis"]["values"] == [64, 512, 1400]
    assert line["encoding"]["y"]["title"] == "instructions by packet"


def test_both_are_in_the_report_only_where_it_was_measured() -> None:
    df = frame(by_packet("a", 5000, 2.5, **VM))
    assert "packets" in {table.name for table in contents.build(summary(df))}
    assert [name for name, _ in contents.pictures(summary(df))] == ["instructions-per-packet"]
    without = frame([row("a", "x", 0, 5)])
    assert "packets" not in {table.name for table in contents.build(summary(without))}
    assert "instructions-per-packet" not in [name for name, _ in contents.pictures(summary(without))]
    assert plots.slug("Instructions by packet") == "instructions-by-packet"
