# SPDX-License-Identifier: MIT
"""Modes of cells on the instruction clock: told apart, never averaged, and only where there are any."""
# ruff: noqa: RUF001 - en dashes are what the tables show

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from frames import UP, VM, by, by_packet, cell, control, frame, ledger, missing, one, row, summary

from lab.benches.vpn.views import cpu_time, speed_tables
from lab.report import tables
from lab.stats import analysis, modes, ranking

SEEN = [117.8, 115.4, 161.8, 162.9]
"""Four runs of one cell, with nothing changed but addresses."""


class TestSplit:
    @pytest.mark.parametrize(
        ("values", "found"),
        [
            (SEEN, [2, 2, 1, 1]),  # as many of each: the greater first
            ([117, 162, 115], [1, 1, 1]),  # of three, two that are 1.7 % apart may be neighbours by chance
            ([162, 117, 162.5], [1, 2, 1]),
            ([117, 162, 115, 116], [1, 2, 1, 1]),
            ([100, 101, 99, 100.5, 99.5, 101, 100, 99, 100, 130], [1] * 9 + [2]),
            ([100, 103, 97, 106, 94, 109, 91, 112, 88, 130], [1] * 10),  # the gap is wide, the rest wider
            ([100, 200, 300, 100, 200, 100], [1, 2, 3, 1, 2, 1]),
            ([303.0, 294.7, 300.0], [1, 1, 1]),  # 2.8 % apart: one mode
            ([100, 104, 100], [1, 1, 1]),  # a difference under 5 % is none
            ([100, 106, 100], [1, 2, 1]),
            ([100, 150, 200], [1, 1, 1]),  # all different: a spread, in which nothing was seen twice
            ([100, 104, 108, 200], [1, 1, 1, 1]),  # what drifts by 8 % is no mode
            ([117, 162], [1, 1]),  # of two nobody knows
            ([], []),
            ([0, 0, 5], [1, 1, 1]),
            ([1, 1, float("nan")], [1, 1, 1]),
        ],
    )
    def test_values(self, values: list[float], found: list[int]) -> None:
        assert modes.split(values) == found

    def test_order_of_samples_does_not_matter(self) -> None:
        assert modes.split(SEEN[::-1]) == [1, 1, 2, 2]


class TestSummary:
    def test_a_row_for_each_mode_and_no_average(self) -> None:
        found = analysis.summarise(frame(cell("a", "x", [117, 162, 163], **VM)))
        assert found[["mode", "modes", "n", "median"]].to_numpy().tolist() == [[1, 2, 2, 162.5], [2, 2, 1, 117]]

    def test_the_wall_clock_has_noise_and_no_modes(self) -> None:
        found = one(analysis.summarise(frame(cell("a", "x", [117, 162, 163]))))
        assert (found["modes"], found["n"], found["median"]) == (1, 3, 162)

    def test_spread_is_from_least_to_greatest(self) -> None:
        values = [100, 100.5, 101, 101.5, 102, 102.5, 103, 103.5, 104]
        exact = one(analysis.summarise(frame(cell("a", "x", values, **VM))))
        noisy = one(analysis.summarise(frame(cell("a", "x", values))))
        assert (exact["low"], exact["high"], exact["spread"]) == (100, 104, "range")
        assert (noisy["low"], noisy["high"], noisy["spread"]) == (100.5, 103.5, "interval")

    @pytest.mark.parametrize(("values", "spread"), [([100.0, 101.0], (100, 101)), ([100.0], (np.nan, np.nan))])
    def test_two_samples_have_a_spread_and_one_has_none(self, values: list[float], spread: tuple[float, float]) -> None:
        found = one(analysis.summarise(frame(cell("a", "x", values, **VM))))
        assert (found["low"], found["high"]) == pytest.approx(spread, nan_ok=True)

    def test_a_sample_s_figures_share_its_mode(self) -> None:
        """Context switches of 300, 310, 290 would be one mode; they are those of two different things."""
        rows = []
        for block, (speed, switches) in enumerate([(117, 300), (162, 310), (162, 290)]):
            for entry in ledger("a", "x", block, **VM):
                value = {"throughput": speed, "context_switches_voluntary": switches}.get(
                    entry["metric"], entry["value"]
                )
                rows.append(entry | {"value": value})
        found = cpu_time.per_payload(frame(rows), ["context_switches_voluntary"], 1e6)
        assert analysis.summarise(found)[["mode", "n", "median"]].to_numpy().tolist() == [[1, 2, 300], [2, 1, 300]]
        shares = analysis.summarise(cpu_time.kernel_share(frame(rows)))
        assert set(shares["modes"]) == {2}

    def test_the_whole_machine_decides_not_an_end(self) -> None:
        rows = by_packet("a", 1000, 2, **VM)
        rows = [
            entry | {"value": 300.0 * (1 + entry["block"] // 2)} if entry["end"] == "client" else entry
            for entry in rows
        ]
        for order in (rows, rows[::-1]):
            assert set(analysis.summarise(frame(order))["modes"]) == {1}

    def test_ticks_are_no_modes(self) -> None:
        rows = [
            entry | {"value": 0.01 * (1 + block // 2) if entry["metric"] == "cpu_softirq" else entry["value"]}
            for block in range(3)
            for entry in ledger("a", "x", block, **VM)
        ]
        assert set(analysis.summarise(frame(rows))["modes"]) == {1}


def mixed() -> list[dict[str, Any]]:
    return [
        *cell("a", "x", [162, 117, 162.5], **VM), *cell("b", "x", [150, 151, 150.5], **VM),
        *cell("c", "x", [110, 110.2, 110.1], **VM), *cell("d", "x", [110.5, 110.7, 110.6], **VM),
    ]  # fmt: skip


class TestRanks:
    def test_a_cell_of_several_modes_is_compared_by_its_mean(self) -> None:
        """Its spread is that of the modes: three tunnels show nothing, twelve do."""
        found = ranking.pairwise(frame(mixed())).assign(
            pair=lambda df: [f"{a[0]}{b[0]}" for a, b in zip(df["a"], df["b"], strict=True)]
        )
        pairs = by(found, "pair")
        verdicts = {pair: row["verdict"] for pair, row in pairs.items()}
        assert verdicts == {
            "ab": "undecided", "ac": "undecided", "ad": "undecided", "bc": "higher", "bd": "higher", "cd": "tie"
        }  # fmt: skip
        assert pairs["ab"]["ratio"] == pytest.approx((162 * 117 * 162.5) ** (1 / 3) / (150 * 151 * 150.5) ** (1 / 3))
        many = cell("a", "x", [162, 117, 162.5] * 4, **VM) + cell("c", "x", [110, 110.2, 110.1] * 4, **VM)
        assert one(ranking.pairwise(frame(many)))["verdict"] == "higher"

    def test_a_cell_of_two_modes_has_one_place_and_two_rows(self) -> None:
        found = ranking.tiers(frame(mixed()))
        assert found[["vpn", "mode", "tier"]].to_numpy().tolist() == [
            ["a", 1, 1], ["a", 2, 1], ["b", 1, 1], ["d", 1, 1], ["c", 1, 1]
        ]  # fmt: skip

    def test_two_samples_decide_nothing(self) -> None:
        rows = cell("a", "x", [100, 100], **VM) + cell("b", "x", [10, 10], **VM)
        assert ranking.pairwise(frame(rows))["verdict"].tolist() == ["undecided"]


class TestText:
    def table(self, name: str) -> tables.Table:
        df = frame([*mixed(), *control([1000, 1000, 1000], **VM), missing("a", "y", "unsupported", "no", **VM)])
        draw = {"matrix": speed_tables.matrix, "ranks": speed_tables.ranks}[name]
        return draw(summary(df), ("throughput", UP))

    def test_a_cell_of_the_matrix(self) -> None:
        found = self.table("matrix")
        assert [each.text for each in found.rows[0]] == [
            "x", "162 (n=2) | 117 (n=1)\n117–162 n3", "150\n150–151 n3", "110\n110–110 n3", "111\n110–111 n3"
        ]  # fmt: skip
        assert found.title == (
            "Throughput by ciphersuite, Mbit/s of instruction-clock time (direction=up streams=1): median, range, n"
        )
        assert found.where == "vm engine, instructions clock"

    def test_ranks(self) -> None:
        found = self.table("ranks")
        assert [each.text for each in found.rows[0]] == [
            "1", "a/udp", "x", "user space", "162 (n=2) | 117 (n=1)", "117–162", "3", "16.2 % (n=2) | 11.7 % (n=1)"
        ]  # fmt: skip
        assert found.columns[4:6] == ["Mbit/s of instruction-clock time", "range"]
        assert "Welch's test" in found.notes[0]

    @pytest.mark.parametrize("name", ["matrix", "ranks"])
    def test_the_note_says_what_spread_and_modes_are(self, name: str) -> None:
        said = " ".join(self.table(name).notes)
        for text in ("least to greatest", "seeded perturbation", "more than 5 % apart", "from 3 samples on"):
            assert text in said
        assert "interval" not in self.table(name).title

    def test_nothing_of_it_on_the_wall_clock(self) -> None:
        found = speed_tables.matrix(summary(frame(cell("a", "x", [162, 117, 163]))), ("throughput", UP))
        assert found.rows[0][1].text == "162\n117–163 n3"
        assert found.notes == []
        assert "median, range, n" in found.title
        many = speed_tables.matrix(summary(frame(cell("a", "x", range(160, 169)))), ("throughput", UP))
        assert many.rows[0][1].text == "164\n161–167 n9"
        assert "median, 95 % interval, n" in many.title
        both = frame(cell("a", "x", range(160, 169)) + cell("a", "y", [162, 117, 163]))
        assert "95 % interval (range if n < 6)" in speed_tables.matrix(summary(both), ("throughput", UP)).title

    def test_one_sample(self) -> None:
        found = speed_tables.matrix(summary(frame([row("a", "x", 0, 162, **VM)])), ("throughput", UP))
        assert found.rows[0][1].text == "162\none sample n1"
