# SPDX-License-Identifier: MIT
"""Two runs, cell by cell."""
# ruff: noqa: RUF001 - en dashes are what the tables show

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from frames import UP, VM, by, by_packet, cell, frame, kernel_vpn, ledger, missing, one, row
from scipy import stats

from lab.core.errors import LabError
from lab.report import comparison, gate


class TestCompare:
    def test_verdicts(self) -> None:
        a = cell("same", "x", [100, 101, 99, 100, 100]) + cell("slower", "x", [100, 101, 99, 100, 100])
        b = cell("same", "x", [101, 100, 100, 99, 102]) + cell("slower", "x", [80, 81, 79, 80, 80])
        a, b = a + cell("gone", "x", [1, 2, 3]), b + cell("new", "x", [1, 2, 3])
        found = by(comparison.compare(frame(a), frame(b)), "vpn")
        assert {vpn: each["verdict"] for vpn, each in found.items()} == {
            "same": "tie", "slower": "lower", "gone": "only in A", "new": "only in B"
        }  # fmt: skip
        assert found["slower"]["ratio"] == pytest.approx(0.8, rel=1e-4)
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


class TestDisturbed:
    """Samples beside programs of others are not compared."""

    slow = frame(cell("v", "x", [100, 101, 99]) + [row("v", "x", block, 50, bottleneck="foreign") for block in (3, 4)])

    def test_they_are_left_out(self) -> None:
        found = one(comparison.compare(frame(cell("v", "x", [100, 101, 99])), self.slow))
        assert (found["n_b"], found["verdict"], found["ratio"]) == (3, "tie", pytest.approx(1))

    def test_a_cell_of_no_others_is_not_lost(self) -> None:
        all_slow = frame(cell("v", "x", [50, 51, 49], bottleneck="foreign"))
        assert one(comparison.compare(frame(cell("v", "x", [100, 101, 99])), all_slow))["verdict"] == "only in A"


class TestInstructionClock:
    a = frame(
        cell("two", "x", [117, 162, 162.5], **VM) + cell("same", "x", [100, 101, 99], **VM)
        + cell("up", "x", [100, 101, 99], **VM) + cell("near", "x", [100, 107, 100], **VM)
    )  # fmt: skip
    b = frame(
        cell("two", "x", [117.5, 161, 117.6], **VM) + cell("same", "x", [101, 100, 102], **VM)
        + cell("up", "x", [120, 121, 119], **VM) + cell("near", "x", [106, 109, 113], **VM)
    )  # fmt: skip

    def test_verdicts_are_of_welch_s_test(self) -> None:
        found = by(comparison.compare(self.a, self.b), "vpn")
        assert {vpn: each["verdict"] for vpn, each in found.items()} == {
            "two": "undecided", "same": "undecided", "up": "higher", "near": "undecided"
        }  # fmt: skip
        theirs = stats.ttest_ind(np.log([120, 121, 119]), np.log([100, 101, 99]), equal_var=False)
        assert np.log([found["up"]["low"], found["up"]["high"]]) == pytest.approx(theirs.confidence_interval(0.95))
        assert found["up"]["p"] == pytest.approx(4 * theirs.pvalue), "Holm: the least of four"
        assert found["same"]["blocks"] > 3
        assert np.isnan(found["up"]["blocks"])

    def test_the_margin_is_the_clock_s(self) -> None:
        a, b = cell("v", "x", [100, 100.1, 99.9], **VM), cell("v", "x", [100.2, 100.1, 100.3], **VM)
        assert one(comparison.compare(frame(a), frame(b)))["verdict"] == "tie"
        assert one(comparison.compare(frame(a), frame(b), margin=0.001))["verdict"] != "tie"
        assert comparison.data(("a", frame(a)), ("b", frame(b)))["margin"] == 0.01

    def test_modes_are_compared_as_modes(self) -> None:
        found = by(comparison.compare(self.a, self.b), "vpn")["two"]
        assert (found["modes_a"], found["modes_b"]) == (((162.25, 2), (117.0, 1)), ((117.55, 2), (161.0, 1)))
        assert np.isnan([found["median_a"], found["median_b"]]).all()
        assert found["ratio"] == pytest.approx(stats.gmean([117.5, 161, 117.6]) / stats.gmean([117, 162, 162.5]))
        assert (found["n_a"], found["n_b"]) == (3, 3)

    def test_table(self) -> None:
        found = comparison.table(comparison.compare(self.a, self.b), ("one", "other"))
        (row,) = [[each.text for each in row] for row in found.rows if row[0].text == "two"]
        assert row[4:] == [
            "throughput, Mbit/s of instruction-clock time (server)", "162 (n=2) | 117 (n=1)", "118 (n=2) | 161 (n=1)",
            "0.897", "0.589–1.37", "97", "undecided",
        ]  # fmt: skip
        assert found.where == "vm engine, instructions clock"
        assert "Welch's test" in found.notes[0]
        assert found.columns[-3:] == ["95 % interval", "blocks", "verdict"]

    def test_data(self) -> None:
        told = comparison.data(("one", self.a), ("other", self.b))
        assert (told["a"], told["b"], told["engine"], told["clock"]) == ("one", "other", "vm", "instructions")
        cells = {each["vpn"]: each for each in told["cells"]}
        assert cells["two"]["modes_b"] == [{"median": 117.55, "n": 2}, {"median": 161.0, "n": 1}]
        assert cells["up"]["ratio"] == pytest.approx(1.2, rel=1e-4)
        assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_data_of_the_wall_clock_holds_no_nan() -> None:
    a, b = frame(cell("v", "x", [1, 2, 3]) + ledger("w", "x", 0)), frame(cell("v", "x", [1, 2]))
    told = comparison.data(("a", a), ("b", b))
    json.dumps(told, allow_nan=False)
    assert {each["verdict"] for each in told["cells"]} == {"undecided", "only in A"}


class TestGate:
    fast, slow = cell("v", "x", [100, 100.1, 99.9, 100], **VM), cell("v", "x", [97, 97.1, 96.9, 97], **VM)
    vague = cell("v", "x", [100, 103, 97, 101], **VM)

    def judged(self, a: list[Any], b: list[Any], past: list[list[Any]] | None = None) -> gate.Gate:
        return gate.judge(comparison.compare(frame(a), frame(b), None, [frame(run) for run in past or []]), 0.01)

    def test_worse_and_better(self) -> None:
        assert (self.judged(self.fast, self.slow).result, self.judged(self.fast, self.slow).code) == ("worse", 3)
        assert (self.judged(self.slow, self.fast).outcomes, self.judged(self.slow, self.fast).code) == (["better"], 0)

    def test_of_a_cost_less_is_better(self) -> None:
        cost = {"metric": "cost", "unit": "s/GB", "end": "machine", **VM}
        a, b = cell("v", "x", [10, 10.01, 9.99], **cost), cell("v", "x", [9, 9.01, 8.99], **cost)
        assert self.judged(a, b).outcomes == ["better"]
        assert self.judged(b, a).code == 3

    def test_the_same_passes_and_what_nobody_knows_does_not(self) -> None:
        assert self.judged(self.fast, self.fast).code == 0
        told = self.judged(self.vague, self.vague)
        assert (told.result, told.code) == ("undecided", 4)
        assert told.blocks > 4
        assert f"{told.blocks:.0f} blocks would decide" in told.line()

    def test_no_worse_passes_though_it_may_be_better(self) -> None:
        better = cell("v", "x", [100.2, 101.8, 100.7, 102.4], **VM)
        found = comparison.compare(frame(self.fast), frame(better))
        assert one(found)["verdict"] == "undecided"
        assert gate.judge(found, 0.01).code == 0
        assert gate.judge(comparison.compare(frame(better), frame(self.fast)), 0.01).code == 4

    def test_a_cell_that_broke_is_worse_and_one_that_was_not_tried_is_not(self) -> None:
        a = self.fast + cell("w", "x", [50, 50.1, 49.9], **VM)
        assert self.judged(a, self.fast).outcomes == ["same", "not compared"]
        assert self.judged(a, self.fast).code == 0
        broken = [*self.fast, missing("w", "x", "failed", "killed", **VM)]
        assert comparison.compare(frame(a), frame(broken))["verdict"].tolist() == ["tie", "lost"]
        assert self.judged(a, broken).code == 3

    def test_nothing_in_common_is_no_pass(self) -> None:
        assert self.judged(self.fast, cell("w", "x", [50, 50.1, 49.9], **VM)).code == 4

    def test_what_is_usual_is_no_difference(self) -> None:
        def run(level: float) -> list[Any]:
            return cell("v", "x", [level, level * 1.0001, level * 0.9999], **VM)

        levels = (100, 103, 100.5, 102, 99, 101)
        assert self.judged(self.fast, self.slow, [run(level) for level in levels]).code == 0
        found = one(comparison.compare(frame(self.fast), frame(self.slow), None, [frame(run(x)) for x in levels]))
        assert (found["verdict"], found["fence"] > 1.03) == ("usual", True)
        half = cell("v", "x", [50, 50.1, 49.9], **VM)
        assert self.judged(self.fast, half, [run(level) for level in levels]).code == 3
        assert self.judged(self.fast, self.slow, [run(level) for level in (100, 100.1, 100, 100.1, 100)]).code == 3
        assert self.judged(self.fast, self.slow, [run(level) for level in levels[:4]]).code == 3, "four are no past"

    def test_most_cells_at_half_speed(self) -> None:
        a = [entry for n in range(120) for entry in cell(f"v{n}", "x", [100, 100.1, 99.9], **VM)]
        b = [entry | {"value": entry["value"] / (2 if int(entry["vpn"][1:]) < 114 else 1)} for entry in a]
        told = self.judged(a, b)
        assert (told.code, told.counts["worse"], told.counts["same"]) == (3, 114, 6)
        assert told.plain()["exit_code"] == 3

    def test_markdown(self) -> None:
        a = self.fast + cell("w", "x", [100, 103, 97, 101], **VM)
        b = self.slow + cell("w", "x", [101, 103, 98, 100], **VM)
        compared = comparison.compare(frame(a), frame(b))
        text = gate.markdown(compared, gate.judge(compared, 0.01), ("one", "two"), ["a note"], "vm engine")
        head, *_ = text.splitlines()
        assert head.startswith("**not passed: worse (1 worse, 1 undecided)")
        assert "| v udp x throughput direction=up streams=1 | throughput, Mbit/s | 100 | 97.0 | 0.970 |" in text
        assert "<details><summary>undecided: 1</summary>" in text
        widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
        assert widths == {8}
