# SPDX-License-Identifier: MIT
"""No table, picture or comparison mixes clocks or engines, and each says of which its figures are."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from frames import UP, VM, by_packet, cell, control, frame, kernel_vpn, ledger, summary
from test_plots import words

from lab.benches.vpn.views import (
    contents,
    cpu_plots,
    cpu_tables,
    cpu_time,
    packet_cost,
    packet_plot,
    report,
    speed_plots,
    speed_tables,
    thesis,
    thesis_model,
)
from lab.core.errors import LabError, UsageError
from lab.core.paths import ROOT
from lab.report import comparison, tables
from lab.report.plots import Picture
from lab.report.views import nobody
from lab.results.store import Store
from lab.stats import analysis, ranking  # fmt: skip
from lab.stats.summary import Summary

META: dict[str, Any] = {"controls": ["plain"], "processors": 1}
LOAD, TRANSFER = ("throughput", UP), ("transfer", "size=1000000")
RTT = {"measure": "latency", "conditions": "load=none", "unit": "ms", "end": "client", "metric": "rtt_p50"}
SHAKE = {"measure": "handshake", "metric": "handshake", "unit": "s", "end": "client", "conditions": ""}


def a_run(**where: Any) -> pd.DataFrame:
    """Something of every measure."""
    return frame(
        [
            *cell("a", "x", [100, 101, 102], **where), *control([900, 901, 902], **where),
            *cell("a", "x", [1, 2, 3], **RTT, **where), *cell("a", "x", [0.1, 0.2, 0.3], **SHAKE, **where),
            *(entry for block in range(3) for entry in ledger("a", "x", block, **where)),
            *(entry for block in range(3) for entry in kernel_vpn("k", "x", block, **where)),
            *by_packet("a", 1000, 2, **where),
        ]
    )  # fmt: skip


MIXED = [
    pd.concat([a_run(), a_run(engine="vm")], ignore_index=True),
    pd.concat([a_run(engine="vm"), a_run(**VM)], ignore_index=True),
]
SHOWN: dict[str, Callable[[pd.DataFrame], Any]] = {
    "report": lambda df: contents.build(summary(df, META)),
    "pictures": lambda df: list(contents.pictures(summary(df, META))),
    "heading": lambda df: Summary(df, META).heading,
    "json": lambda df: report.data(Summary(df, META), nobody),
    "page": lambda df: report.tables(Summary(df, META), nobody, whole=True),
    "thesis": lambda df: thesis.build(summary(df), thesis_model.load()),
    "thesis as data": lambda df: thesis.data(summary(df)),
    "compare": lambda df: comparison.compare(df, df),
    "overview": lambda df: contents.overview(summary(df, META)),
    "latency": lambda df: contents.latency(summary(df)),
    "handshake": lambda df: contents.handshake(summary(df)),
    "packets": lambda df: packet_cost.table(summary(df)),
    "packets' picture": lambda df: packet_plot.draw(summary(df, META)),
    "matrix": lambda df: speed_tables.matrix(summary(df, {"controls": ["plain"]}), LOAD),
    "ranks": lambda df: speed_tables.ranks(summary(df, {"controls": ["plain"]}), LOAD),
    "throughput": lambda df: speed_plots.by_suite(summary(df, META), LOAD),
    "best": lambda df: speed_plots.overview(summary(df, META), LOAD),
    "cpu": lambda df: cpu_tables.kernel_and_user(summary(df), TRANSFER),
    "switches": lambda df: cpu_tables.switches(summary(df), TRANSFER),
    "cost": lambda df: cpu_tables.cost(summary(df), TRANSFER),
    "cpu's picture": lambda df: cpu_plots.cpu_split(summary(df, META), TRANSFER),
    "switches' picture": lambda df: cpu_plots.switches(summary(df, META), TRANSFER),
    "cost's picture": lambda df: cpu_plots.cost(summary(df, META), TRANSFER),
}


class TestRefused:
    @pytest.mark.parametrize("name", SHOWN)
    @pytest.mark.parametrize("df", MIXED, ids=["engines", "clocks"])
    def test_shown(self, name: str, df: pd.DataFrame) -> None:
        with pytest.raises(LabError, match=r"of one engine and clock wanted, found: .*; "):
            SHOWN[name](df)

    @pytest.mark.parametrize("name", [name for name in SHOWN if name != "page"])
    def test_either_alone_is_shown(self, name: str) -> None:
        for df in (a_run(), a_run(**VM)):
            assert SHOWN[name](df) is not None

    def test_the_message_names_both(self) -> None:
        with pytest.raises(LabError, match="found: host engine, wall clock; vm engine, wall clock"):
            analysis.one_clock(MIXED[0])


class TestApart:
    """What has no column for it keeps them in rows of their own."""

    @pytest.mark.parametrize("df", MIXED, ids=["engines", "clocks"])
    @pytest.mark.parametrize(
        "derive",
        [
            analysis.summarise, analysis.outcomes, lambda df: analysis.ratios_to_control(df, "plain"), ranking.tiers,
            ranking.rankable, ranking.pairwise, cpu_time.kernel_share, cpu_time.cost_by_place,
            cpu_time.reads_and_writes,
            cpu_time.of_load, lambda df: cpu_time.per_payload(df, ["cpu_user"]),
            lambda df: cpu_time.ledger_closure(df, 2),
        ],
    )  # fmt: skip
    def test_rows(self, df: pd.DataFrame, derive: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        parts = [derive(group.reset_index(drop=True)) for _, group in df.groupby(["engine", "clock"])]
        whole = derive(df)
        assert {"engine", "clock"} <= set(whole)
        assert len(whole) == sum(map(len, parts)) > 0
        assert sorted(map(repr, whole.to_dict("records"))) == sorted(
            repr(row) for part in parts for row in part.to_dict("records")
        )


class TestNamed:
    def test_every_table_names_engine_and_clock(self) -> None:
        built = contents.build(summary(a_run(**VM), META), every_load=True)
        assert {table.where for table in built} == {"vm engine, instructions clock"}
        assert {"packets", "latency", "handshake", "samples"} <= {table.name for table in built}

    def test_every_table_of_the_thesis_does(self) -> None:
        built = thesis.build(summary(a_run(**VM)), thesis_model.load())
        assert {table.where for table in built if table.rows} == {"vm engine, instructions clock"}

    @pytest.mark.parametrize("where", [{}, VM], ids=["wall", "instructions"])
    def test_units_of_time_name_the_clock(self, where: dict[str, Any]) -> None:
        said = "of instruction-clock time" if where else "of wall-clock time"
        built = {table.name.split()[0]: table for table in contents.build(summary(a_run(**where), META))}
        for name in ("matrix", "cpu", "cost", "latency", "handshake"):
            assert said in built[name].title
        assert f"Mbit/s {said}" in built["ranks"].columns

    @pytest.mark.parametrize(("where", "name"), [({}, "wall"), (VM, "instruction")])
    def test_every_picture_names_engine_clock_and_unit(self, where: dict[str, Any], name: str) -> None:
        for slug, picture in contents.pictures(summary(a_run(**where), META)):
            text = words(picture)
            assert ("vm engine, instructions clock" if where else "host engine, wall clock") in text
            unit = {"switches": "switches per MB", "instructions-per-packet": "instructions by packet"}
            assert unit.get(slug, f"of {name}-clock time") in text

    @pytest.mark.parametrize(
        ("unit", "text"),
        [
            ("Mbit/s", "Mbit/s of instruction-clock time"), ("s", "s of instruction-clock time"),
            ("CPU s/GB", "CPU s/GB of instruction-clock time"), ("ms", "ms of instruction-clock time"),
            ("B/s", "B/s of instruction-clock time"), ("count/MB", "count/MB"), ("instructions", "instructions"),
            ("ratio", "ratio"),
        ],
    )  # fmt: skip
    def test_units(self, unit: str, text: str) -> None:
        assert tables.of_clock(unit, "instructions") == text


class TestNotebook:
    """Its cells run on whatever results.csv they find: of two runs put together they show nothing."""

    def cells(self) -> list[str]:
        notebook = json.loads((ROOT / "results" / "analysis.ipynb").read_text(encoding="utf-8"))
        return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]

    def execute(self, df: pd.DataFrame, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        df.to_csv(folder / "results.csv", index=False)
        Store(folder).write_meta(META)
        monkeypatch.setenv("LAB_RUN", str(folder))
        monkeypatch.chdir(folder)  # the project's own runs of raw ciphers lie elsewhere
        shown: list[Any] = []
        names: dict[str, Any] = {"display": shown.append}
        for text in self.cells():
            *lines, last = ast.parse(text).body
            exec(compile(ast.Module(lines, []), "cell", "exec"), names)
            if isinstance(last, ast.Expr):
                shown.append(eval(compile(ast.Expression(last.value), "cell", "eval"), names))
            else:
                exec(compile(ast.Module([last], []), "cell", "exec"), names)
        return shown

    @pytest.mark.parametrize("df", MIXED, ids=["engines", "clocks"])
    def test_two_together_are_refused(self, df: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(LabError, match="one engine and clock"):
            self.execute(df, tmp_path, monkeypatch)

    @pytest.mark.parametrize("where", [{}, VM], ids=["wall", "instructions"])
    def test_every_table_names_engine_and_clock(
        self, where: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shown = self.execute(a_run(**where), tmp_path, monkeypatch)
        frames = [each for each in shown if isinstance(each, pd.DataFrame)]
        assert len(frames) >= 5
        for each in frames[:-1]:  # the last says how far the ledger closes, of one run
            assert {"engine", "clock"} <= {*each.columns, *each.index.names}
        assert len([each for each in shown if isinstance(each, Picture)]) == 5


class TestCompare:
    def run(self, folder: Path, name: str, engine: str, clock: str) -> Store:
        return Store.create(folder / name, {"engine": {"name": engine, "clock": clock}})

    def test_refused_with_both_names_and_what_can_be(self, tmp_path: Path) -> None:
        a = self.run(tmp_path, "one", "host", "wall")
        b = self.run(tmp_path, "two", "vm", "instructions")
        self.run(tmp_path, "three", "vm", "instructions")
        self.run(tmp_path, "four", "vm", "wall")
        (tmp_path / "torn").mkdir()
        (tmp_path / "torn" / "meta.json").write_text("{")
        (tmp_path / "forged").mkdir()
        (tmp_path / "forged" / "meta.json").write_text('{"schema": 1, "engine": "host"}')
        for shown in (lambda: comparison.check(a.folder, b.folder, a.meta(), b.meta()),
                      lambda: comparison.comparison_data(a, b, 0.05)):  # fmt: skip
            with pytest.raises(LabError) as caught:
                shown()
            assert caught.value.message.startswith(
                "these runs cannot be compared: one (host engine, wall clock) and two (vm engine, instructions clock)"
            )
            hint, *others = caught.value.hint.splitlines()
            assert hint == "compare runs of one engine and one clock; with one: no other run there; with two: three"
            assert [line.split(":")[:2] for line in others] == [
                ["no run", f" {tmp_path / 'forged' / 'meta.json'}"],
                ["no run", f" {tmp_path / 'torn' / 'meta.json'} cannot be read"],
            ]

    def test_a_wire_of_the_same_name_must_be_the_same(self, tmp_path: Path) -> None:
        said = {"one": "20 ms", "two": "20 ms", "three": "50 ms"}
        runs = {
            name: Store.create(
                tmp_path / name,
                {"engine": {"name": "vm", "clock": "wall"}, "conditions": {"wire": {"mine": text, name: "whatever"}}},
            )
            for name, text in said.items()
        }
        one, two, three = runs.values()
        comparison.check(one.folder, two.folder, one.meta(), two.meta())
        message = "these runs cannot be compared: wire mine is another one in each: in one 20 ms; in three 50 ms"
        with pytest.raises(UsageError, match=message):
            comparison.check(one.folder, three.folder, one.meta(), three.meta())

    def test_alike_are_let_through(self, tmp_path: Path) -> None:
        a, b = self.run(tmp_path, "one", "vm", "wall"), self.run(tmp_path, "two", "vm", "wall")
        comparison.check(a.folder, b.folder, a.meta(), b.meta())
