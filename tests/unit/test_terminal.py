# SPDX-License-Identifier: MIT
"""What the command says where it cannot be said: a full disk, a reader that has gone, a locale without the letters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.catalog.catalog import Catalog

LAB = [sys.executable, "-m", "lab"]
SAYS = [["list", "vpns"], ["list", "vpns", "--json"], ["--help"]]


def environment(**more: str) -> dict[str, str]:
    quiet = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "NO_COLOR", "TERM")}
    return {**quiet, "DOCKER_HOST": "unix:///nonexistent/docker.sock", **more}


@pytest.mark.parametrize("words", SAYS, ids=" ".join)
def test_no_room_for_the_output(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*LAB, *words], stdout=full, stderr=subprocess.PIPE, env=environment(), text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "lab: the output: No space left on device\n")


@pytest.mark.parametrize("words", SAYS, ids=" ".join)
def test_a_reader_that_has_gone_is_not_shouted_at(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*LAB, *words], stdout=writer, stderr=subprocess.PIPE, env=environment(), text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_complaints_that_nobody_can_read_leave_the_exit_code() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*LAB, "matrix", "--vpns", "nonsense"], stderr=full, env=environment(), check=False)
    assert done.returncode == 2


@pytest.mark.parametrize(
    "locale",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}],
    ids=["ascii", "posix"],
)
def test_letters_that_the_locale_lacks(catalog: Catalog, tmp_path: Path, locale: dict[str, str]) -> None:
    (tmp_path / "lab" / "catalog").mkdir(parents=True)
    catalog.ciphers.rename(tmp_path / "lab" / "catalog" / "suites.yaml")
    path = tmp_path / "images" / "alpha" / "vpn.yaml"
    path.write_text(path.read_text().replace("title: Alpha", "title: \xc4lpha \xf7 Omega"), encoding="utf-8")
    for words in (["list", "vpns"], ["list", "vpns", "--json"], ["matrix", "--vpns", "\xe4lpha"]):
        done = subprocess.run(
            [*LAB, *words], capture_output=True, env=environment(LAB_ROOT=str(tmp_path), **locale), check=False
        )
        assert b"Traceback" not in done.stderr, done.stderr
        assert done.returncode == (2 if words[0] == "matrix" else 0)
        if "--json" in words:
            assert "\xc4lpha \xf7 Omega" in json.loads(done.stdout)[1]["what it is"]
        elif words[0] == "list":
            assert b"lpha ? Omega" in done.stdout


@pytest.mark.parametrize("words", [["list", "vpns", "--json"], ["list", "suites", "--json"]], ids=" ".join)
def test_what_a_program_reads_is_plain(words: list[str]) -> None:
    """A CI sets FORCE_COLOR for everything that it runs."""
    forced = environment(FORCE_COLOR="1", COLUMNS="20")
    done = subprocess.run([*LAB, *words], capture_output=True, env=forced, text=True, check=True)
    assert "\x1b" not in done.stdout
    assert json.loads(done.stdout)


def test_an_error_in_a_log_is_plain() -> None:
    forced = environment(FORCE_COLOR="1")
    done = subprocess.run([*LAB, "status", "--json"], capture_output=True, env=forced, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("lab: no Docker engine answers")
    assert "\x1b" not in done.stderr
