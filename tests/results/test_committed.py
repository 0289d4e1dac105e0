# SPDX-License-Identifier: MIT
"""The runs committed under results/, and the notebook over them: what the README shows must be what they hold."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from lab.catalog.catalog import Catalog
from lab.core.paths import ROOT
from lab.results.store import Store, cell_of

RESULTS = ROOT / "results"


def committed() -> list[Path]:
    """The runs that came with the checkout, not those that were made in it since."""
    argv = ["git", "-C", str(ROOT), "ls-files", "results/*/meta.json"]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    return [(ROOT / path).parent for path in sorted(listed)]


RUNS = [folder for folder in committed() if "kind" not in Store(folder).meta()]
BENCHES = [folder for folder in committed() if "kind" in Store(folder).meta()]


def test_there_is_a_run() -> None:
    assert RUNS


def taken(folder: Path) -> list[dict[str, Any]]:
    """Its samples, without what was known beforehand to be impossible."""
    return [each for each in Store(folder).read() if each["position"] >= 0]


def place(sample: dict[str, Any]) -> int:
    """Its place in its block."""
    return int(sample["position"])


@pytest.mark.parametrize("folder", RUNS, ids=lambda path: path.name)
def test_a_committed_run_is_sound(folder: Path, tmp_path: Path) -> None:
    """Every line is as it was written, no sample stands there twice, and the CSV is what the samples say.

    It may have fewer samples than its plan: a long run is committed on its way too.
    """
    store = Store(folder)
    samples = list(store.read())
    settings = store.meta()["settings"]
    for key in (place, cell_of):
        assert max(Counter((each["block"], key(each)) for each in taken(folder)).values()) == 1
    assert {each["block"] for each in taken(folder)} <= set(range(settings["blocks"]))
    assert {each["run"] for each in samples} == {folder.name}
    assert {each["outcome"] for each in samples} <= {"ok", "unsupported", "failed", "invalid"}
    assert all(bool(each["readings"]) is (each["outcome"] == "ok") for each in taken(folder))
    assert all(each["reason"] for each in samples if each["outcome"] != "ok")
    copy = tmp_path / folder.name
    copy.mkdir()
    for name in ("meta.json", "samples.jsonl"):
        (copy / name).write_bytes((folder / name).read_bytes())
    assert Store(copy).write_csv().read_bytes() == (folder / "results.csv").read_bytes()


@pytest.mark.parametrize("folder", BENCHES, ids=lambda path: path.name)
def test_a_committed_bench_is_sound(folder: Path, tmp_path: Path) -> None:
    """Every cell once a block, none failed or invalid, and the CSV is what the samples say."""
    counted = Counter((each["block"], cell_of(each)) for each in Store(folder).read())
    assert max(counted.values()) == 1
    assert {each["outcome"] for each in Store(folder).read()} <= {"ok", "unsupported"}
    assert all(each["reason"] for each in Store(folder).read() if each["outcome"] != "ok")
    copy = tmp_path / folder.name
    copy.mkdir()
    for name in ("meta.json", "samples.jsonl"):
        (copy / name).write_bytes((folder / name).read_bytes())
    assert Store(copy).write_csv().read_bytes() == (folder / "results.csv").read_bytes()


def test_one_run_compares_every_suite() -> None:
    """Five blocks of every suite of the catalog, each cell measured or impossible for a reason, and none failed."""
    whole = []
    for folder in RUNS:
        settings = Store(folder).meta()["settings"]
        if settings["ciphers"] == ["all"] and settings["blocks"] >= 5:
            whole.append((list(Store(folder).read()), taken(folder), settings["blocks"]))
    assert whole
    for samples, measured, blocks in whole:
        assert {each["outcome"] for each in samples} <= {"ok", "unsupported"}
        cells = {cell_of(each) for each in measured}
        assert {(each["block"], cell_of(each)) for each in measured} == {
            (n, cell) for n in range(blocks) for cell in cells
        }
        controls = {vpn.file.dialect for vpn in Catalog().vpns.values() if vpn.file.control}
        suites = {suite.suite for suite in Catalog().suites.values() if set(suite.native) - controls}
        assert suites <= {each["suite"] for each in samples}


@pytest.mark.parametrize("folder", RUNS, ids=lambda path: path.name)
def test_the_notebook_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_RUN", folder.name)
    notebook = nbformat.read(RESULTS / "analysis.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(RESULTS)}}).execute()
    pictures = [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) >= 4
    assert folder.name in json.dumps(notebook.cells)
