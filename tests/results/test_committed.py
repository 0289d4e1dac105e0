# SPDX-License-Identifier: MIT
"""The runs committed under results/: each is sound, and its tables and the notebook show what its samples say."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient
from raw import FEW, committed, read

from lab import benches
from lab.catalog.catalog import Catalog
from lab.core.paths import ROOT
from lab.report.tables import Table, figure
from lab.report.views import nobody
from lab.results.store import Store, cell_of
from lab.stats.summary import Summary

RESULTS = ROOT / "results"


RUNS = [folder for folder in committed() if "kind" not in Store(folder).meta()]
LOADED = [folder for folder in RUNS if "throughput" in Store(folder).meta()["settings"]["measures"]]
BESIDE = "raw-ciphers"
"""The first cell of the notebook that is about the runs beside the one that it is of."""
OF_THE_RUN = re.compile(r"(?<![.\w])(run|load|df)\b")
"""What a cell reads of the run that the notebook is of."""
BENCHES = [folder for folder in committed() if "kind" in Store(folder).meta()]


def test_there_is_a_run() -> None:
    assert RUNS


def taken(samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The samples of a run, without what was known beforehand to be impossible."""
    return [each for each in samples if each["position"] >= 0]


def place(sample: dict[str, Any]) -> int:
    """Its place in its block."""
    return int(sample["position"])


def rows_of_csv(folder: Path, scratch: Path) -> int:
    """The rows of the results.csv that is derived from what is committed of a run."""
    copy = scratch / folder.name
    copy.mkdir()
    for name in ("meta.json", "samples.jsonl"):
        (copy / name).write_bytes((folder / name).read_bytes())
    return len(pd.read_csv(Store(copy).write_csv(), dtype=str))


@pytest.mark.parametrize("folder", RUNS, ids=lambda path: path.name)
def test_a_committed_run_is_sound(folder: Path, tmp_path: Path) -> None:
    """Every line is as it was written, no sample counts twice, and the CSV has a row for each figure.

    It may have fewer samples than its plan: a long run is committed on its way too. One that failed or was invalid
    stands there beside the one that was taken in its place.
    """
    store = Store(folder)
    samples = list(store.read())
    settings, measured = store.meta()["settings"], taken(samples)
    for key in (place, cell_of):
        seen: set[tuple[int, Any]] = set()
        for each in measured:
            which = (each["block"], key(each))
            assert which not in seen
            seen |= {which} if each["outcome"] == "ok" else set()
    assert {each["block"] for each in measured} <= set(range(settings["blocks"]))
    assert {each["run"] for each in samples} == {folder.name}
    assert {each["outcome"] for each in samples} <= {"ok", "unsupported", "failed", "invalid"}
    assert all(bool(each["readings"]) is (each["outcome"] == "ok") for each in measured)
    assert all(each["reason"] for each in samples if each["outcome"] != "ok")
    last = {(each["block"], cell_of(each)): each for each in samples}
    assert rows_of_csv(folder, tmp_path) == sum(len(each.get("readings", [])) or 1 for each in last.values())


@pytest.mark.parametrize("folder", BENCHES, ids=lambda path: path.name)
def test_a_committed_bench_is_sound(folder: Path, tmp_path: Path) -> None:
    """Every cell once a block, none failed or invalid, and the CSV has a row for each figure."""
    samples = list(Store(folder).read())
    counted = Counter((each["block"], cell_of(each)) for each in samples)
    assert max(counted.values()) == 1
    assert {each["outcome"] for each in samples} <= {"ok", "unsupported"}
    assert all(each["reason"] for each in samples if each["outcome"] != "ok")
    assert rows_of_csv(folder, tmp_path) == sum(len(each.get("readings", [])) or 1 for each in samples)


def shown(folder: Path, name: str) -> Table:
    """A table of a run's report."""
    store = Store(folder)
    tables = benches.views(benches.of(store)).tables(Summary.of(store), nobody, whole=False)
    found: Table = next(table for table in tables if table.name.startswith(name))
    return found


@pytest.mark.parametrize("folder", LOADED, ids=lambda path: path.name)
def test_the_table_of_throughput_is_what_the_samples_say(folder: Path) -> None:
    def key(sample: dict[str, Any]) -> tuple[str, ...]:
        return sample["measure"], f"{sample['vpn']}/{sample['variant']}", sample["suite"], sample["conditions"]

    table, checked = shown(folder, "matrix direction="), 0
    values = read(folder, "throughput", "client" if "direction=down" in table.name else "server", key)
    load = max((conditions for *_, conditions in values if table.name.endswith(conditions)), key=len)
    for row in table.rows:
        for column, cell in zip(table.columns[1:], row[1:], strict=True):
            mine = values.get(("throughput", column.splitlines()[0], row[0].text, load))
            told = cell.text.splitlines()[0] if cell.text else ""
            if mine and "|" not in told:  # modes have no median in common
                assert told == figure(median(mine)), (column, row[0].text)
                checked += 1
            assert mine or told[:1] not in tuple("0123456789"), "a figure that no sample has"
    assert checked > (3 if folder.name in FEW else 10)


@pytest.mark.parametrize("folder", BENCHES, ids=lambda path: path.name)
def test_a_table_of_a_bench_is_what_the_samples_say(folder: Path) -> None:
    """Of ciphers the speeds of OpenSSL in the container, of records what those of the library cost."""
    checked = 0
    if Store(folder).meta()["kind"] == "crypto":
        values = read(
            folder, "speed", "machine", lambda one: (one["vpn"], one["variant"], one["suite"], one["conditions"])
        )
        table = shown(folder, "crypto openssl")
        for row in table.rows:
            for column, cell in zip(table.columns[1:], row[1:], strict=True):
                mine = values.get(("openssl", "container", row[0].text, f"size={column.removesuffix(' B')}"))
                if mine and "|" not in cell.text:
                    assert cell.text.splitlines()[0].split(" / ")[-1] == figure(median(mine) / 1e6)
                    checked += 1
    else:
        values = read(
            folder,
            "cost_record",
            "machine",
            lambda one: (one["measure"], one["vpn"], one["variant"], one["conditions"]),
        )
        table = shown(folder, "ktls cost")
        for row in table.rows:
            scenario, protocol, _, path = (cell.text for cell in row[:4])
            for column, cell in zip(table.columns[4:], row[4:], strict=True):
                way = path.partition(", ")[2] or "send"
                mine = values.get((scenario, protocol, "library", f"payload={column.removesuffix(' B')} way={way}"))
                if mine and path.startswith("GnuTLS") and "|" not in cell.text:
                    assert cell.text == figure(median(mine)), (row[3].text, column)
                    checked += 1
    assert checked > 5


def test_one_run_compares_every_suite() -> None:
    """Five blocks of every suite of the catalog, each cell measured or impossible for a reason, and none failed."""
    whole = []
    for folder in RUNS:
        settings = Store(folder).meta()["settings"]
        if settings["ciphers"] == ["all"] and settings["blocks"] >= 5:
            whole.append((list(Store(folder).read()), settings["blocks"]))
    assert whole
    for samples, blocks in whole:
        assert {each["outcome"] for each in samples} <= {"ok", "unsupported"}
        measured = [(each["block"], cell_of(each)) for each in taken(samples)]
        cells = {cell for _, cell in measured}
        assert set(measured) == {(n, cell) for n in range(blocks) for cell in cells}
        controls = {vpn.file.dialect for vpn in Catalog().vpns.values() if vpn.file.control}
        suites = {suite.suite for suite in Catalog().suites.values() if set(suite.native) - controls}
        assert suites <= {each["suite"] for each in samples}


@pytest.mark.parametrize("folder", RUNS, ids=lambda path: path.name)
def test_the_notebook_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_RUN", folder.name)
    notebook = nbformat.read(RESULTS / "analysis.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    beside = [cell["id"] for cell in notebook.cells].index(BESIDE)
    code = [cell["source"] for cell in notebook.cells[beside:] if cell["cell_type"] == "code"]
    assert not list(filter(OF_THE_RUN.search, code))
    if folder != RUNS[0]:  # the same whichever run it is of: once is enough
        del notebook.cells[beside:]
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(RESULTS)}}).execute()
    pictures = [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) >= (4 if Summary.of(Store(folder)).loads() else 1)
    assert folder.name in json.dumps(notebook.cells)
