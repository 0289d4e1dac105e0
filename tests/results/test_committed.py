"""The runs committed under results/, and the notebook over them: what the README shows must be what they hold."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from lab.catalog import ROOT, Catalog
from lab.store import Store

RESULTS = ROOT / "results"


def committed() -> list[Path]:
    """The runs that came with the checkout, not those that were made in it since."""
    argv = ["git", "-C", str(ROOT), "ls-files", "results/*/meta.json"]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    return [(ROOT / path).parent for path in sorted(listed)]


RUNS = committed()


def test_there_is_a_run() -> None:
    assert RUNS


@pytest.mark.parametrize("folder", RUNS, ids=lambda path: path.name)
def test_a_committed_run_is_whole(folder: Path, tmp_path: Path) -> None:
    """Every line is as it was written, every cell was measured in every block, and the CSV is what the samples say."""
    store = Store(folder)
    samples = list(store.read())
    blocks = range(store.meta()["settings"]["blocks"])
    taken = {(each["block"], each["position"]) for each in samples if each["position"] >= 0}
    positions = {position for _, position in taken}
    assert taken == {(block, position) for block in blocks for position in positions}
    assert all(each["reason"] for each in samples if each["outcome"] != "ok")
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
            whole.append(list(Store(folder).read()))
    assert whole
    for samples in whole:
        assert {each["outcome"] for each in samples} <= {"ok", "unsupported"}
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
