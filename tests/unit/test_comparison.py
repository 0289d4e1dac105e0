# SPDX-License-Identifier: MIT
"""Two runs, cell by cell."""
# ruff: noqa: RUF001 - en dashes are what the tables show

from __future__ import annotations

import json

import numpy as np
import pytest
from frames import UP, VM, by, by_packet, cell, frame, kernel_vpn, ledger, one

from lab.core.errors import LabError
from lab.report import comparison


class TestCompare:
    def test_verdicts(self) -> None:
        a = cell("same", "x", [100, 101, 99, 100, 100]) + cell("slower", "x", [100, 101, 99, 100, 100])
        b = cell("same", "x", [101, 100, 100, 99, 102]) + cell("slower", "x", [80, 81, 79, 80, 80])
        a, b = a + cell("gone", "x", [1, 2, 3]), b + cell("new", "x", [1, 2, 3])
        found = by(comparison.compare(frame(a), frame(b)), "vpn")
        assert {vpn: each["verdict"] for vpn, each in found.items()} == {
            "same": "tie", "slower": "lower", "gone": "only in A", "new": "only in B"
        }  # fmt: skip
        assert found["slower"]["ratio"] == pytest.approx(0.8)
        assert found["slower"]["low"] <= 0.8 <= found["slower"]["high"]
        assert (found["gone"]["n_a"], found["gone"]["n_b"]) == (3, 0)

    def test_margin(self) -> None:
        a, b = cell("v", "x", [100, 101, 99, 100, 100]), cell("v", "x", [97, 98, 96, 97, 97])
        assert one(comparison.compare(frame(a), frame(b)))["verdict"] == "tie"
        assert one(comparison.compare(frame(a), frame(b), margin=0.01))["verdict"] == "lower"

    def test_two_samples_decide_nothing(self) -> None:
        a, b = cell("v", "x", [100, 100]), cell("v", "x", [10, 10])
        assert one(comparison.compare(frame(a), frame(b)))["verdict"] == "undecided"

    @pytest.mark.parametrize("other", [{"clock": "instructions"}, {"engine": "vm"}])
    def test_other_clock_or_engine_is_refused(self, other: dict[str, str]) -> None:
        a, b = cell("v", "x", [1, 2, 3]), cell("v", "x", [1, 2, 3], **other)
        with pytest.raises(LabError, match="cannot be compared"):
            comparison.compare(frame(a), frame(b))

    def test_conditions_are_cells_of_their_own(self) -> None:
        a, b = cell("v", "x", [1, 2, 3]), cell("v", "x", [1, 2, 3], conditions="direction=down")
        found = comparison.compare(frame(a), frame(b)).set_index("conditions")
        assert found["verdict"].to_dict() == {UP: "only in A", "direction=down": "only in B"}

    def test_cost_is_that_of_the_machine(self) -> None:
        """A daemon that does nothing takes 3 ms, or 6 ms: that is no change of what the VPN costs."""
        a = [entry for block in range(3) for entry in kernel_vpn("k", "x", block)]
        found = comparison.compare(frame(a), frame(a))
        assert found.loc[found["metric"] == "cost", "end"].tolist() == ["machine"]

    def test_so_are_instructions_by_packet(self) -> None:
        found = comparison.compare(frame(by_packet("k", 900, 1, **VM)), frame(by_packet("k", 900, 1, **VM)))
        assert set(found["end"]) == {"machine"}


class TestInstructionClock:
    a = frame(
        cell("two", "x", [117, 162, 163], **VM) + cell("same", "x", [100, 101, 99], **VM)
        + cell("up", "x", [100, 101, 99], **VM) + cell("near", "x", [100, 107, 100], **VM)
    )  # fmt: skip
    b = frame(
        cell("two", "x", [118, 161, 117], **VM) + cell("same", "x", [101, 100, 102], **VM)
        + cell("up", "x", [120, 121, 119], **VM) + cell("near", "x", [106, 109, 113], **VM)
    )  # fmt: skip

    def test_verdicts_are_of_ranges(self) -> None:
        found = by(comparison.compare(self.a, self.b), "vpn")
        assert {vpn: each["verdict"] for vpn, each in found.items()} == {
            "two": "undecided", "same": "tie", "up": "higher", "near": "undecided"
        }  # fmt: skip
        assert (found["up"]["low"], found["up"]["high"]) == pytest.approx((119 / 101, 121 / 99))
        assert np.isnan(found["up"]["p"])

    def test_modes_are_compared_as_modes(self) -> None:
        found = by(comparison.compare(self.a, self.b), "vpn")["two"]
        assert (found["modes_a"], found["modes_b"]) == (((162.5, 2), (117.0, 1)), ((117.5, 2), (161.0, 1)))
        assert np.isnan([found["median_a"], found["median_b"], found["ratio"]]).all()
        assert (found["n_a"], found["n_b"]) == (3, 3)

    def test_table(self) -> None:
        found = comparison.table(comparison.compare(self.a, self.b), ("one", "other"))
        (row,) = [[each.text for each in row] for row in found.rows if row[0].text == "two"]
        assert row[4:] == [
            "throughput, Mbit/s of instruction-clock time (server)", "162 (n=2) | 117 (n=1)", "118 (n=2) | 161 (n=1)",
            "–", "0.718–1.38", "undecided",
        ]  # fmt: skip
        assert found.where == "vm engine, instructions clock"
        assert "Nothing is tested" in found.notes[0]
        assert found.columns[-2] == "least–greatest"

    def test_data(self) -> None:
        told = comparison.data(("one", self.a), ("other", self.b))
        assert (told["a"], told["b"], told["engine"], told["clock"]) == ("one", "other", "vm", "instructions")
        cells = {each["vpn"]: each for each in told["cells"]}
        assert cells["two"]["modes_b"] == [{"median": 117.5, "n": 2}, {"median": 161.0, "n": 1}]
        assert cells["two"]["ratio"] is None
        assert cells["up"]["ratio"] == pytest.approx(1.2)
        assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_data_of_the_wall_clock_holds_no_nan() -> None:
    a, b = frame(cell("v", "x", [1, 2, 3]) + ledger("w", "x", 0)), frame(cell("v", "x", [1, 2]))
    told = comparison.data(("a", a), ("b", b))
    json.dumps(told, allow_nan=False)
    assert {each["verdict"] for each in told["cells"]} == {"undecided", "only in A"}
