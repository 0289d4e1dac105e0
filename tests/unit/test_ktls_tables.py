# SPDX-License-Identifier: MIT
"""From the samples of `lab ktls` to its tables and pictures: the thesis beside them, the factorial view, the page."""
# ruff: noqa: RUF001 - en dashes and minus signs are what the tables show

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from frames import VM, frame, row, summary
from rich.console import Console

from lab import benches
from lab.benches.ktls import cells
from lab.benches.ktls.views import frame as ktls
from lab.benches.ktls.views import ladders, overview, report, thesis, thesis_model
from lab.benches.ktls.views.frame import COST, CPU, WALL, Figures, Spot
from lab.core.errors import LabError, UsageError
from lab.report import tables, write
from lab.results.store import Store
from lab.stats.summary import Summary

THERE = thesis_model.load()
RECORDS = {path.path: path.records for path in cells.load().paths}


def sample(
    protocol: str, path: str, scenario: str, way: str, payload: int, block: int, speed: float, **other: Any
) -> Iterator[dict[str, Any]]:
    """`speed` MB/s received by wall time; a tenth more sent, and costs that follow from it."""
    common: dict[str, Any] = {
        "variant": path, "records": RECORDS[path], "measure": scenario, "conditions": f"payload={payload} way={way}",
        "bottleneck": "", **other,
    }  # fmt: skip
    suite = "none" if path == "raw" else "aes-128-gcm"
    cost = payload / speed * 1000
    for metric, unit, end, value in (
        ("throughput", "MB/s", "receiver", speed), ("throughput", "MB/s", "sender", speed * 1.1),
        ("cpu_rate", "MB/CPU s", "sender", speed * 2), ("cpu_rate", "MB/CPU s", "receiver", speed * 3),
        ("cpu_rate", "MB/CPU s", "machine", speed), ("loss", "fraction", "machine", 0.1),
        ("cost_record", "instructions", "machine", cost), ("cost_record", "instructions", "sender", cost / 2),
        ("cost_record", "instructions", "receiver", cost / 3), ("calls_record", "calls", "sender", 1.0),
        ("calls_record", "calls", "receiver", 1.0), ("switches_record", "switches", "sender", 0.25),
        ("switches_record", "switches", "receiver", 0.5),
    ):  # fmt: skip
        yield row(protocol, suite, block, value, metric=metric, unit=unit, end=end, **common)


def a_run(**other: Any) -> pd.DataFrame:
    """Two payloads, three blocks that drift; over DTLS AF_KTLS at 0.8 and, when sending alone, 0.9 of the library."""
    rows: list[dict[str, Any]] = []
    for block, drift in enumerate((1.0, 0.99, 1.01)):
        for payload, speed in ((1400, 100.0), (16000, 400.0)):
            for path, share in (("library", 1.0), ("kernel-tx", 0.9), ("kernel", 0.8)):
                rows += sample("dtls", path, "transmission", "send", payload, block, speed * share * drift, **other)
            rows += sample("tls", "library", "transmission", "send", payload, block, speed * drift, **other)
            rows += sample("tls", "mainline", "transmission", "send", payload, block, speed * 1.2 * drift, **other)
        for way, share in (("user-send", 1.0), ("sendfile", 2.0), ("mmap", 0.5)):
            rows += sample("tcp", "raw", "file", way, 1400, block, 1000 * share * drift, **other)
    nothing = {"metric": None, "unit": None, "end": None, "outcome": "unsupported", "reason": "no module"}
    rows.append(
        row("tls", "aes-128-gcm", 0, None, variant="kernel", records="kernel", measure="transmission",
            conditions="payload=1400 way=send", **nothing, **other)
    )  # fmt: skip
    return frame(rows)


@pytest.fixture(scope="module")
def it() -> Figures:
    return Figures.of(summary(a_run(**VM)))


def spot(path: str, payload: int = 1400, protocol: str = "dtls") -> Spot:
    return Spot(protocol, "aes-128-gcm", "transmission", path, "send", payload)


def texts(table: tables.Table) -> list[list[str]]:
    return [[cell.text for cell in line] for line in table.rows]


def column(table: tables.Table, name: str, nth: int = 0) -> int:
    return [number for number, head in enumerate(table.columns) if head.startswith(name)][nth]


class TestFigures:
    def test_ratios_are_taken_within_a_block(self, it: Figures) -> None:
        assert it.ratio(spot("kernel"), spot("library"), WALL) == pytest.approx(0.8)
        assert it.ratio(spot("kernel"), spot("library"), COST) == pytest.approx(1.25)
        assert math.isnan(it.ratio(spot("kernel", protocol="tls"), spot("library"), WALL))

    def test_differences_too(self, it: Figures) -> None:
        assert it.difference(spot("kernel"), spot("library"), COST) == pytest.approx(0.25 * 14000, rel=0.02)

    def test_blocks_of_different_runs_never_meet(self) -> None:
        one, two = a_run(**VM), a_run(**VM, run="r2")
        lead = one[(one["variant"] == "library") & (one["measure"] == "transmission")]
        both = Figures.of(summary(pd.concat([lead, two[two["variant"] == "kernel"]])))
        assert math.isnan(both.ratio(spot("kernel"), spot("library"), WALL))

    def test_clocks_never_mix(self) -> None:
        with pytest.raises(LabError, match="results of one engine and clock wanted"):
            Figures.of(summary(pd.concat([a_run(**VM), a_run()])))

    def test_profiles_are_no_figures_but_attempts(self) -> None:
        found = Figures.of(summary(pd.concat([a_run(**VM), a_run(**VM).assign(measure=cells.PROFILE)])))
        assert {each.scenario for each in found.found} == {"transmission", "file"}
        assert found.count(spot("library")) == 3
        counts = {line[0]: line[1:] for line in texts(overview.samples(found.run))}
        assert counts["profile tls"] == counts["transmission tls"] == ["12", "1", "0", "0"]

    def test_modes_have_no_median_of_their_own(self) -> None:
        rows = [each for block, speed in enumerate((100.0, 100.1, 140.0)) for each in
                sample("dtls", "library", "transmission", "send", 1400, block, speed, **VM)]  # fmt: skip
        found = Figures.of(summary(frame(rows)))
        assert len(found.get(spot("library"), WALL)) == 2
        assert math.isnan(found.median(spot("library"), WALL))
        rows += [each for block in range(3) for each in
                 sample("dtls", "kernel", "transmission", "send", 1400, block, 100.0, **VM)]  # fmt: skip
        both = Figures.of(summary(frame(rows)))
        for compare in (both.ratio, both.difference):
            assert math.isnan(compare(spot("kernel"), spot("library"), WALL))
            assert math.isnan(compare(spot("library"), spot("kernel"), WALL))

    def test_the_order_is_that_of_the_file(self, it: Figures) -> None:
        assert [each.path for each in it.of_scenario("transmission", "dtls") if each.payload == 1400] == [
            "library", "kernel-tx", "kernel"]  # fmt: skip


class TestThesis:
    """What was typed off is what is printed there."""

    @pytest.mark.parametrize(
        ("source", "label", "payload", "value"),
        [("C.1", "GnuTLS", 1280, 123.659), ("C.1", "AF_KTLS", 16000, 436.447), ("C.2", "AF_KTLS", 1400, 83.514),
         ("C.9", "splice(2)", 9000, 458.023), ("C.10", "recv()/gnutls_record_send()", 13000, 699.848)],
    )  # fmt: skip
    def test_figures(self, source: str, label: str, payload: int, value: float) -> None:
        (table,) = (each for each in THERE.payloads if each.source == source)
        (found,) = (each for each in table.columns if each.label == label)
        assert found.values[payload] == value
        assert set(found.values) == {1280, 1400, 4000, 6000, 9000, 13000, 16000}

    def test_every_table_and_figure_is_there(self) -> None:
        assert {each.source for each in THERE.payloads} == {"C.1", "C.2", "C.9", "C.10"}
        assert {(each.source, each.shares) for each in THERE.files} == {
            ("C.3", "C.4"), ("C.3", "C.5"), ("C.6", "C.7"), ("C.6", "C.8")}  # fmt: skip
        drawn = [each.figure for each in THERE.payloads] + [each.figure for each in THERE.files]
        assert sorted(drawn) == [f"5.{number}" for number in range(1, 9)]

    def test_the_shares_follow_from_the_rates(self) -> None:
        """A mistyped figure would stand out; C.4's user-send is in the errata."""
        for table in THERE.files:
            for over, line in zip(table.columns, table.percent, strict=True):
                for under, printed in zip(table.columns, line, strict=True):
                    doubted = table.shares == "C.4" and "user-send" in (over.label, under.label)
                    value = over.value / under.value * 100
                    assert printed is None or printed == pytest.approx(value, abs=0.25 if doubted else 0.001)

    def test_what_it_calls_afktls_reached_078_of_gnutls(self) -> None:
        first, second = THERE.payloads[0].columns
        assert second.values[1400] / first.values[1400] == pytest.approx(0.775, abs=0.001)

    def test_its_likes_are_paths_of_ours(self) -> None:
        known = cells.load()
        for table in THERE.payloads:
            for each in table.columns:
                assert each.path in known.scenario[table.scenario].ways[each.way]
                assert table.protocol in known.path[each.path].protocols
        for form in THERE.files:
            for way in form.columns:
                assert way.path in known.scenario["file"].ways[way.way]


class TestBeside:
    def test_c1(self, it: Figures) -> None:
        table = thesis.by_payload(it, THERE.payloads[0], "aes-128-gcm")
        lines = texts(table)
        assert [line[:4] for line in lines[:3]] == [
            ["1400", "GnuTLS, send", "135", ""],
            ["1400", "AF_KTLS, send", "105", "0.775"],
            ["1400", "AF_KTLS sends, send", "–", ""],
        ]
        received, sent, first = (column(table, name) for name in ("received", "sent", "÷ first"))
        kernel = lines[1]
        assert kernel[received].startswith("80.0 (")
        assert kernel[sent] == "88.0"
        assert kernel[column(table, "÷ first", 1)] == kernel[column(table, "÷ first", 2)] == "0.800"
        assert first < received
        assert kernel[column(table, "lost")] == "10.0 %"
        assert kernel[-1] == "3"
        assert table.where == "vm engine, instructions clock"
        assert "MB/s of instruction-clock time" in table.columns[received]

    def test_what_cannot_be_stands_there_with_its_reason(self, it: Figures) -> None:
        table = thesis.by_payload(it, THERE.payloads[1], "aes-128-gcm")
        (line,) = (line for line in table.rows if line[1].text.startswith("AF_KTLS, send"))
        assert (line[1].text, line[1].kind) == ("AF_KTLS, send¹", "unsupported")
        assert [cell.text for cell in line[2:4]] == ["83.5", "0.804"]
        assert "¹ unsupported: no module" in table.notes

    def test_files_and_their_shares(self, it: Figures) -> None:
        (source,) = (each for each in THERE.files if each.shares == "C.4")
        lines = texts(thesis.files(it, source, "aes-128-gcm"))
        assert [line[1] for line in lines] == ["no records, user-send", "no records, sendfile", "no records, mmap"]
        assert lines[1][2:4] == ["1649", "1.362"]
        shares = texts(thesis.shares(it, source, "aes-128-gcm"))
        assert shares[0] == ["user-send", "", "73.3 % | 50.0 % | 50.0 %", "103.5 % | 200.0 % | 200.0 %",
                             "71.3 % | – | –"]  # fmt: skip
        assert shares[1][1] == "136.4 % | 200.0 % | 200.0 %"

    def test_only_tables_with_something_in_them(self, it: Figures) -> None:
        names = [table.name for table in thesis.build(it, THERE)]
        assert names == ["ktls C.1", "ktls C.2", "ktls C.3 tcp", "ktls C.4", "ktls errata"]


class TestFactors:
    def test_steps_and_what_each_changes(self, it: Figures) -> None:
        table = ladders.steps(it)
        lines = [line for line in texts(table) if line[0].startswith("transmission, dtls, 1400 B")]
        assert [line[1] for line in lines] == ["GnuTLS, send", "AF_KTLS sends, send", "AF_KTLS, send"]
        cost, gap, ratio, library = (
            column(table, name) for name in ("instructions a record", "− step", "÷ step", "÷ first")
        )
        assert [line[ratio] for line in lines] == ["", "1.111", "1.125"]
        assert [line[library] for line in lines] == ["", "1.111", "1.250"]
        assert lines[0][gap] == ""
        assert lines[1][gap].startswith("+15")
        assert lines[0][cost].startswith("14000 (")
        assert all(line[2] for line in lines)
        assert [line[column(table, name)] for line in lines for name in ("calls", "switches")] == [
            "1.00 / 1.00", "0.250 / 0.500"] * 3  # fmt: skip

    def test_a_saving_has_its_sign(self) -> None:
        rows = [each for path, speed in (("library", 100.0), ("kernel", 125.0)) for block in range(3) for each in
                sample("dtls", path, "transmission", "send", 1400, block, speed, **VM)]  # fmt: skip
        lines = texts(ladders.steps(Figures.of(summary(frame(rows)))))
        assert lines[1][4:6] == ["−2800", "0.800"]
        changed = [text.partition(":")[0] for text in lines[1][2].split("\n")]
        assert changed == ["sender", "receiver"], "a step was left out"

    def test_one_step_alone_is_no_ladder(self, it: Figures) -> None:
        assert not [line for line in texts(ladders.steps(it)) if line[0].startswith(("transmission, tls", "file"))]

    def test_cost_by_payload(self, it: Figures) -> None:
        table = ladders.by_payload(it)
        assert table.columns[-2:] == ["1400 B", "16000 B"]
        found = {tuple(line[:4]): line[4:] for line in texts(table)}
        assert found["transmission", "dtls", "aes-128-gcm", "GnuTLS, send"] == ["14000", "40000"]
        assert found["file", "tcp", "none", "no records, mmap"] == ["2800", "–"]

    @pytest.mark.parametrize(
        ("costs", "line"),
        [
            ({1000: 3000, 2000: 4000}, "2000 + 1.00 × B"),
            ({1000: 3000, 2000: 4000, 3000: 5000}, "2000 + 1.00 × B (0.0 %)"),
            ({1000: 900, 2000: 2000, 3000: 3100}, "−200 + 1.10 × B (0.0 %)"),
            ({1000: 1000, 2000: 2300, 3000: 3000}, "100 + 1.00 × B (10.0 %)"),
            ({1000: 1100, 2000: 1000}, "1200 − 0.100 × B"),
        ],
    )
    def test_lines(self, costs: dict[int, float], line: str) -> None:
        rows = [each for payload, cost in costs.items() for each in
                sample("dtls", "library", "transmission", "send", payload, 0, payload / cost * 1000, **VM)]  # fmt: skip
        ((*_, machine, _, _),) = texts(ladders.lines(Figures.of(summary(frame(rows)))))
        assert machine == line

    def test_the_wall_clock_counts_no_instructions(self) -> None:
        found = Figures.of(summary(a_run()))
        assert any("ns of CPU time" in head for head in ladders.steps(found).columns)
        assert "instructions" not in ladders.by_payload(found).title


class TestShown:
    @pytest.fixture
    def store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
        store = Store.create(tmp_path / "r1", {"kind": "ktls", "modules": {"af_ktls": "loaded 0.1.0"}})
        monkeypatch.setattr(Store, "frame", lambda self, samples: a_run(**VM))
        return store

    def test_everything_is_in_the_folder_and_the_same_again(self, store: Store) -> None:
        said = [self.shown(store, every_table=True) for _ in range(2)]
        assert said[0] == said[1]
        made = {path.name: path.read_bytes() for path in store.folder.iterdir()}
        assert {"report.html", "results.csv", "summary.csv", "figure-5-1.png", "meta.json"} <= set(made)
        self.shown(store)
        assert made == {path.name: path.read_bytes() for path in store.folder.iterdir()}
        page = made["report.html"].decode()
        for words in ("Thesis, table C.1, figure 5.1", "What each step", "Errata of the source", "loaded 0.1.0"):
            assert words in page
            assert words in said[0].replace("\n", " ") or "Errata" in words

    def test_json(self, store: Store) -> None:
        said = json.loads(self.shown(store, as_json=True))
        assert said["run"] == ["r1"]
        assert said["clock"] == "instructions"
        assert {each["name"] for each in said["tables"]} >= {"ktls C.1", "ktls factors"}
        assert {each["outcome"] for each in said["outcomes"]} == {"ok", "unsupported"}

    def test_the_kinds_of_runs_are_known(self) -> None:
        assert benches.folders() == {"matrix": "vpn", "crypto": "crypto", "ktls": "ktls"}
        assert benches.views("ktls") is report

    def test_a_kind_that_this_lab_has_not_is_named_with_its_file(self, tmp_path: Path) -> None:
        store = Store.create(tmp_path / "r1", {"kind": "weather"})
        with pytest.raises(UsageError, match=r"r1/meta\.json: kind: there is no bench 'weather'"):
            benches.of(store)

    def test_the_thesis_alone_writes_nothing(self, store: Store) -> None:
        before = sorted(store.folder.iterdir())
        text = io.StringIO()
        write.thesis(report, store, Console(file=text, width=400))
        assert "table C.1" in text.getvalue()
        assert "What each step" not in text.getvalue()
        assert sorted(store.folder.iterdir()) == before

    def test_a_run_without_samples(self, tmp_path: Path) -> None:
        store = Store.create(tmp_path / "empty", {"kind": "ktls"})
        assert "nothing was measured yet" in self.shown(store)

    def test_samples_by_outcome_with_reasons(self, it: Figures) -> None:
        drivers = {"tx": "generic-gcm-aesni-avx", "rx": "generic-gcm-aesni-avx"}
        sample = {"outcome": "ok", "variant": "kernel", "drivers": drivers}
        table = overview.samples(Summary(it.run.df, {"modules": {"af_ktls": "loaded"}}, [sample]))
        found = {line[0]: line[1:] for line in texts(table)}
        assert found["transmission tls"] == ["12", "1", "0", "0"]
        assert "1 unsupported: tls, kernel: no module" in table.notes
        assert {"generic-gcm-aesni-avx: kernel tx, kernel rx", "af_ktls: loaded"} <= set(table.notes)

    @staticmethod
    def shown(store: Store, **options: Any) -> str:
        text = io.StringIO()
        write.write(report, store, Console(file=text, width=400), **options)
        return text.getvalue()


def test_which_implementation_made_the_records(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "r1", {})
    standard = {
        "run": "r1", "block": 0, "vpn": "tls", "suite": "aes-128-gcm", "measure": "transmission", "reason": "",
        "conditions": "payload=1400 way=send", "records": "user", "engine": "vm", "clock": "wall",
        "readings": [{"metric": "bytes", "unit": "B", "end": "sender", "value": 1}],
    }  # fmt: skip
    for number, (path, tx, rx, outcome) in enumerate((
        ("library", "GnuTLS", "GnuTLS", "ok"), ("kernel-tx", "aesni", "GnuTLS", "ok"),
        ("kernel", "aesni", "aesni", "invalid"), ("raw", "none", "none", "ok"),
    )):  # fmt: skip
        drivers = {"library": "x", "tx": tx, "rx": rx}
        store.append(standard | {"position": number, "variant": path, "drivers": drivers, "outcome": outcome})
    store.append(standard | {"position": 4, "variant": "mainline", "drivers": None, "outcome": "ok"})
    assert overview.drivers(store.last()) == {
        "GnuTLS": ["library tx", "library rx", "kernel-tx rx"],
        "aesni": ["kernel-tx tx"],
    }


def test_verification_is_a_table() -> None:
    rows: Sequence[dict[str, Any]] = [
        row("dtls", "aes-128-gcm", 0, value, variant="kernel", records="kernel", measure="verify",
            conditions="way=handling", metric=metric, unit="count", end="machine", bottleneck="", **VM)
        for metric, value in (("checks", 41.0), ("failures", 0.0))
    ]  # fmt: skip
    table = overview.verification(Figures.of(summary(frame(rows))))
    assert texts(table) == [["dtls", "aes-128-gcm", "AF_KTLS", "handling", "41", "0"]]


def test_ratio_metrics_are_what_they_say() -> None:
    assert (WALL, CPU, ktls.SENT) == (("throughput", "receiver"), ("cpu_rate", "machine"), ("throughput", "sender"))
