# SPDX-License-Identifier: MIT
"""The run folder: nothing that was measured is lost, nothing that was changed is believed."""

from __future__ import annotations

import csv
import errno
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas
import pytest

from lab.benches.vpn.cpu_ledger import readings
from lab.core.errors import LabError, UsageError
from lab.results.cell import Cell
from lab.results.cpu import SHOWN
from lab.results.store import ATTEMPT, COLUMNS, SCHEMA, Store, cell_of


def sample(position: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "run": "r1", "block": max(position, 0), "position": position,
        "vpn": "alpha", "variant": "udp", "suite": "strong",
        "measure": "throughput", "conditions": "direction=up streams=1", "records": "user", "engine": "host",
        "clock": "wall", "outcome": "ok", "reason": "",
        "readings": [
            {"metric": "throughput", "unit": "Mbit/s", "end": "server", "value": 405.285264437},
            {"metric": "retransmits", "unit": "count", "end": "client", "value": 7},
        ],
        "raw": {"stdout": "line\nbreak, “quotes”, \u2028"},
        **changes,
    }  # fmt: skip


def unsupported(position: int = -1) -> dict[str, Any]:
    return sample(position, suite="odd", outcome="unsupported", reason="has no odd", readings=[])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "results" / "r1", {"plan": "abc"})


def damage(store: Store, old: str, new: str) -> None:
    text = store.samples.read_text(encoding="utf-8")
    assert old in text
    store.samples.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_what_is_appended_is_read_again(store: Store) -> None:
    store.append(sample(0))
    Store(store.folder).append(sample(1))
    assert list(store.read()) == [sample(0), sample(1)]
    assert store.samples.read_text(encoding="utf-8").count("\n") == 2


def test_a_sample_is_on_the_disk_before_the_next_begins(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda number: sizes.append(os.fstat(number).st_size))
    store.append(sample(0))
    store.append(sample(1))
    first = store.samples.read_bytes().index(b"\n") + 1
    assert sizes == [first, store.samples.stat().st_size]


def test_meta(store: Store) -> None:
    assert store.meta() == {"schema": SCHEMA, "plan": "abc"}
    store.write_meta(store.meta() | {"ends": {}})
    assert store.meta() == {"schema": SCHEMA, "plan": "abc", "ends": {}}
    assert sorted(path.name for path in store.folder.iterdir()) == ["meta.json"]


def test_a_meta_that_could_not_be_written_leaves_the_former(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        os.truncate(descriptor, 10)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LabError, match=r"meta\.json cannot be written: No space left on device"):
        store.write_meta({"plan": "another"})
    assert store.meta()["plan"] == "abc"


def test_a_run_is_not_created_twice(store: Store) -> None:
    with pytest.raises(LabError, match="exists already") as caught:
        Store.create(store.folder, {})
    assert "`--resume r1`" in caught.value.hint
    assert store.meta()["plan"] == "abc"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(LabError, match="file/r1 cannot be written: Not a directory") as caught:
        Store.create(tmp_path / "file" / "r1", {})
    assert "--results" in caught.value.hint


def test_a_run_that_is_not_there(store: Store) -> None:
    for use in (lambda: Store(store.folder.parent / "r2").frame(), lambda: Store(store.folder.parent / "r2").meta()):
        with pytest.raises(UsageError, match=r"no run at .*/r2") as caught:
            use()
        assert caught.value.hint == f"runs in {store.folder.parent}: r1"


def test_no_run_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Store(tmp_path / "r1").meta()
    assert caught.value.hint == f"{tmp_path} holds no run yet"


DEEP = '{"a":' * 100_000 + "1" + "}" * 100_000
WRONG = {
    "{": "cannot be read",
    DEEP: "cannot be read",
    "[]": r"meta\.json is of no run: it holds \[\]",
    "null": "is of no run: it holds null",
    "7": "is of no run: it holds 7",
    '{"schema": 99}': "has schema 99",
    "{}": "has schema None",
    '{"schema": 1, "engine": "host"}': "meta.json: engine: ",
    '{"schema": 1, "engine": null}': "meta.json: engine: ",
    '{"schema": 1, "engine": {"name": "host"}}': r"meta.json: engine\.clock: Field required",
    '{"schema": 1, "engine": {"name": "vm", "clock": "wall", "guest": [1]}}': r"meta.json: engine\.guest: ",
    '{"schema": 1, "machine": ["Linux"]}': "meta.json: machine: .*got \\['Linux'\\]",
    '{"schema": 1, "machine": {"kernel": 7}}': r"meta.json: machine\.kernel: .*got 7",
    '{"schema": 1, "controls": "plain"}': "meta.json: controls: ",
    '{"schema": 1, "settings": []}': "meta.json: settings: ",
    '{"schema": 1, "processors": true}': "meta.json: processors: ",
    '{"schema": 1, "processors": 1e999}': "meta.json: processors: ",
    '{"schema": 1, "implementations": {"openssl": []}}': r"meta.json: implementations\.openssl: ",
    '{"schema": 1, "modules": [1]}': "meta.json: modules: ",
    '{"schema": 1, "cells": "all"}': "meta.json: cells: ",
    '{"schema": 1, "more": [[[[[1]]]]]}': "meta.json: more: nested more than 4 deep",
    '{"schema": 1, "more": NaN}': "meta.json: more: nan is no number",
    '{"schema": 1, "plan": "\\ud800"}': "meta.json: plan: no text",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:60])
def test_a_meta_that_cannot_be_used(store: Store, text: str) -> None:
    store.append(sample(0))
    (store.folder / "meta.json").write_text(text, encoding="utf-8")
    for use in (store.meta, store.frame, store.last, lambda: store.go_on({}, ["plan"])):
        with pytest.raises(UsageError, match=WRONG[text]):
            use()


def test_folders_that_hold_no_run_are_told_apart_from_runs(store: Store) -> None:
    for name, text in (("r0", "[]"), ("r2", '{"schema": 1, "engine": 7}')):
        (store.folder.parent / name).mkdir()
        (store.folder.parent / name / "meta.json").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="no run at") as caught:
        Store(store.folder.parent / "r3").meta()
    first, *others = caught.value.hint.splitlines()
    assert first == f"runs in {store.folder.parent}: r1"
    assert [line[: line.index("meta.json")] for line in others] == [
        f"no run: {store.folder.parent}/{name}/" for name in ("r0", "r2")
    ]


def test_nothing_is_written_that_could_not_be_read_again(store: Store) -> None:
    with pytest.raises(ValueError, match="engine: "):
        store.write_meta({"engine": "host"})
    assert store.meta()["plan"] == "abc"


FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "no block": ({"block": None}, "block: "),
    "a block as text": ({"block": "0"}, "block: "),
    "a block before the first": ({"block": -1}, "block: "),
    "a block beyond the last": ({"block": 2}, "block: the plan has 2 blocks, got 2"),
    "a block beyond any number": ({"block": 10**30}, "block: "),
    "half a position": ({"position": 0.5}, "position: "),
    "a position twice": ({"block": 0, "position": 0}, "position 0 of block 0 is that of alpha udp strong"),
    "a list for a suite": ({"suite": ["strong"]}, "suite: "),
    "half a character": ({"reason": "\ud800"}, "reason: no text"),
    "another outcome": ({"outcome": "good"}, "outcome: .*got 'good'"),
    "readings that are no list": ({"readings": {}}, "readings: "),
    "ok without a figure": ({"readings": []}, "ok, and without a reading"),
    "a figure without a metric": ({"readings": [{"value": 1.0}]}, r"readings\.0\.metric: Field required"),
    "a figure too many": (
        {"readings": [{"metric": "m", "unit": "s", "end": "e", "value": 1, "n": 2}]},
        r"readings\.0\.n: ",
    ),
    "a figure as text": (
        {"readings": [{"metric": "m", "unit": "s", "end": "e", "value": "1"}]},
        r"readings\.0\.value: ",
    ),
    "NaN": ({"readings": [{"metric": "m", "unit": "s", "end": "e", "value": float("nan")}]}, r"readings\.0\.value: "),
    "infinity": (
        {"readings": [{"metric": "m", "unit": "s", "end": "e", "value": float("inf")}]},
        r"readings\.0\.value: ",
    ),
    "too large": ({"readings": [{"metric": "m", "unit": "s", "end": "e", "value": 10**400}]}, r"readings\.0\.value: "),
    "conditions that are no words": ({"conditions": "up"}, "conditions: "),
    "a size that is none": ({"conditions": "size=big"}, "conditions: "),
    "raw that is no object": ({"raw": [1]}, "raw: "),
    "drivers that are none": ({"drivers": {"tx": 7}}, r"drivers\.tx: "),
    "attempt 0": ({"attempt": 0}, "attempt: "),
    "another cell": ({"vpn": "gamma"}, "the plan has no cell gamma udp weak throughput direction=up streams=1"),
}
PLANNED = [
    f"alpha udp {suite} throughput{conditions}"
    for suite in ("strong", "weak", "odd")
    for conditions in (" direction=up streams=1", " size=big", " up")
]


@pytest.mark.parametrize("which", FORGED)
def test_a_forged_sample_is_named_whatever_its_checksum_says(store: Store, which: str) -> None:
    store.write_meta({"plan": "abc", "cells": PLANNED, "settings": {"blocks": 2}})
    changes, said = FORGED[which]
    store.append(sample(0))
    store.append(sample(1))
    forged = {**sample(1, suite="weak"), "position": 2}
    forged = {key: value for key, value in (forged | changes).items() if value is not None}
    store.append(forged)
    for use in (store.frame, store.last, lambda: store.go_on({"plan": "abc"}, ["plan"])):
        with pytest.raises(LabError, match=rf"samples\.jsonl:3: {said}") as caught:
            use()
        assert "`--resume r1`" in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("crypto", {}), ("ktls", {}), ("ktls", {"measure": "profile", "conditions": "way=send payload=1400"}),
        ("crypto", {"conditions": "size="}),
    ],
)  # fmt: skip
def test_samples_of_another_kind_of_run_are_named(store: Store, kind: str, changes: dict[str, Any]) -> None:
    store.write_meta({"kind": kind})
    store.append(sample(0, **changes))
    with pytest.raises(LabError, match=r"samples\.jsonl:1: conditions: "):
        store.frame()


def test_going_on_holds_an_old_run_against_the_plan_of_now(store: Store) -> None:
    """Runs of older versions keep but a digest of it."""
    store.append(sample(0))
    assert store.go_on({"plan": "abc", "cells": [str(cell_of(sample(0)))]}, ["plan"]) is store
    with pytest.raises(LabError, match=r"samples\.jsonl:1: the plan has no cell alpha udp strong"):
        store.go_on({"plan": "abc", "cells": ["alpha udp weak throughput"]}, ["plan"])


def test_a_ledger_that_is_not_whole_has_no_verdict(store: Store) -> None:
    wall = [{"metric": "wall", "unit": "s", "end": "machine", "value": 1.0}]
    store.append(sample(0, readings=wall))
    idle = [{"metric": f"cpu_{state}", "unit": "s", "end": "machine", "value": 0.1} for state in SHOWN]
    store.append(sample(1, readings=[*wall, *idle, {"metric": "cpu_user", "unit": "s", "end": "client", "value": 0.1}]))
    assert set(store.frame()["bottleneck"]) == {"", "other"}


class TestAttempts:
    def wrong(self, outcome: str = "failed", **changes: Any) -> dict[str, Any]:
        return sample(0, outcome=outcome, reason="refused", readings=[], **changes)

    def test_the_last_one_counts_and_all_stay(self, store: Store) -> None:
        taken = [self.wrong(), sample(1), self.wrong("invalid", attempt=2), sample(0, attempt=3)]
        for each in taken:
            store.append(each)
        assert list(store.read()) == taken
        assert store.last() == [taken[3], taken[1]]
        frame = store.frame()
        assert set(frame["outcome"]) == {"ok"}
        assert tuple(frame.columns) == (*COLUMNS, ATTEMPT)
        assert frame[ATTEMPT].tolist() == [3, 3, 1, 1]
        rows = store.write_csv().read_text(encoding="utf-8").splitlines()
        assert rows[0].endswith(",bottleneck,attempt")
        assert len(rows) == 1 + 4

    def test_one_that_went_wrong_at_last_counts_too(self, store: Store) -> None:
        store.append(self.wrong())
        store.append(self.wrong("invalid", attempt=2))
        assert [each["outcome"] for each in store.last()] == ["invalid"]

    @pytest.mark.parametrize("attempt", [None, 1])
    def test_a_step_that_is_there_twice_is_refused(self, store: Store, attempt: int | None) -> None:
        store.append(self.wrong())
        store.append(sample(1))
        store.append(sample(0) if attempt is None else sample(0, attempt=attempt))
        for use in (store.frame, store.last, lambda: list(store.read())):
            with pytest.raises(
                LabError, match=r"samples.jsonl:3: block 0 of alpha .* is there twice: line 1 has it too"
            ):
                use()

    @pytest.mark.parametrize("outcome", ["ok", "unsupported"])
    def test_one_that_counts_is_not_taken_again(self, store: Store, outcome: str) -> None:
        store.append(sample(0) if outcome == "ok" else self.wrong(outcome))
        store.append(sample(0, attempt=2))
        with pytest.raises(LabError, match=rf"samples.jsonl:2: block 0 of .* although it was {outcome} in line 1"):
            store.frame()


OWN = {"vpn": "library", "variant": "place"}


def test_a_subject_has_its_own_names_on_the_disk(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "own", {"columns": OWN})
    store.append(sample(0, run="own", conditions="size=64"))
    store.append(sample(1, run="own", conditions="way=send"))
    line = json.loads(store.samples.read_text().splitlines()[0])
    assert {"library", "place"} <= set(line)
    assert not {"vpn", "variant"} & set(line)
    again = Store(store.folder)
    assert next(iter(again.read()))["vpn"] == sample(0)["vpn"]
    assert {"vpn", "variant"} <= set(again.frame().columns)
    with again.write_csv().open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["library"] == sample(0)["vpn"]
    assert {(row["size"], row["way"]) for row in rows} == {("64", ""), ("", "send")}


def test_a_run_of_schema_1_is_read_and_goes_on_in_its_own_form(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "r", {})
    meta = store.folder / "meta.json"
    meta.write_text(meta.read_text().replace(f'"schema": {SCHEMA}', '"schema": 1'))
    store.append(sample(0, run="r"))
    assert "vpn" in json.loads(store.samples.read_text())
    store.write_meta(store.meta() | {"ends": {}})
    assert Store(store.folder).meta()["schema"] == 1
    assert len(list(Store(store.folder).read())) == 1


WRITE = """
import sys
from pathlib import Path
from lab.core.errors import LabError
from lab.results.store import Store
try:
    with Store(Path(sys.argv[1])).writing():
        print("writing", flush=True)
        sys.stdin.read()
except LabError as error:
    print(error.message, error.hint, sep="; ")
"""


class TestWriter:
    def another(self, store: Store) -> subprocess.Popen[str]:
        argv = [sys.executable, "-c", WRITE, str(store.folder)]
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def test_a_second_one_is_told_who_the_first_is(self, store: Store) -> None:
        store.append(sample(0))
        store.samples.write_bytes(store.samples.read_bytes() + b"{")  # its writer is in the midst of a line
        whole = store.samples.read_bytes()
        with self.another(store) as first:
            assert first.stdout
            assert first.stdout.readline() == "writing\n"
            store.samples.write_bytes(whole)
            with pytest.raises(LabError) as caught, store.writing():
                pytest.fail("two write")
            assert caught.value.message == f"run r1 is being written by process {first.pid}"
            assert "one writer" in caught.value.hint
            assert store.samples.read_bytes() == whole, "what the other was writing was taken for torn"
            assert len(store.frame()) == 2, "anybody may read"
            with self.another(store) as second:
                assert f"process {first.pid}" in second.communicate()[0]
            first.communicate()
        with store.writing():
            assert sorted(path.name for path in store.folder.iterdir()) == [
                "meta.json",
                "samples.jsonl",
                "samples.torn",
            ]

    def test_one_that_was_killed_holds_nothing(self, store: Store) -> None:
        with self.another(store) as first:
            assert first.stdout
            first.stdout.readline()
            first.kill()
        with store.writing():
            store.append(sample(0))
        with store.writing():
            store.append(sample(1))

    def test_a_folder_that_is_gone(self, tmp_path: Path) -> None:
        with pytest.raises(LabError, match="r9 cannot be held: No such file"), Store(tmp_path / "r9").writing():
            pass


def test_a_torn_last_line_is_set_aside(store: Store) -> None:
    for position in range(3):
        store.append(sample(position))
    whole = store.samples.read_bytes()
    os.truncate(store.samples, len(whole) - 40)
    assert list(Store(store.folder).read()) == [sample(0), sample(1)]
    again = Store(store.folder)
    again.mend()
    assert list(again.read()) == [sample(0), sample(1)]
    torn = (store.folder / "samples.torn").read_bytes()
    assert again.samples.read_bytes() + torn == whole[:-40] + b"\n"
    again.append(sample(2))
    assert again.samples.read_bytes() == whole


def test_nothing_is_set_aside_of_a_whole_file(store: Store) -> None:
    store.append(sample(0))
    whole = store.samples.read_bytes()
    Store(store.folder).mend()
    assert store.samples.read_bytes() == whole
    assert not (store.folder / "samples.torn").exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [("405.285264437", "505.285264437"), ('"ok"', '"OK"'), ('"check"', '"chek"'), ('"position": 1', '"position": 11')],
)
def test_an_edited_line_is_named(store: Store, old: str, new: str) -> None:
    store.append(sample(0, readings=[], outcome="failed"))
    store.append(sample(1))
    damage(store, old, new) if old != '"check"' else store.samples.write_bytes(
        b"".join(line.replace(b'"check"', b'"chek"') if n else line
                 for n, line in enumerate(store.samples.read_bytes().splitlines(keepends=True)))
    )  # fmt: skip
    with pytest.raises(LabError, match=r"samples\.jsonl:2: this line was cut short or changed") as caught:
        list(store.read())
    assert "`--resume r1`" in caught.value.hint


@pytest.mark.parametrize("line", [b"", b"[1]", b"7", b'{"check": ', b"\xff\xfe"])
def test_a_line_that_is_no_sample_is_named(store: Store, line: bytes) -> None:
    store.append(sample(0))
    with store.samples.open("ab") as file:
        file.write(line + b"\n")
    store.append(sample(1))
    with pytest.raises(LabError, match=r"samples\.jsonl:2: "):
        list(store.read())


def test_a_full_disk_leaves_what_was_there(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store.append(sample(0))
    whole = store.samples.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(LabError, match=r"samples\.jsonl cannot be written: No space left on device") as caught:
            store.append(sample(1))
    assert caught.value.hint == "make room, then go on with `--resume r1`"
    assert store.samples.read_bytes() == whole
    store.append(sample(1))
    assert list(store.read()) == [sample(0), sample(1)]


def test_a_line_that_only_half_fits_on_the_disk(store: Store) -> None:
    """A process that may write no larger files: the kernel takes the first part of the line and refuses the rest."""
    store.append(sample(0))
    whole = store.samples.read_bytes()
    script = """
import json, sys
from pathlib import Path
from lab.core.errors import LabError
from lab.results.store import Store
try:
    Store(Path(sys.argv[1])).append(json.loads(sys.stdin.read()))
except LabError as error:
    sys.exit(error.message)
"""

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 5000, len(whole) + 5000))

    for size in (7_000, 70_000):
        sample_of_size = json.dumps(sample(1, raw="x" * size))
        result = subprocess.run(
            [sys.executable, "-c", script, store.folder], input=sample_of_size, preexec_fn=limited,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "cannot be written: File too large" in result.stderr
        assert store.samples.read_bytes() == whole


def test_a_run_whose_folder_is_gone_says_so(store: Store) -> None:
    for path in store.folder.iterdir():
        path.unlink()
    store.folder.rmdir()
    with pytest.raises(LabError, match="cannot be written: No such file"):
        store.append(sample())


def test_the_columns_of_the_frame(store: Store) -> None:
    store.append(sample(3))
    frame = Store(store.folder).frame()
    assert tuple(frame.columns) == COLUMNS == (
        "run", "block", "position", "vpn", "variant", "records", "suite", "measure", "conditions",
        "metric", "unit", "end", "value", "outcome", "reason", "engine", "clock", "bottleneck",
    )  # fmt: skip
    first, second = frame.to_dict("records")
    expected = {key: value for key, value in sample(3).items() if key in COLUMNS} | {"bottleneck": ""}
    assert first == expected | {"metric": "throughput", "unit": "Mbit/s", "end": "server", "value": 405.285264437}
    assert second == expected | {"metric": "retransmits", "unit": "count", "end": "client", "value": 7}


def test_a_sample_without_figures_is_one_row_without_a_metric(store: Store) -> None:
    store.append(unsupported())
    store.append(sample(0))
    frame = store.frame()
    assert len(frame) == 3
    row = frame.iloc[0]
    assert row[["metric", "unit", "end", "value"]].isna().all()
    assert (row["outcome"], row["reason"], row["suite"]) == ("unsupported", "has no odd", "odd")
    store.write_csv()
    lines = (store.folder / "results.csv").read_text(encoding="utf-8").splitlines()
    assert lines[1] == (
        "r1,0,-1,alpha,udp,user,odd,throughput,direction=up streams=1,,,,,unsupported,has no odd,host,wall,"
    )


def test_a_run_without_samples_has_an_empty_table(store: Store) -> None:
    assert list(store.read()) == []
    assert store.frame().empty
    assert store.write_csv().read_text(encoding="utf-8") == ",".join(COLUMNS) + "\n"


def test_the_csv_is_the_same_each_time_and_reads_back(store: Store) -> None:
    store.append(unsupported())
    store.append(sample(0))
    store.append(sample(1, readings=[{"metric": "cost", "unit": "s/GB", "end": "server", "value": 1 / 3}]))
    first = store.write_csv().read_bytes()
    assert Store(store.folder).write_csv().read_bytes() == first
    frame = pandas.read_csv(store.folder / "results.csv", keep_default_na=False, na_values={"value": [""]})
    assert frame["value"].dropna().tolist() == pytest.approx([405.285264437, 7, 1 / 3], rel=1e-9)


def test_the_cell_of_a_sample() -> None:
    assert cell_of(sample()) == Cell("alpha", "udp", "strong", "throughput", "direction=up streams=1")


def test_the_bottleneck_is_derived_from_the_ledger(store: Store, raw: Callable[[str], dict[str, Any]]) -> None:
    found = readings(raw("throughput-up.json")["load"], 115_867_648)
    store.append(sample(0, readings=[asdict(reading) for reading in found]))
    assert set(store.frame()["bottleneck"]) == {"cpu:machine"}
