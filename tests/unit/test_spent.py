# SPDX-License-Identifier: MIT
"""Where the CPU time went, on frames small enough to check by hand."""
# ruff: noqa: RUF001 - en dashes are what the tables show

from __future__ import annotations

import pytest
from frames import VM, frame, kernel_vpn, ledger, one, summary

from lab.benches.vpn.cpu_ledger import gap
from lab.benches.vpn.views import cpu_tables, cpu_time
from lab.results.reading import Reading


class TestTime:
    def test_kernel_share(self) -> None:
        found = cpu_time.kernel_share(frame(ledger("a", "x", 0))).set_index("end")["value"]
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
        assert "server" not in set(cpu_time.kernel_share(frame(rows + idle))["end"])

    def test_per_payload(self) -> None:
        df = frame(ledger("a", "x", 0))
        switches = one(cpu_time.per_payload(df, ["context_switches_voluntary"], 1e6))
        assert (switches["value"], switches["unit"]) == (300, "count/MB")
        seconds = cpu_time.per_payload(df, ["cpu_system"]).set_index("end")["value"]
        assert seconds["server"] == pytest.approx(750)

    def test_a_payload_read_twice_counts_once(self) -> None:
        rows = ledger("a", "x", 0)
        found = one(cpu_time.per_payload(frame([*rows, rows[0]]), ["context_switches_voluntary"], 1e6))
        assert found["value"] == 300

    def test_reads_and_writes_are_families_of_calls(self) -> None:
        found = cpu_time.reads_and_writes(frame(ledger("a", "x", 0))).set_index("metric")["value"]
        assert found.to_dict() == {"reads": 750, "writes": 740}

    def test_cost_by_place_sums_to_the_machine_s(self) -> None:
        found = cpu_time.cost_by_place(frame(ledger("a", "x", 0))).set_index("end")["value"]
        assert found.to_dict() == {"server": 1000, "client": 600, "machine": 2000, "rest": 400}

    def test_a_kernel_vpn_costs_only_the_rest(self) -> None:
        rows = [
            entry for entry in ledger("a", "x", 0) if (entry["metric"], entry["end"]) not in
            {("cost", "server"), ("cost", "client")}
        ]  # fmt: skip
        found = cpu_time.cost_by_place(frame(rows)).set_index("end")["value"]
        assert found.to_dict() == {"machine": 2000, "rest": 2000}


class TestLedger:
    def test_closes(self) -> None:
        found = one(cpu_time.ledger_closure(frame(ledger("a", "x", 0)), 2))
        assert (found["whole"], found["parts"], found["busy"], found["ends"]) == pytest.approx((4, 4, 2, 1.8))
        assert found["closes"]

    def test_kernel_threads_are_part_of_system_time(self) -> None:
        assert one(cpu_time.ledger_closure(frame(ledger("a", "x", 0)), 2))["gap"] == pytest.approx(0)

    def test_missing_time_does_not_close(self) -> None:
        found = one(cpu_time.ledger_closure(frame(ledger("a", "x", 0)), 3))
        assert found["gap"] == pytest.approx(2 / 6)
        assert not found["closes"]

    def test_ends_cannot_spend_more_than_the_machine(self) -> None:
        rows = [
            {**entry, "value": 3.0} if (entry["metric"], entry["end"]) == ("cpu_user", "server") else entry
            for entry in ledger("a", "x", 0)
        ]
        assert not one(cpu_time.ledger_closure(frame(rows), 2))["closes"]

    def test_the_gap_is_that_of_the_ledger(self) -> None:
        """Positive where time is missing: one sign, whoever computes it."""
        for processors in (1, 2, 3):
            rows = ledger("a", "x", 0)
            taken = [Reading(entry["metric"], entry["unit"], entry["end"], entry["value"]) for entry in rows]
            found = one(cpu_time.ledger_closure(frame(rows), processors))
            assert found["gap"] == pytest.approx(gap(taken, processors))


class TestKernelVpn:
    """A daemon's few milliseconds are all system time; a share of 67 % or 100 % would be of nothing."""

    def test_an_end_that_did_nothing_has_no_share(self) -> None:
        assert set(cpu_time.kernel_share(frame(kernel_vpn("k", "x", 0)))["end"]) == {"client-load", "machine"}

    def test_one_per_cent_is_the_limit(self) -> None:
        rows = [
            entry
            | {"value": 0.026 if entry["metric"].startswith("cpu") and entry["end"] == "server" else entry["value"]}
            for entry in kernel_vpn("k", "x", 0)
        ]
        assert "server" in set(cpu_time.kernel_share(frame(rows))["end"])

    def test_both_generators_are_the_load(self) -> None:
        rows = ledger("a", "x", 0)
        rows += [entry | {"end": "server-load"} for entry in rows if entry["end"] == "client-load"]
        found = cpu_time.of_load(frame(rows)).set_index("metric")["value"]
        assert found.to_dict() == pytest.approx({"cpu_user": 0.2, "cpu_system": 0.2})

    def test_the_table_says_where_its_time_went(self) -> None:
        df = frame([entry for block in range(3) for entry in kernel_vpn("k", "x", block, **VM)])
        found = cpu_tables.kernel_and_user(summary(df), ("transfer", "size=1000000"))
        assert [each.text for each in found.rows[0]] == [
            "k/udp", "x", "kernel", "2.00 / 1.00", "–¹", "0 / 0", "–¹", "900 / 100", "700 / 1100 / 800 / 100", "3"
        ]  # fmt: skip
        (note,) = [note for note in found.notes if note.startswith("¹")]
        for text in (
            "less than 1 %",
            "the kernel did the work",
            "softirq",
            "kernel threads",
            "interrupted",
            "load's own",
        ):
            assert text in note
        assert "0 %" not in str(found.rows)

    @pytest.mark.parametrize(("size", "said"), [(1e6, False), (1e5, True)])
    def test_a_load_too_small_for_the_ticks_is_said(self, size: float, said: bool) -> None:
        rows = [
            entry | {"value": size if entry["metric"] == "payload" else entry["value"]} for entry in ledger("a", "x", 0)
        ]
        for draw in (cpu_tables.cost, cpu_tables.kernel_and_user):
            notes = " ".join(draw(summary(frame(rows)), ("transfer", "size=1000000")).notes)
            assert ("ticks of 10 ms" in notes) == said
            assert ("100 s/GB of a load" in notes) == said

    def test_it_is_compared_by_the_whole_machine(self) -> None:
        rows = [*kernel_vpn("k", "x", 0), *ledger("a", "x", 0)]
        found = cpu_tables.cost(summary(frame(rows)), ("transfer", "size=1000000"))
        cells = {row[0].text: [each.text for each in row[2:7]] for row in found.rows}
        assert cells == {
            "a/udp": ["user space", "1000", "600", "400", "2000"], "k/udp": ["kernel", "3.00", "0", "2597", "2600"]
        }  # fmt: skip
        assert "compare by `machine`" in " ".join(found.notes)
