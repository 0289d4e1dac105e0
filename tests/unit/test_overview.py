# SPDX-License-Identifier: MIT
"""`lab list runs`: what each run is, how its samples ended, and whether it is finished."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from stored import sample, unsupported

from lab.cli import inventory, rows
from lab.core.paths import RESULTS
from lab.results.overview import Overview, overviews
from lab.results.store import Store
from lab.runner.outcome import outcomes

META = {"created": "2026-11-23T02:11:28+00:00", "engine": {"name": "host", "clock": "wall"}, "settings": {"blocks": 2}}
CELL = "alpha udp strong throughput direction=up streams=1"
RUNS = sorted(path.parent.name for path in RESULTS.glob("*/meta.json"))
SMALL = min(RUNS, key=lambda name: (RESULTS / name / "samples.jsonl").stat().st_size)


def one(results: Path) -> Overview:
    (run,), complaints = overviews(results)
    assert not complaints
    return run


def stored(results: Path, meta: dict[str, Any], *samples: dict[str, Any]) -> Store:
    store = Store.create(results / "r1", META | meta)
    for each in samples:
        store.append(each)
    return store


@pytest.fixture(scope="module")
def committed() -> list[Overview]:
    runs, complaints = overviews(RESULTS)
    assert not complaints
    return runs


def test_the_committed_runs_are_finished(committed: list[Overview]) -> None:
    assert sorted(run.run for run in committed) == RUNS
    assert [run.created for run in committed] == sorted((run.created for run in committed), reverse=True)
    assert {run.run for run in committed if not run.finished} == set()


def test_outcomes_are_those_of_the_samples_that_count(committed: list[Overview]) -> None:
    (run,) = (run for run in committed if run.run == SMALL)
    assert run.outcomes == outcomes(Store(RESULTS / SMALL).last())


def test_a_committed_run_that_was_stopped(tmp_path: Path) -> None:
    shutil.copytree(RESULTS / SMALL, tmp_path / SMALL, ignore=shutil.ignore_patterns("*.png", "*.csv", "*.html"))
    path = tmp_path / SMALL / "samples.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-7]))
    run = one(tmp_path)
    assert (run.missing, run.finished, run.damaged) == (7, False, False)


def test_an_attempt_that_was_repeated_counts_once(tmp_path: Path) -> None:
    stored(tmp_path, {"cells": [CELL]}, sample(outcome="failed", readings=[]), sample(attempt=2))
    run = one(tmp_path)
    assert (run.outcomes, run.missing) == ({"ok": 1}, 1)


def test_what_cannot_run_has_one_sample(tmp_path: Path) -> None:
    odd = CELL.replace("strong", "odd")
    stored(tmp_path, {"cells": [CELL, odd]}, unsupported(), sample(0), sample(0, block=1))
    run = one(tmp_path)
    assert (run.outcomes, run.finished) == ({"ok": 2, "unsupported": 1}, True)


def test_a_profile_is_taken_in_the_first_block_alone(tmp_path: Path) -> None:
    names = {"vpn": "protocol", "variant": "path", "measure": "scenario"}
    words: dict[str, Any] = {"conditions": "payload=1400 scenario=echo way=send", "measure": "profile"}
    profile = f"alpha udp strong profile {words['conditions']}"
    stored(tmp_path, {"kind": "ktls", "columns": names, "cells": [profile]})
    assert one(tmp_path).missing == 1
    Store(tmp_path / "r1").append(sample(**words))
    assert one(tmp_path).finished


@pytest.mark.parametrize("meta", [{}, {"settings": {}, "cells": [CELL]}])
def test_a_plan_that_is_not_known(tmp_path: Path, meta: dict[str, Any]) -> None:
    stored(tmp_path, meta)
    run = one(tmp_path)
    assert (run.missing, run.finished, run.damaged) == (None, None, False)


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"block": ', '"text"', '{"block": [], "outcome": "ok"}'])
def test_a_damaged_run_is_listed(tmp_path: Path, line: str) -> None:
    store = stored(tmp_path, {"cells": [CELL]}, sample())
    with store.samples.open("a") as file:
        file.write(line + "\n")
    run = one(tmp_path)
    assert (run.damaged, run.finished, run.outcomes) == (True, None, {"ok": 1})


def test_a_line_that_was_cut_short_is_a_sample_that_is_missing(tmp_path: Path) -> None:
    store = stored(tmp_path, {"cells": [CELL]}, sample(0), sample(0, block=1))
    store.samples.write_bytes(store.samples.read_bytes()[:-9])
    run = one(tmp_path)
    assert (run.missing, run.damaged) == (1, False)


def test_at_80_columns(
    committed: list[Overview], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rows, "console", Console(width=80))
    inventory.list_(inventory.Things.RUNS, RESULTS)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line in RUNS] == [run.run for run in committed]
    text = " ".join(lines)
    for run in committed:
        assert f"kind {run.kind}; engine {run.engine}; clock {run.clock}; started (UTC) {run.created[:10]} " in text
        assert ", ".join(f"{count} {outcome}" for outcome, count in run.outcomes.items()) + "; finished yes" in text


@pytest.mark.parametrize(
    ("samples", "said"),
    [([sample()], "no, 1 left"), ([sample(), sample(0, block=1)], "yes"),
     ([sample(vpn=[])], "damaged: `lab report r1` says where")],
)  # fmt: skip
def test_whether_it_is_finished_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], samples: Any, said: str
) -> None:
    monkeypatch.setattr(rows, "console", Console(width=200))
    stored(tmp_path, {"cells": [CELL]}, *samples)
    inventory.list_(inventory.Things.RUNS, tmp_path)
    assert capsys.readouterr().out.splitlines()[-1].rstrip().endswith(said)


def test_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored(tmp_path, {"cells": [CELL]}, sample())
    inventory.list_(inventory.Things.RUNS, tmp_path, as_json=True)
    assert json.loads(capsys.readouterr().out) == [
        {"run": "r1", "kind": "matrix", "engine": "host", "clock": "wall", "created": META["created"],
         "outcomes": {"ok": 1}, "missing": 1, "damaged": False, "finished": False}
    ]  # fmt: skip


def test_a_folder_that_is_no_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored(tmp_path, {"cells": [CELL]}, sample())
    (tmp_path / "r2").mkdir()
    (tmp_path / "r2" / "meta.json").write_text("{}")
    inventory.list_(inventory.Things.RUNS, tmp_path, as_json=True)
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)) == 1
    assert f"{tmp_path}/r2/meta.json" in printed.err


def test_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inventory.list_(inventory.Things.RUNS, tmp_path / "none")
    assert "has no run; `lab matrix` makes one" in " ".join(capsys.readouterr().out.split())
