"""Analysis on frames small enough to check by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from frames import UP, cell, control, frame, ledger, missing, row
from scipy.stats import bootstrap

from lab import analysis, inference
from lab.errors import LabError


def one(df: pd.DataFrame) -> dict[Any, Any]:
    assert len(df) == 1
    return df.to_dict("records")[0]


def by(df: pd.DataFrame, column: str) -> dict[Any, dict[Any, Any]]:
    """The rows of a frame by the value of one column."""
    return {record[column]: record for record in df.to_dict("records")}


class TestSummary:
    def test_median_interval_and_range(self) -> None:
        found = one(analysis.summarise(frame(cell("a", "x", [10, 11, 12, 13, 100]))))
        assert (found["n"], found["median"], found["min"], found["max"]) == (5, 12, 10, 100)
        assert 10 <= found["low"] < 12 < found["high"] <= 100

    def test_interval_is_the_bootstrap_s(self) -> None:
        values = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.0]
        low, high = inference.median_intervals([values])
        expected = bootstrap(
            (values,), np.median, n_resamples=1999, method="percentile", rng=np.random.default_rng(inference.SEED)
        ).confidence_interval
        assert (low[0], high[0]) == (expected.low, expected.high)

    @pytest.mark.parametrize("n", [1, 2])
    def test_too_few_samples_have_no_interval(self, n: int) -> None:
        found = one(analysis.summarise(frame(cell("a", "x", range(10, 10 + n)))))
        assert found["n"] == n
        assert np.isnan(found["low"])
        assert np.isnan(found["high"])

    def test_interval_depends_on_its_own_row_alone(self) -> None:
        rows = cell("a", "x", [10, 15, 12, 13, 19])
        alone = one(analysis.summarise(frame(rows)))
        many = frame([*(entry for k in range(300) for entry in cell(f"b{k}", "x", [k, 1, 2, 9, 4])), *reversed(rows)])
        among = analysis.summarise(many)
        same = one(among[among["vpn"] == "a"])
        assert (same["low"], same["high"]) == (alone["low"], alone["high"])

    def test_only_samples_that_count(self) -> None:
        rows = [
            *cell("a", "x", [10, 12]),
            row("a", "x", 2, 99, outcome="invalid"),
            missing("a", "x", "failed", "timed out"),
        ]
        assert one(analysis.summarise(frame(rows)))["median"] == 11

    def test_engines_and_clocks_stay_apart(self) -> None:
        rows = cell("a", "x", [10, 11, 12]) + cell("a", "x", [90, 91, 92], clock="instructions")
        assert sorted(analysis.summarise(frame(rows))["median"]) == [11, 91]
        with pytest.raises(LabError, match="host engine with instructions clock, host engine with wall clock"):
            analysis.one_clock(frame(rows))

    def test_a_missing_column_is_named(self) -> None:
        with pytest.raises(LabError, match="bottleneck"):
            analysis.summarise(frame(cell("a", "x", [1])).drop(columns="bottleneck"))

    def test_outcomes_keep_every_attempt(self) -> None:
        rows = [
            *cell("a", "x", [1, 2]),
            row("a", "x", 1, 5, metric="retransmits"),  # the same sample's second figure
            missing("a", "y", "unsupported", "no such cipher"),
            missing("a", "x", "failed", "timed out"),
        ]
        ended = analysis.outcomes(frame(rows)).to_dict("records")
        found = {(end["suite"], end["outcome"], end["reason"]): end["n"] for end in ended}
        assert found == {("x", "ok", ""): 2, ("y", "unsupported", "no such cipher"): 1, ("x", "failed", "timed out"): 1}


class TestFiles:
    def test_null_is_a_suite(self, tmp_path: Path) -> None:
        path = tmp_path / "results.csv"
        frame([*cell("a", "null", [10, 12]), missing("a", "y", "unsupported", "no")]).to_csv(path, index=False)
        read = analysis.read_csv(path)
        assert one(analysis.summarise(read))["suite"] == "null"
        assert len(analysis.outcomes(read)) == 2

    def test_find_run(self, tmp_path: Path) -> None:
        for name in ("20260101-a", "20260301-a", "20260201-a"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "results.csv").touch()
        (tmp_path / "20270101-unfinished").mkdir()
        assert analysis.find_run(tmp_path).name == "20260301-a"
        assert analysis.find_run(tmp_path, "20260101-a").name == "20260101-a"
        assert analysis.find_run(Path("elsewhere"), str(tmp_path / "20260201-a")).name == "20260201-a"
        with pytest.raises(LabError, match="nonesuch"):
            analysis.find_run(tmp_path, "nonesuch")


class TestControl:
    def test_ratios_are_taken_within_blocks(self) -> None:
        # The machine slows down from block to block; the share of the control does not change.
        rows = cell("a", "x", [100, 80, 60]) + control([1000, 800, 600])
        found = one(analysis.ratios_to_control(frame(rows), "plain"))
        assert found["median"] == pytest.approx(0.1)
        assert (found["low"], found["high"]) == pytest.approx((0.1, 0.1))
        assert found["unit"] == "ratio"

    def test_a_block_without_control_gives_no_ratio(self) -> None:
        rows = cell("a", "x", [100, 80, 60]) + control([1000, 800])
        assert one(analysis.ratios_to_control(frame(rows), "plain"))["n"] == 2

    def test_conditions_and_clocks_do_not_mix(self) -> None:
        rows = cell("a", "x", [100]) + control([1000], conditions="direction=down") + control([1], clock="other")
        assert analysis.ratios_to_control(frame(rows), "plain").empty

    def test_no_control(self) -> None:
        with pytest.raises(LabError, match="no control"):
            analysis.ratios_to_control(frame(cell("a", "x", [1, 2, 3])), "plain")

    def test_who_is_the_control(self) -> None:
        df = frame(cell("a", "x", [1]) + control([2]))
        assert analysis.control_of(df) == "plain"
        assert analysis.control_of(df, {"controls": ["other"]}) == "other"
        assert analysis.control_of(frame(cell("a", "x", [1])), {}) is None


class TestRanking:
    def tiers(self, rows: list[dict[str, Any]]) -> dict[str, int]:
        found = analysis.tiers(frame(rows), control="plain")
        return dict(zip(found["vpn"], found["tier"], strict=True))

    def test_tie_inside_the_margin_and_lower_outside(self) -> None:
        drift = np.array([1.0, 0.7, 1.3, 0.9, 1.1])
        rows = (
            cell("fast", "x", 100 * drift)
            + cell("same", "x", [98 * d * e for d, e in zip(drift, (1, 1.01, 0.99, 1, 1), strict=True)])
            + cell("slow", "x", [80 * d * e for d, e in zip(drift, (1.01, 1, 0.99, 1, 1), strict=True)])
        )
        assert self.tiers(rows) == {"fast": 1, "same": 1, "slow": 2}
        pairs = analysis.pairwise(frame(rows)).to_dict("records")
        assert {(pair["a"][0], pair["b"][0]): pair["verdict"] for pair in pairs} == {
            ("fast", "same"): "tie", ("fast", "slow"): "higher", ("same", "slow"): "higher"
        }  # fmt: skip

    def test_noise_is_no_rank(self) -> None:
        rows = cell("a", "x", [100, 140, 90, 120, 80]) + cell("b", "x", [90, 100, 130, 70, 110])
        assert analysis.pairwise(frame(rows))["verdict"].tolist() == ["undecided"]
        assert set(self.tiers(rows).values()) == {1}

    def test_two_blocks_decide_nothing(self) -> None:
        rows = cell("a", "x", [100, 100]) + cell("b", "x", [10, 10])
        assert self.tiers(rows) == {"a": 1, "b": 1}

    def test_cells_that_are_not_cpu_bound_are_not_ranked(self) -> None:
        rows = cell("a", "x", [100, 101, 99]) + cell("b", "x", [500, 505, 495], bottleneck="other")
        found = by(analysis.tiers(frame(rows)), "vpn")
        assert (found["a"]["tier"], found["b"]["tier"]) == (1, 0)
        assert found["b"]["why"] == "CPU-bound in 0 of 3 samples"
        assert analysis.pairwise(frame(rows)).empty

    def test_most_samples_decide_what_bound_a_cell(self) -> None:
        rows = [*cell("a", "x", [100, 101]), row("a", "x", 2, 99, bottleneck="generator")]
        assert self.tiers(rows) == {"a": 1}
        rows = [*cell("a", "x", [100, 101], bottleneck="other"), row("a", "x", 2, 99)]
        assert self.tiers(rows) == {"a": 0}

    def test_a_sample_that_read_nothing_is_said(self) -> None:
        found = one(analysis.tiers(frame(cell("a", "x", [100, 0, 99]))))
        assert (found["tier"], found["why"]) == (0, "1 of 3 samples read nothing")

    def test_control_clocks_and_conditions_have_no_common_rank(self) -> None:
        rows = (
            cell("a", "x", [10, 11, 10])
            + cell("b", "x", [99, 98, 99], clock="instructions")
            + cell("c", "x", [99, 98, 99], conditions="direction=down")
            + control([900, 901, 902], bottleneck="cpu:machine")
        )
        assert self.tiers(rows) == {"a": 1, "b": 1, "c": 1}
        assert analysis.pairwise(frame(rows).query("vpn != 'plain'")).empty

    def test_comparisons_are_corrected(self) -> None:
        p = inference.correct([0.01, 0.04, float("nan"), 0.03])
        assert p[[0, 1, 3]] == pytest.approx([0.03, 0.04, 0.04])
        assert np.isnan(p[2])

    @pytest.mark.parametrize(
        ("low", "high", "p", "said"),
        [
            (0.96, 1.04, 0.001, "tie"), (1.10, 1.30, 0.001, "higher"), (0.70, 0.90, 0.001, "lower"),
            (1.10, 1.30, 0.2, "undecided"), (0.70, 0.90, 0.2, "undecided"), (0.90, 1.30, 0.001, "undecided"),
            (0.94, 1.00, 0.2, "undecided"), (float("nan"), float("nan"), float("nan"), "undecided"),
        ],
    )  # fmt: skip
    def test_verdict_needs_both_interval_and_p(self, low: float, high: float, p: float, said: str) -> None:
        assert inference.verdict(low, high, p, 0.05) == said

    def test_exact_repeats_have_no_noise(self) -> None:
        assert inference.p_paired([[0.0] * 3, [0.1] * 3]).tolist() == [1.0, 0.0]
        assert inference.p_unpaired([[1.0] * 3, [1.0] * 3], [[1.0] * 3, [2.0] * 3]).tolist() == [1.0, 0.0]

    def test_tests_agree_with_scipy(self) -> None:
        from scipy import stats

        a, b = [0.1, 0.3, 0.2, 0.25], [0.0, 0.1, 0.4, 0.2, 0.1]
        assert inference.p_paired([a])[0] == pytest.approx(stats.ttest_1samp(a, 0).pvalue)
        assert inference.p_unpaired([a], [b])[0] == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)


class TestTime:
    def test_kernel_share(self) -> None:
        found = analysis.kernel_share(frame(ledger("a", "x", 0))).set_index("end")["value"]
        assert found.to_dict() == pytest.approx(
            {"server": 0.75, "client": 0.5, "client-load": 0.5, "machine": 1.1 / 1.8}
        )

    def test_an_end_without_time_has_no_share(self) -> None:
        rows = [entry for entry in ledger("a", "x", 0) if entry["end"] != "server"]
        idle = [
            {**entry, "end": "server", "metric": metric, "value": 0.0}
            for entry in rows[:1]
            for metric in ("cpu_user", "cpu_system")
        ]
        assert "server" not in set(analysis.kernel_share(frame(rows + idle))["end"])

    def test_per_payload(self) -> None:
        df = frame(ledger("a", "x", 0))
        switches = one(analysis.per_payload(df, ["context_switches_voluntary"], 1e6))
        assert (switches["value"], switches["unit"]) == (300, "count/MB")
        seconds = analysis.per_payload(df, ["cpu_system"]).set_index("end")["value"]
        assert seconds["server"] == pytest.approx(750)

    def test_a_payload_read_twice_counts_once(self) -> None:
        rows = ledger("a", "x", 0)
        found = one(analysis.per_payload(frame([*rows, rows[0]]), ["context_switches_voluntary"], 1e6))
        assert found["value"] == 300

    def test_reads_and_writes_are_families_of_calls(self) -> None:
        found = analysis.reads_and_writes(frame(ledger("a", "x", 0))).set_index("metric")["value"]
        assert found.to_dict() == {"reads": 750, "writes": 740}

    def test_cost_by_place_sums_to_the_machine_s(self) -> None:
        found = analysis.cost_by_place(frame(ledger("a", "x", 0))).set_index("end")["value"]
        assert found.to_dict() == {"server": 1000, "client": 600, "machine": 2000, "rest": 400}

    def test_a_kernel_vpn_costs_only_the_rest(self) -> None:
        rows = [
            entry for entry in ledger("a", "x", 0) if (entry["metric"], entry["end"]) not in
            {("cost", "server"), ("cost", "client")}
        ]  # fmt: skip
        found = analysis.cost_by_place(frame(rows)).set_index("end")["value"]
        assert found.to_dict() == {"machine": 2000, "rest": 2000}


class TestLedger:
    def test_closes(self) -> None:
        found = one(analysis.ledger_closure(frame(ledger("a", "x", 0)), 2))
        assert (found["whole"], found["parts"], found["busy"], found["ends"]) == pytest.approx((4, 4, 2, 1.8))
        assert found["closes"]

    def test_kernel_threads_are_part_of_system_time(self) -> None:
        assert one(analysis.ledger_closure(frame(ledger("a", "x", 0)), 2))["gap"] == pytest.approx(0)

    def test_missing_time_does_not_close(self) -> None:
        found = one(analysis.ledger_closure(frame(ledger("a", "x", 0)), 3))
        assert found["gap"] == pytest.approx(-2 / 6)
        assert not found["closes"]

    def test_ends_cannot_spend_more_than_the_machine(self) -> None:
        rows = [
            {**entry, "value": 3.0} if (entry["metric"], entry["end"]) == ("cpu_user", "server") else entry
            for entry in ledger("a", "x", 0)
        ]
        assert not one(analysis.ledger_closure(frame(rows), 2))["closes"]


class TestCompare:
    def test_verdicts(self) -> None:
        a = cell("same", "x", [100, 101, 99, 100, 100]) + cell("slower", "x", [100, 101, 99, 100, 100])
        b = cell("same", "x", [101, 100, 100, 99, 102]) + cell("slower", "x", [80, 81, 79, 80, 80])
        a, b = a + cell("gone", "x", [1, 2, 3]), b + cell("new", "x", [1, 2, 3])
        found = by(analysis.compare(frame(a), frame(b)), "vpn")
        assert {vpn: each["verdict"] for vpn, each in found.items()} == {
            "same": "tie", "slower": "lower", "gone": "only in A", "new": "only in B"
        }  # fmt: skip
        assert found["slower"]["ratio"] == pytest.approx(0.8)
        assert found["slower"]["low"] <= 0.8 <= found["slower"]["high"]
        assert (found["gone"]["n_a"], found["gone"]["n_b"]) == (3, 0)

    def test_margin(self) -> None:
        a, b = cell("v", "x", [100, 101, 99, 100, 100]), cell("v", "x", [97, 98, 96, 97, 97])
        assert one(analysis.compare(frame(a), frame(b)))["verdict"] == "tie"
        assert one(analysis.compare(frame(a), frame(b), margin=0.01))["verdict"] == "lower"

    def test_two_samples_decide_nothing(self) -> None:
        a, b = cell("v", "x", [100, 100]), cell("v", "x", [10, 10])
        assert one(analysis.compare(frame(a), frame(b)))["verdict"] == "undecided"

    @pytest.mark.parametrize("other", [{"clock": "instructions"}, {"engine": "vm"}])
    def test_other_clock_or_engine_is_refused(self, other: dict[str, str]) -> None:
        a, b = cell("v", "x", [1, 2, 3]), cell("v", "x", [1, 2, 3], **other)
        with pytest.raises(LabError, match="cannot be compared"):
            analysis.compare(frame(a), frame(b))

    def test_conditions_are_cells_of_their_own(self) -> None:
        a, b = cell("v", "x", [1, 2, 3]), cell("v", "x", [1, 2, 3], conditions="direction=down")
        found = analysis.compare(frame(a), frame(b)).set_index("conditions")
        assert found["verdict"].to_dict() == {UP: "only in A", "direction=down": "only in B"}
