# SPDX-License-Identifier: MIT
"""The run folder: nothing that was measured is lost, nothing that was changed is believed."""

from __future__ import annotations

import csv
import errno
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas
import pytest
from stored import sample, unsupported

from lab.benches.vpn.cpu_ledger import readings
from lab.core.errors import LabError, UsageError
from lab.results.cell import Cell
from lab.results.cpu import SHOWN
from lab.results.store import ATTEMPT, COLUMNS, SCHEMA, Store, cell_of


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


def test_a_ledger_that_is_not_whole_has_no_verdict(store: Store) -> None:
    wall = [{"metric": "wall", "unit": "s", "end": "machine", "value": 1.0}]
    store.append(sample(0, readings=wall))
    idle = [{"metric": f"cpu_{state}", "unit": "s", "end": "machine", "value": 0.01} for state in SHOWN]
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
    assert set(store.frame()["bottleneck"]) == {"foreign"}
