# SPDX-License-Identifier: MIT
"""What is derived is written whole or not at all."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import lab
from lab.core import files
from lab.core.errors import LabError

FULL = """
import resource, signal, sys
from pathlib import Path
from lab.core import files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
files.write(Path(sys.argv[1]), "new" * 1000)
"""
"""A disk that takes 1000 bytes."""


def test_text_and_bytes(tmp_path: Path) -> None:
    assert files.write(tmp_path / "text", "\xf7\n").read_bytes() == b"\xc3\xb7\n"
    assert files.write(tmp_path / "text", b"\0").read_bytes() == b"\0"
    assert [path.name for path in tmp_path.iterdir()] == ["text"]


def test_where_there_is_no_room_the_former_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("former")
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=False)
    assert f"LabError: {path} cannot be written: File too large" in done.stderr
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]


def test_no_folder_no_file(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"r/meta\.json cannot be written: No such file") as caught:
        files.write(tmp_path / "r" / "meta.json", "")
    assert "--results" in caught.value.hint


WRITES = re.compile(r"""\.write_(?:text|bytes)\(|\.to_csv\((?!index=False, float)|\.savefig\((?!drawing)""")


def test_no_other_file_writes_one_in_place() -> None:
    """But a program's copy, in a folder of its own that goes with the run (`lab.benches.crypto.places`)."""
    sources = {path.name: path.read_text(encoding="utf-8") for path in Path(lab.__file__).parent.rglob("*.py")}
    assert {name: found for name, text in sources.items() if (found := WRITES.findall(text))} == {
        "places.py": [".write_bytes("]
    }
