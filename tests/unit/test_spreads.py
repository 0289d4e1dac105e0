# SPDX-License-Identifier: MIT
"""Why samples of a cell differ: what is counted beside a load, and which of it goes with the cost."""
# ruff: noqa: RUF001 - en dashes are what a reader of tables expects

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import exp
from typing import Any

import numpy as np
import pytest
from frames import cell, control, frame

from lab.benches.vpn import packets
from lab.benches.vpn.views import spreads
from lab.results.reading import Reading
from lab.stats import companions
from lab.stats.summary import Summary

Raw = Callable[[str], dict[str, Any]]
NOISE = np.random.default_rng(1)


def load(**after: Mapping[str, int]) -> dict[str, Any]:
    """A load after which the ends have sent so many packets, by interface; before it 5 each."""
    before = {end: {"interfaces": {name: {"tx_packets": 5} for name in sent}} for end, sent in after.items()}
    ends = {
        end: {"interfaces": {name: {"tx_packets": 5 + n} for name, n in sent.items()}} for end, sent in after.items()
    }
    return {"before": {"ends": before}, "after": {"ends": ends}}


class TestPackets:
    def test_for_a_megabyte(self) -> None:
        told = load(client={"lo": 9, "eth0": 1400, "tun0": 700}, server={"lo": 0, "eth0": 350, "tun0": 340})
        assert packets.readings(told, 2e6) == [
            Reading("wire_packets", "1/MB", "server", 175),
            Reading("tunnel_packets", "1/MB", "server", 170),
            Reading("wire_packets", "1/MB", "client", 700),
            Reading("tunnel_packets", "1/MB", "client", 350),
        ]

    def test_without_a_tunnel_the_wire_alone(self) -> None:
        told = load(client={"lo": 0, "eth0": 10}, server={"lo": 0, "eth0": 20})
        assert [row.metric for row in packets.readings(told, 1e6)] == ["wire_packets", "wire_packets"]

    def test_nothing_of_a_load_that_carried_nothing(self) -> None:
        assert packets.readings(load(client={"eth0": 1}, server={"eth0": 1}), 0) == []

    def test_of_a_real_load(self, raw: Raw) -> None:
        told = {(row.metric, row.end): row.value for row in packets.readings(raw("throughput-up.json")["load"], 1e6)}
        assert told["tunnel_packets", "client"] > told["tunnel_packets", "server"] > 0
        assert told["wire_packets", "client"] >= told["tunnel_packets", "client"]


class TestCompanions:
    def test_within_groups_alone(self) -> None:
        """A figure that differs from cell to cell with the cost, and not within a cell, is none."""
        groups = [n // 4 for n in range(20)]
        between = [10.0 * group for group in groups]
        inner = [float(value) for value in NOISE.normal(size=20)]
        values = [base + value for base, value in zip(between, inner, strict=True)]
        found = companions.leading(groups, values, {"between": between, "inner": [-2 * value for value in inner]})
        assert found is not None
        assert (found.name, found.more) == ("inner", False)
        assert found.share == pytest.approx(1)
        assert found.chance < 1e-6

    def test_by_hand(self) -> None:
        values, other = [1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 3.0, 2.0, 5.0, 4.0]
        found = companions.leading(["a"] * 5, values, {"other": other})
        assert found is None  # r = 0.8 of five samples: p = 0.104
        found = companions.leading(["a"] * 10, values * 2, {"other": other * 2})
        assert found is not None
        assert found.more
        assert found.share == pytest.approx(0.64)
        assert found.chance == pytest.approx(0.00545, rel=0.01)  # t = 3.771 with 8 degrees of freedom

    def test_noise_is_seldom_named(self) -> None:
        groups, named = [n // 3 for n in range(12)], 0
        for _ in range(400):
            columns = {name: list(NOISE.normal(size=12)) for name in "abcdef"}
            named += companions.leading(groups, list(NOISE.normal(size=12)), columns) is not None
        assert named <= 34  # 5 % of 400, and three standard errors

    def test_a_deviation(self) -> None:
        assert companions.deviation("aabb", [1, 3, 10, 12]) == pytest.approx(2**0.5)
        assert companions.deviation("ab", [1, 3]) != companions.deviation("ab", [1, 3])  # NaN: no group has two


def sample(path: str, block: int, cost: float, answers: int, **other: Any) -> dict[str, Any]:
    vpn, _, variant = path.partition("/")
    told = load(client={"lo": 0, "eth0": 700, "tun0": 700}, server={"lo": 0, "eth0": answers, "tun0": answers})
    figures = [("cost", "machine", cost), ("payload", "machine", 1e6), ("retransmits", "client", 0)]
    readings = [{"metric": metric, "end": end, "value": value, "unit": ""} for metric, end, value in figures]
    standard = {
        "vpn": vpn, "variant": variant, "suite": "x", "measure": "throughput", "conditions": "direction=up streams=1",
        "block": block, "outcome": "ok", "readings": readings, "raw": {"load": told, "direction": "up"},
    }  # fmt: skip
    return {**standard, **other}


def run(samples: list[dict[str, Any]]) -> Summary:
    return Summary(frame([*cell("a", "x", [1, 2, 3]), *control([9, 9, 9])]), {"controls": ["plain"]}, samples)


class TestSpreads:
    ANSWERS = (300, 320, 280, 350, 310, 290)

    def taken(self, path: str, **other: Any) -> list[dict[str, Any]]:
        return [sample(path, n, exp(answers / 1000), answers, **other) for n, answers in enumerate(self.ANSWERS)]

    def test_what_goes_with_the_cost_is_named(self) -> None:
        (found,) = spreads.of_run(run(self.taken("a/udp")))
        assert (found.path, found.cells, found.samples) == ("a/udp", 1, 6)
        assert found.deviation == pytest.approx(np.std(np.array(self.ANSWERS) / 1000, ddof=1))
        assert found.by is not None
        assert (found.by.name, found.by.more) == ("answers", True)
        assert found.by.share == pytest.approx(1)

    def test_the_table_names_it(self) -> None:
        flat = [sample("a/tcp", n, 5.0, 300) for n in range(3)]
        (first, second) = spreads.table(run([*flat, *self.taken("a/udp")])).rows
        assert [cell.text for cell in first] == [
            "a/udp", "2.5 %", "more answers sent into the tunnel (ACKs)", "1.00", "1", "6",
        ]  # fmt: skip
        assert [cell.text for cell in second] == ["a/tcp", "0.0 %", "–", "–", "1", "3"]

    @pytest.mark.parametrize(
        "other",
        [
            {"outcome": "failed"},
            {"measure": "transfer"},
            {"bottleneck": "foreign"},
            {"conditions": "direction=up loads=2 streams=1 tunnels=2"},
        ],
        ids=str,
    )
    def test_what_does_not_count(self, other: dict[str, Any]) -> None:
        assert spreads.of_run(run(self.taken("a/udp", **other))) == []

    def test_the_control_and_single_samples_are_no_rows(self) -> None:
        assert spreads.of_run(run([*self.taken("plain/wire"), sample("a/udp", 0, 5.0, 300)])) == []

    def test_a_figure_that_never_differs_is_no_companion(self) -> None:
        groups = ["a"] * 6
        assert companions.leading(groups, [1, 2, 3, 4, 5, 6], {"same": [7.0] * 6}) is None
        found = companions.leading(groups, [1, 2, 3, 4, 5, 6], {"same": [7.0] * 6, "other": [1, 2, 3, 4, 5, 6]})
        assert found is not None
        assert found.name == "other"
