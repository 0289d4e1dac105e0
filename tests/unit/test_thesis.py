"""The thesis's figures, and a run beside them."""
# ruff: noqa: RUF001 - en dashes are what the tables show

from __future__ import annotations

import io
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from frames import cell, frame, ledger, missing
from rich.console import Console

from lab import tables, thesis
from lab.thesis import order, told

THESIS = thesis.load()
THROUGHPUT = {table.vpn: table for table in THESIS.throughput.tables}
WRONG_MEANS = {("3.15", "openvpn")}
WRONG_SHARES = {("3.15", "openvpn"), ("3.15", "openconnect"), ("3.17", "openconnect")}


class TestFigures:
    def test_counts_of_the_tables(self) -> None:
        assert {table.source: len(table.rows) for table in THESIS.throughput.tables} == {"B.1": 4, "B.2": 12, "B.3": 13}
        assert len(THESIS.averages.rows) == 22
        assert (len(THESIS.components.time), len(THESIS.components.calls)) == (4, 4)

    @pytest.mark.parametrize("row", [row for table in THESIS.throughput.tables for row in table.rows if row.runs])
    def test_printed_averages_are_the_means_of_the_runs(self, row: thesis.Row) -> None:
        assert len(row.runs) == 3
        assert mean(row.runs) == pytest.approx(row.average, abs=0.005)

    def test_b4_repeats_b1_to_b3(self) -> None:
        for average in THESIS.averages.rows:
            for vpn, value in average.values.items():
                (row,) = [row for row in THROUGHPUT[vpn].rows if row.suite == average.suite]
                assert row.average == value, (vpn, average.label)

    def test_each_suite_once_in_a_table(self) -> None:
        for table in THESIS.throughput.tables:
            suites = [row.suite for row in table.rows if row.suite]
            assert len(suites) == len(set(suites))
            assert THESIS.reference in suites

    @pytest.mark.parametrize("row", THESIS.components.time, ids=lambda row: f"{row.source} {row.vpn}")
    def test_component_averages_and_shares_where_they_are_right(self, row: thesis.Component) -> None:
        right = [
            ours == pytest.approx(printed, abs=0.005) for ours, printed in zip(row.value, row.average, strict=True)
        ]
        assert all(right) == ((row.source, row.vpn) not in WRONG_MEANS)
        assert row.percent
        share = 100 * row.value[0] / sum(row.value)
        assert (share == pytest.approx(row.percent[0], abs=0.01)) == ((row.source, row.vpn) not in WRONG_SHARES)

    @pytest.mark.parametrize("row", THESIS.components.calls, ids=lambda row: f"{row.source} {row.vpn}")
    def test_call_averages(self, row: thesis.Component) -> None:
        assert row.value == pytest.approx(row.average, abs=0.005)

    def test_every_error_found_by_these_tests_is_an_erratum(self) -> None:
        said = " ".join(f"{one.where} {one.what}" for one in THESIS.errata)
        for text in ("AES 192 CBC SHA1", "3.120 s, not 3.211", "77.8 %, not 89.4", "75.6 %, not 80.8"):
            assert text in said

    def test_no_vpn_is_named_in_the_code(self) -> None:
        names = {table.vpn for table in THESIS.throughput.tables} | {name.lower() for name in THESIS.software}
        names &= {"openvpn", "openconnect", "ocserv", "libreswan"}
        assert len(names) == 4
        for path in Path(thesis.__file__).parent.glob("*.py"):
            text = path.read_text(encoding="utf-8").lower()
            assert not [name for name in names if name in text], path


class TestOrder:
    def test_told_apart_where_spans_do_not_overlap(self) -> None:
        assert [told((5, 6), (3, 4)), told((3, 4), (5, 6)), told((3, 5), (5, 6))] == [1, -1, 0]

    def test_verdicts_are_counted(self) -> None:
        high, low, wide = (9.0, 10.0), (1.0, 2.0), (0.0, 99.0)
        said = order(
            [
                ("a", high, high, "b", low, low),
                ("a", high, low, "c", low, high),
                ("a", high, wide, "d", low, low),
                ("a", wide, high, "e", low, low),
            ]
        )
        assert said == (
            "order: pairs told apart there: 3; the same here: 1; reversed: 1; not told apart here: 1 (a > c there)"
        )
        assert order([]) == "order: nothing that the source tells apart was measured here"


def a_run() -> Any:
    """OpenConnect and OpenVPN in one suite, OpenConnect also in a faster and a slower one; Libreswan cannot run."""
    return frame(
        [
            *cell("openconnect", "aes-128-cbc-sha1", [400, 404, 396], variant="dtls"),
            *cell("openconnect", "aes-128-cbc-sha1", [999, 999, 999], variant="tls"),
            *cell(
                "openconnect",
                "aes-128-cbc-sha1",
                [111, 111, 111],
                variant="dtls",
                conditions="direction=down streams=1",
            ),
            *cell("openconnect", "aes-128-gcm", [200, 202, 198], variant="dtls"),
            *cell("openconnect", "3des-cbc-sha1", [100, 101, 99], variant="tls"),
            *cell("openvpn", "aes-128-cbc-sha1", [200, 202, 198]),
            missing("libreswan", "aes-128-gcm", "unsupported", "kernel has no ESP", variant="esp"),
            *(figure for block in range(3) for figure in ledger("openvpn", "aes-128-cbc-sha1", block)),
        ]
    )


class TestRun:
    def table(self, name: str) -> tables.Table:
        (found,) = [table for table in thesis.build(a_run(), THESIS) if table.name == f"thesis {name}"]
        return found

    def rows(self, name: str) -> dict[str, list[str]]:
        return {row[1].text: [cell.text for cell in row] for row in self.table(name).rows}

    def test_ratio_to_the_reference_suite(self) -> None:
        row = self.rows("B.1")["aes-128-gcm"]
        assert row == [
            "AES128 GCM", "aes-128-gcm", "770 817 800", "795.67", "200", "198–202 n3", "dtls", "1.66", "0.500", "0.301"
        ]  # fmt: skip

    def test_the_first_variant_that_ran_and_the_named_conditions(self) -> None:
        assert self.rows("B.1")["aes-128-cbc-sha1"][4:7] == ["400", "396–404 n3", "dtls"]
        assert self.rows("B.1")["3des-cbc-sha1"][6] == "tls"

    def test_order_within_a_vpn(self) -> None:
        assert self.table("B.1").notes[0] == (
            "order: pairs told apart there: 3; the same here: 2; reversed: 1 (aes-128-gcm > aes-128-cbc-sha1 there)"
        )

    def test_what_was_not_measured_says_why(self) -> None:
        assert self.rows("B.3")["aes-128-gcm"][4] == "–²"
        assert self.table("B.3").notes[1:] == ["¹ not in this run", "² unsupported: kernel has no ESP"]

    def test_vpn_against_vpn(self) -> None:
        found = {(row[0].text, row[1].text): [cell.text for cell in row[2:]] for row in self.table("B.4").rows}
        assert found[("openconnect ÷ openvpn", "aes-128-cbc-sha1")] == ["1.12", "2.00", "1.79", "reproduced"]
        assert found[("openconnect ÷ libreswan", "aes-128-gcm")][-1] == "not measured here: libreswan"

    def test_time_and_calls(self) -> None:
        time = [[cell.text for cell in row] for row in self.table("time").rows]
        assert time[0] == ["3.15", "server", "openvpn", "4.97 / 3.12", "61.4 %", "60.8 %", "750 / 250",
                           "75.0 % (75.0–75.0 %) n3", "1.00", "1.00"]  # fmt: skip
        assert time[1][6:] == ["– / –", "–", "0.704", "–"]
        calls = [[cell.text for cell in row] for row in self.table("calls").rows]
        assert calls[2] == ["3.18", "server", "openvpn", "2084 / 2083", "750 / 740", "1.00 / 1.00", "1.00 / 1.00"]

    def test_render(self) -> None:
        console = Console(file=io.StringIO(), width=200)
        thesis.render(a_run(), {"machine": {"cpu": "Some CPU"}}, console)
        assert isinstance(console.file, io.StringIO)
        said = console.file.getvalue()
        for text in ("i7-4600U", "here: Some CPU", "B.2 openvpn", "3.16, 3.18", "Errata of the source"):
            assert text in said
