# SPDX-License-Identifier: MIT
"""A run's file that was cut short or edited: never read as a measurement, and nothing else is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lab.results.store import Store

from .command import Lab, samples

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def measured(shared: Lab) -> Path:
    """A run of three samples."""
    shared.ok("matrix", "--vpns", "plain", "--measures", "handshake", "--blocks", "3", "--no-report")
    return shared.run()


@pytest.fixture
def run(lab: Lab, measured: Path) -> Path:
    """A copy of it."""
    folder = lab.results / measured.name
    shutil.copytree(measured, folder)
    return folder


def lines(run: Path) -> list[str]:
    return (run / "samples.jsonl").read_text().splitlines(keepends=True)


def test_a_line_cut_short_is_set_aside_and_measured_again(lab: Lab, run: Path) -> None:
    whole = lines(run)
    (run / "samples.jsonl").write_text("".join(whole)[:-40])
    lab.ok("report", run.name)
    assert (run / "samples.jsonl").read_text() == "".join(whole)[:-40]  # a report changes nothing

    lab.ok("matrix", "--no-report", "--resume", run.name)
    after = lines(run)
    assert after[:2] == whole[:2]
    assert len(after) == 3
    assert after[2] != whole[2]
    assert [sample["block"] for sample in samples(run)] == [0, 1, 2]
    assert (run / "samples.torn").read_text() == whole[2][:-40] + "\n"


def test_an_edited_line_is_an_error_that_names_it(lab: Lab, run: Path) -> None:
    whole = lines(run)
    edited = whole[1].replace('"handshake": 0.0', '"handshake": 9.0', 1)
    assert edited != whole[1]
    (run / "samples.jsonl").write_text(whole[0] + edited + whole[2])
    for words in (("report", run.name), ("matrix", "--resume", run.name), ("compare", run.name, run.name)):
        done = lab(*words)
        assert done.status == 1, done.text
        assert "samples.jsonl:2: this line was cut short or changed" in done.text
        assert "Traceback" not in done.text
    assert lines(run) == [whole[0], edited, whole[2]]


def test_a_deleted_line_is_measured_again(lab: Lab, run: Path) -> None:
    whole = lines(run)
    (run / "samples.jsonl").write_text(whole[0] + whole[2])
    lab.ok("matrix", "--no-report", "--resume", run.name)
    assert lines(run)[:2] == [whole[0], whole[2]]
    assert sorted(sample["block"] for sample in samples(run)) == [0, 1, 2]


def test_a_run_of_another_plan_is_not_gone_on_with(lab: Lab, run: Path) -> None:
    meta = run / "meta.json"
    meta.write_text(meta.read_text().replace('"handshake"', '"latency"'))
    done = lab("matrix", "--resume", run.name)
    assert done.status == 1
    assert "cannot be resumed: changed since it was started: plan" in done.text
    assert len(lines(run)) == 3


NO_META = ["[]", "null", '{"schema": 1, "engine": 7}', '{"schema": 1, "kind": "weather"}']
COMMANDS = [("report",), ("thesis",), ("compare",), ("matrix", "--resume"), ("ktls", "--resume")]


@pytest.mark.parametrize(
    ("text", "commands"), [(NO_META[0], COMMANDS), *((text, COMMANDS[:1]) for text in NO_META[1:])]
)
def test_a_meta_that_is_none_is_named_by_every_command(
    lab: Lab, run: Path, text: str, commands: list[tuple[str, ...]]
) -> None:
    (run / "meta.json").write_text(text)
    for words in ((*words, run.name) if words == ("compare",) else words for words in commands):
        done = lab(*words, run.name)
        assert done.status == 2, done.text
        assert f"{run.name}/meta.json" in done.text
        assert "Traceback" not in done.text


def test_a_run_without_settings_is_shown_but_not_gone_on_with(lab: Lab, run: Path) -> None:
    meta = json.loads((run / "meta.json").read_text())
    (run / "meta.json").write_text(json.dumps({key: value for key, value in meta.items() if key != "settings"}))
    lab.ok("report", run.name)
    done = lab("matrix", "--resume", run.name)
    assert done.status == 2, done.text
    assert f"{run.name}/meta.json: settings: " in done.text
    assert len(lines(run)) == 3


def test_a_folder_that_holds_no_run_does_not_break_another(lab: Lab, run: Path) -> None:
    for name in ("forged", "crypto-forged"):
        (lab.results / name).mkdir()
        (lab.results / name / "meta.json").write_text("[]")
    lab.ok("report", run.name)
    lab.ok("compare", run.name, run.name)
    done = lab("report", "nonesuch")
    assert done.status == 2
    assert f"runs in {lab.results}: {run.name}\n" in done.text
    assert f"no run: {lab.results}/forged/meta.json" in done.text


def test_a_forged_line_is_named_whatever_its_checksum_says(lab: Lab, run: Path) -> None:
    whole = lines(run)
    sample = json.loads(whole[1])
    del sample["check"]
    Store(run).samples.write_text(whole[0])
    Store(run).append(sample | {"readings": [sample["readings"][0] | {"value": float("nan")}]})
    for words in (("report",), ("matrix", "--resume"), ("compare", run.name)):
        done = lab(*words, run.name)
        assert done.status == 1, done.text
        assert "samples.jsonl:2: readings.0.value: " in done.text
        assert "Traceback" not in done.text
