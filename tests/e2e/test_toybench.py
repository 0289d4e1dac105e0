# SPDX-License-Identifier: MIT
"""A bench is added by adding a folder: a command, a plan, resume, a CSV, a page and comparisons come by that alone."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.core.paths import ROOT

from .command import Lab, samples

pytestmark = pytest.mark.docker

TOY = Path(__file__).parent / "toybench"


@pytest.fixture
def sums(lab: Lab, tmp_path: Path) -> Lab:
    """The command of a checkout that has one bench more."""
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "lab", checkout / "lab", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(TOY, checkout / "lab" / "benches" / "sums", ignore=shutil.ignore_patterns("__pycache__"))
    lab.environment |= {"PYTHONPATH": str(checkout), "PYTHONSAFEPATH": "1", "LAB_ROOT": str(ROOT)}
    lab.program = (sys.executable, "-m", "lab")
    return lab


def test_a_folder_is_all_that_it_takes(sums: Lab) -> None:
    assert "sums" in sums.ok("--help").text
    assert "--programs" in sums.ok("sums", "--help").text
    refused = sums("sums", "--size", "many")
    assert (refused.status, "--size: 'many' is not a size" in refused.text) == (2, True)

    planned = sums.ok("sums", "--blocks", "3", "--dry-run", "--json").json()
    assert {row["program"]: row["samples"] for row in planned["subjects"]} == {
        "sha256sum": 3, "md5sum": 3, "nonesuch": 3}  # fmt: skip
    assert planned["at_least"]
    assert not sums.results.exists()

    text = sums.ok("sums", "--blocks", "3", "--size", "2MB").text
    folder = sums.run()
    assert folder.name.startswith("sums-")
    kept = samples(folder)
    assert len(kept) == 9
    assert {(each["program"], each["outcome"]) for each in kept} == {
        ("sha256sum", "ok"), ("md5sum", "ok"), ("nonesuch", "unsupported")}  # fmt: skip
    assert all({"open", "sample", "measure"} <= set(each["phases"]) for each in kept)
    assert "3 unsupported: nonesuch stdin none sum size=2000000: there is no nonesuch" in text
    assert "9/9 block 3" in text
    with (folder / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9
    assert {(row["program"], row["input"], row["size"]) for row in rows if row["metric"]} == {
        ("sha256sum", "stdin", "2000000"), ("md5sum", "stdin", "2000000")}  # fmt: skip
    assert "md5sum stdin" in (folder / "report.html").read_text()

    whole = (folder / "samples.jsonl").read_text().splitlines(keepends=True)
    (folder / "samples.jsonl").write_text("".join(whole[:-2]))
    left = sums.ok("sums", "--resume", folder.name, "--dry-run", "--json").json()
    assert (left["samples"], left["at_least"], left["based_on"]) == (2, False, [folder.name])
    listed = sums.ok("list", "runs", "--json").json()
    assert [(row["kind"], row["missing"], row["finished"]) for row in listed] == [("sums", 2, False)]
    sums.ok("sums", "--no-report", "--resume", folder.name)
    assert samples(folder)[:7] == kept[:7]
    assert len(samples(folder)) == 9

    told = json.loads(sums.ok("report", folder.name, "--json").text)
    assert {row["n"] for row in told["summary"]} == {3}
    compared = json.loads(sums.ok("compare", folder.name, folder.name, "--json").text)
    assert {row["ratio"] for row in compared["cells"]} == {1}
    assert sums.ok("thesis", folder.name).text


def test_a_lab_without_it_says_so(sums: Lab) -> None:
    sums.ok("sums", "--blocks", "1", "--programs", "md5sum", "--no-report")
    done = subprocess.run(
        [sys.executable, "-m", "lab", "report", sums.run().name, "--results", str(sums.results)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "meta.json: kind: there is no bench 'sums'" in done.stderr
    assert "this lab has: crypto, ktls, matrix" in done.stderr
