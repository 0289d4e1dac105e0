# SPDX-License-Identifier: MIT
"""What a report says, in the terminal, as JSON and as a page."""
# ruff: noqa: RUF001 - en dashes are what the tables show

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from frames import UP, VM, cell, control, frame, ledger, missing, summary
from rich.console import Console

from lab.benches.crypto.views import report as crypto_report
from lab.benches.ktls.views import report as ktls_report
from lab.benches.vpn.views import contents, report, speed_tables
from lab.cli import runs
from lab.core import files
from lab.core.errors import LabError
from lab.report import comparison, comparison_page, page, tables, text
from lab.report.views import nobody
from lab.report.write import write
from lab.results.store import Store
from lab.stats.summary import Summary

META: dict[str, Any] = {"controls": ["plain"], "processors": 2, "machine": {"cpu": "Some CPU <fast>"}}


def a_run() -> pd.DataFrame:
    """Two VPNs and a control; one cell of each outcome; a transfer with its ledger."""
    return frame(
        [
            *cell("alpha", "aes-128", [500, 510, 505, 495, 500]),
            *cell("alpha", "null", [600, 610]),
            *cell("beta", "aes-128", [300, 310, 305]),
            missing("beta", "null", "unsupported", "beta has no null"),
            missing("alpha", "rc2", "failed", "handshake timed out"),
            missing("beta", "rc2", "invalid", "cleartext on the wire"),
            *control([10000, 10100, 9900, 10000, 10000]),
            *(figure for block in range(3) for figure in ledger("alpha", "aes-128", block)),
        ]
    )


def table(name: str, **other: Any) -> tables.Table:
    (found,) = [each for each in contents.build(summary(a_run(), META), **other) if each.name.startswith(name)]
    return found


def texts(found: tables.Table) -> list[list[str]]:
    return [[each.text for each in row] for row in found.rows]


def terminal(width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width)
    run = Summary(a_run(), META)
    console.print(run.heading)
    for each in report.tables(run, nobody, whole=False):
        text.show(each, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


class TestMatrix:
    def test_what_its_conditions_stand_for_is_noted(self) -> None:
        rows = frame(
            [
                *cell("alpha", "aes-128", [500, 510], conditions="direction=up streams=1"),
                *cell("alpha", "aes-128", [4, 5], conditions="direction=up streams=1 wire=dsl"),
            ]
        )
        built = contents.build(Summary(rows, META | {"conditions": {"wire": {"dsl": "a DSL line", "lan": "a switch"}}}))
        whole, dsl = (each.notes for each in built if each.name.startswith("matrix"))
        assert "wire=dsl: a DSL line" in dsl
        assert not any(note.startswith("wire=") for note in whole)
        assert not any("a switch" in note for note in dsl)

    def test_median_interval_and_n(self) -> None:
        rows = {row[0]: row[1:] for row in texts(table("matrix direction"))}
        assert rows["aes-128"] == ["500\n495–510 n5", "305\n300–310 n3"]
        assert rows["null"] == ["605\n600–610 n2", "–¹"]

    def test_every_outcome_shows_with_its_reason(self) -> None:
        found = table("matrix direction")
        (rc2,) = [row for row in found.rows if row[0].text == "rc2"]
        assert [(each.text, each.kind) for each in rc2[1:]] == [("1 failed²", "failed"), ("1 invalid³", "invalid")]
        assert found.notes == [
            "control plain/wire: 10000 (9900–10100, n 5)",
            "¹ beta has no null", "² handshake timed out", "³ cleartext on the wire",
        ]  # fmt: skip

    def test_a_cell_that_failed_once_says_so_beside_its_median(self) -> None:
        df = frame([*cell("alpha", "x", [5, 6, 7]), missing("alpha", "x", "failed", "killed", position=1)])
        found = speed_tables.matrix(summary(df), ("throughput", UP))
        assert texts(found) == [["x", "6.00\n5.00–7.00 n3\n1 failed¹"]]
        assert found.notes == ["¹ killed"]


class TestTables:
    def test_tiers_and_shares_of_the_control(self) -> None:
        rows = texts(table("ranks"))
        # Two samples of null tell nothing: it leads only by its median, and aes-128 is not shown to be lower.
        assert [row[:3] for row in rows] == [
            ["1", "alpha/udp", "null"], ["1", "alpha/udp", "aes-128"], ["1", "beta/udp", "aes-128"]
        ]  # fmt: skip
        assert [row[3] for row in rows] == ["user space"] * 3
        assert rows[1][4:] == ["500", "495–510", "5", "5.0 % (5.0–5.1 %)"]

    def test_kernel_and_user_seconds_per_gigabyte(self) -> None:
        assert texts(table("cpu")) == [
            ["alpha/udp", "aes-128", "user space", "750 / 250", "75.0 % (75.0–75.0 %)", "300 / 300",
             "50.0 % (50.0–50.0 %)", "100 / 100", "700 / 1100 / 200 / 100", "3"]
        ]  # fmt: skip

    def test_switches_and_calls_per_megabyte(self) -> None:
        assert texts(table("switches")) == [
            ["alpha/udp", "aes-128", "user space", "300 / 7.00", "750 / 740", "– / –", "– / –", "3"]
        ]

    def test_cost_by_place(self) -> None:
        assert texts(table("cost")) == [
            ["alpha/udp", "aes-128", "user space", "1000", "600", "400", "2000", "2000–2000", "3"]
        ]

    def test_overview_counts_all_and_checks_the_ledger(self) -> None:
        found = table("samples")
        assert texts(found) == [
            ["alpha/udp", "10", "0", "1", "0"], ["beta/udp", "3", "1", "0", "1"], ["plain/wire", "5", "0", "0", "0"]
        ]  # fmt: skip
        assert found.notes[0] == "1 failed: alpha/udp rc2 (throughput): handshake timed out"
        assert "in 3 of 3 samples" in found.notes[-1]

    def test_latency_and_handshake_when_measured(self) -> None:
        assert not [each for each in contents.build(summary(a_run(), META)) if each.name in ("latency", "handshake")]
        rtt = {"measure": "latency", "conditions": "load=none", "unit": "ms", "end": "client"}
        rows = [
            *cell("a", "x", [1, 2, 3], **rtt, metric="rtt_p50"), *cell("a", "x", [9, 9, 9], **rtt, metric="rtt_p99"),
            *cell("a", "x", [0.2, 0.3, 0.25], measure="handshake", metric="handshake", end="client", conditions=""),
        ]  # fmt: skip
        found = {each.name: texts(each) for each in contents.build(summary(frame(rows)))}
        assert found["latency"] == [
            ["a/udp", "x", "user space", "load=none", "2.00 (1.00–3.00)", "–", "9.00 (9.00–9.00)", "–", "3"]
        ]
        assert found["handshake"] == [["a/udp", "x", "user space", "0.250", "0.200–0.300", "–", "3"]]

    def test_clocks_are_never_in_one_report(self) -> None:
        df = frame(cell("a", "x", [1, 2, 3]) + cell("a", "x", [1, 2, 3], clock="instructions"))
        with pytest.raises(LabError, match="one engine and clock"):
            contents.build(summary(df, META))

    @pytest.mark.parametrize(
        ("value", "text"),
        [(0, "0"), (0.0123, "0.0123"), (0.123, "0.123"), (1.234, "1.23"), (99.96, "100"), (12345.6, "12346"),
         (float("nan"), "–")],
    )  # fmt: skip
    def test_figures(self, value: float, text: str) -> None:
        assert tables.figure(value) == text

    def test_natural_order(self) -> None:
        assert tables.order(["aes-1024", "aes-128", "3des", "null"]) == ["aes-128", "aes-1024", "null", "3des"]

    def test_facts_are_flat_and_short(self) -> None:
        meta = {"a": {"b": 1, "c": ["x", "y"]}, "plan": [{"cell": 1}] * 3, "flags": "f " * 500, "none": None}
        found = dict(tables.facts(meta))
        assert found["a.b"] == "1"
        assert found["a.c"] == "x, y"
        assert found["plan"] == "3 entries"
        assert len(found["flags"]) == 301
        assert "none" not in found


class TestTerminal:
    def test_says_what_it_shows(self) -> None:
        shown = terminal()
        assert shown.startswith("run r1: host engine, wall clock, 5 blocks\n")
        assert "Throughput by ciphersuite, Mbit/s of wall-clock time (direction=up streams=1)" in shown
        assert "cleartext on the wire" in shown

    def test_wide_tables_are_cut_into_pieces_that_fit(self) -> None:
        narrow = terminal(60)
        assert "(continued)" in narrow
        drawn = [line for line in narrow.splitlines() if "│" in line]
        assert drawn
        assert max(map(len, drawn)) <= 60
        assert "…" not in "".join(drawn)

    def test_every_piece_names_its_rows(self) -> None:
        found = table("cpu")
        assert list(text.pieces(found, 70))[:2] == [[0, 1, 2, 3], [0, 1, 2, 4]]
        assert list(text.pieces(found, 500)) == [list(range(10))]


class TestData:
    def test_as_text_is_json(self) -> None:
        found = json.loads(json.dumps(report.data(Summary(a_run(), META), nobody)))
        assert found["control"] == "plain"
        (null,) = [each for each in found["summary"] if each["suite"] == "null"]
        assert (null["median"], null["low"], null["high"], null["spread"]) == (605, 600, 610, "range")
        assert {each["outcome"] for each in found["outcomes"]} == {"ok", "unsupported", "failed", "invalid"}

    def test_the_summary_has_a_row_for_each_mode(self, tmp_path: Path) -> None:
        run = Summary(frame(cell("a", "x", [117, 162, 163], **VM)), META)
        path = files.write_table(tmp_path / page.SUMMARY, report.summary(run, nobody))
        lines = path.read_text().splitlines()
        assert len(lines) == 3
        assert (
            "vm,instructions,a,udp,user,x,throughput,direction=up streams=1,throughput,Mbit/s,server,1,2,2,162.5"
            in lines[1]
        )


def test_showing_runs_needs_no_engine_and_the_command_line_no_figures(tmp_path: Path) -> None:
    """`lab report` runs where no Docker client can be imported; and what measures stays small.

    Nor does it import scipy.stats, which takes a second.
    """
    loaded = "print(sorted({'docker', 'pandas', 'scipy', 'altair', 'numpy'} & set(sys.modules)))"
    shown = (
        "import sys; sys.modules['docker'] = sys.modules['scipy.stats'] = None; from lab import benches\n"
        "from lab.cli import main; from lab.report import comparison, write\n"
        "[benches.views(kind) for kind in benches.folders()]\n"
        "from lab.benches.crypto import offer"
    )
    for script, there in ((shown, None), (f"import sys; from lab.cli import main; {loaded}", "[]")):
        run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        assert there is None or run.stdout.strip() == there


class TestStore:
    def store(self, folder: Path, values: list[float]) -> Store:
        store = Store.create(folder, META)
        for block, value in enumerate(values):
            reading = {"metric": "throughput", "unit": "Mbit/s", "end": "server", "value": value}
            store.append(
                {
                    "run": folder.name, "block": block, "position": 0, "vpn": "alpha", "variant": "udp",
                    "records": "user", "suite": "x", "measure": "throughput", "conditions": UP, "outcome": "ok",
                    "reason": "", "engine": "host", "clock": "wall", "readings": [reading],
                }
            )  # fmt: skip
        return store

    def test_write_derives_everything(self, tmp_path: Path) -> None:
        store, out = self.store(tmp_path / "r", [1, 2, 3]), io.StringIO()
        write(report, store, Console(file=out, width=100))
        made = sorted(path.name for path in store.folder.iterdir())
        assert made == ["meta.json", "report.html", "results.csv", "samples.jsonl", "summary.csv",
                        "throughput-direction-up-streams-1.png"]  # fmt: skip
        assert "report.html" in out.getvalue()

    def test_a_terminal_shows_one_screen_and_where_the_rest_is(self, tmp_path: Path) -> None:
        store, screen, tables = self.store(tmp_path / "r", [1, 2, 3]), io.StringIO(), io.StringIO()
        write(report, store, Console(file=screen, width=80))
        write(report, store, Console(file=tables, width=80), every_table=True)
        assert "Samples by outcome" not in screen.getvalue()
        assert screen.getvalue().splitlines()[-2:] == [
            f"Every table and picture: {store.folder / 'report.html'}",
            "Tables here: lab report r --tables",
        ]
        assert "Samples by outcome" in tables.getvalue()
        assert "Rank tiers" in tables.getvalue()

    def test_write_as_json(self, tmp_path: Path) -> None:
        out = io.StringIO()
        write(report, self.store(tmp_path / "r", [1, 2, 3]), Console(file=out, width=40), as_json=True)
        assert json.loads(out.getvalue())["summary"][0]["median"] == 2

    def test_nothing_measured(self, tmp_path: Path) -> None:
        out = io.StringIO()
        write(report, self.store(tmp_path / "r", []), Console(file=out))
        assert out.getvalue() == "nothing was measured yet\n"

    @pytest.mark.parametrize("show", [report, ktls_report, crypto_report])
    def test_nothing_measured_as_json(self, show: Any, tmp_path: Path) -> None:
        out = io.StringIO()
        store = Store.create(tmp_path / "r", {"engine": {"name": "vm", "clock": "wall"}})
        write(show, store, Console(file=out), as_json=True)
        said = json.loads(out.getvalue())
        assert (said["run"], said["clock"], said["outcomes"]) == (["r"], "wall", [])

    def test_comparison(self, tmp_path: Path) -> None:
        a, b = self.pair(tmp_path)
        assert comparison.origin("two", b.meta()) == "two, vm engine, wall clock, kvm, Linux 7.3, Some CPU"
        told = comparison.comparison_data(a, b, 0.05)
        assert [(each["verdict"], each["ratio"]) for each in told["cells"]] == [("lower", pytest.approx(0.5, rel=1e-3))]

    def test_comparison_as_a_page(self, tmp_path: Path) -> None:
        a, b = self.pair(tmp_path)
        compared = comparison.compare(a.frame(), b.frame())
        page = comparison_page.write_page(tmp_path / "difference.html", a, b, compared, 0.05).read_text()
        assert "<h1>B: two against A: one</h1>" in page
        assert '<form id="filters" hidden>\n</form>' in page
        data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
        (chart,) = data["charts"].values()
        (cell,) = (row for rows in chart["datasets"].values() for row in rows if "ratio" in row)
        assert (cell["ratio"], cell["verdict"]) == (pytest.approx(0.5, rel=1e-3), "lower")
        assert cell["low"] <= 0.5 <= cell["high"]

    def pair(self, tmp_path: Path) -> tuple[Store, Store]:
        """Two runs of one machine, the second half as fast."""
        a, b = self.store(tmp_path / "one", [100, 101, 99]), self.store(tmp_path / "two", [50, 51, 49])
        for store in (a, b):
            platform = {
                "engine": {"name": "vm", "clock": "wall", "guest": {"accelerator": "kvm"}},
                "machine": {"kernel": "Linux 7.3", "cpu": "Some CPU"},
            }
            store.write_meta(store.meta() | platform)
        return a, b

    def test_it_opens_in_a_browser(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store = self.store(tmp_path / "r", [1, 2, 3])
        asked: list[str] = []

        def first_alone(url: str) -> bool:
            asked.append(url)
            return len(asked) == 1

        monkeypatch.setattr("webbrowser.open", first_alone)
        runs.report("r", results=tmp_path, opened=True)
        assert asked == [(store.folder / "report.html").as_uri()]
        with pytest.raises(LabError, match="no browser"):
            runs.report("r", results=tmp_path, opened=True)
