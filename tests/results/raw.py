# SPDX-License-Identifier: MIT
"""The committed runs, and their samples read without the lab's own analysis."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from lab.core.paths import ROOT

Cells = dict[tuple[str, ...], list[float]]


GIT = bool(shutil.which("git")) and (ROOT / ".git").exists()
"""Whether git can say what is committed."""


def listed(*patterns: str) -> list[str]:
    """The files of the checkout that git tracks, by their path in it."""
    argv = ["git", "-C", str(ROOT), "ls-files", "-z", *patterns]
    return sorted(filter(None, subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split("\0")))


def committed() -> list[Path]:
    """The runs that came with the checkout, not those that were made in it since; without git all runs there."""
    pattern = "results/*/meta.json"
    return [(ROOT / path).parent for path in (listed(pattern) if GIT else sorted(map(str, ROOT.glob(pattern))))]


@cache
def samples(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()]


def read(folder: Path, metric: str, end: str, key: Callable[[dict[str, Any]], tuple[str, ...]]) -> Cells:
    """The values of a metric by cell, off the lines of the run, with nothing of the lab's own analysis."""
    found: Cells = {}
    for sample in samples(folder):
        for reading in sample.get("readings", []):
            if (sample["outcome"], reading["metric"], reading["end"]) == ("ok", metric, end):
                found.setdefault(key(sample), []).append(reading["value"])
    return found


IDLE = ("20261130-203455-fzp", "20261130-204714-fzu")
"""The runs over bad wires: a machine that waits for most of a load has no cost."""
FEW = (
    "20261130-102155-gdk",
    "20261130-113458-sqa",
    "20261130-114628-tyk",
    "20261130-161912-fwg",
    "20261130-200755-yrw",
    *IDLE,
)
"""The runs of few data paths in one ciphersuite."""
