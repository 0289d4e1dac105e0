# SPDX-License-Identifier: MIT
"""When the machine is not as it should be: no engine, no permission, no room, nowhere to write."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from .command import Lab, samples

pytestmark = pytest.mark.docker

PLAIN = ("matrix", "--vpns", "plain", "--measures", "handshake")
COMMANDS = [("status",), ("up", "--name", "e2e-none"), ("build",), (*PLAIN, "--blocks", "1")]


@pytest.fixture
def alone() -> tuple[str, ...]:
    """Words before a command that give it mounts of its own."""
    words = ("unshare", "--mount", "--propagation", "private")
    if os.geteuid() != 0 or subprocess.run([*words, "true"], check=False).returncode:
        pytest.skip("mounts of one's own need root")
    return words


def prepared(script: str) -> tuple[str, ...]:
    """Words before a command: a script that runs first."""
    return ("sh", "-ec", f'{script}\nexec "$@"', "sh")


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_docker_host_leads_nowhere(lab: Lab, words: tuple[str, ...], tmp_path: Path) -> None:
    done = lab(*words, DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert done.status == 1
    assert f"no Docker engine answers at DOCKER_HOST=unix://{tmp_path}/none.sock" in done.text
    assert "correct or unset DOCKER_HOST" in done.text
    assert "Traceback" not in done.text
    assert not lab.results.exists()


def test_doctor_without_docker(lab: Lab, tmp_path: Path) -> None:
    done = lab("doctor", "--json", DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert done.status == 1
    (row,) = (row for row in done.json() if row["what"] == "Docker engine")
    assert row["state"] == "missing"
    assert row["fix"]


def test_docker_is_missing(lab: Lab, alone: tuple[str, ...]) -> None:
    wrap = (*alone, *prepared("mount -t tmpfs none /run"))
    done = lab("status", wrap=wrap, DOCKER_HOST=None)
    assert done.status == 1
    assert "/var/run/docker.sock does not exist" in done.text
    assert "`make setup`" in done.text


MAKE_SOCKET = "import socket; socket.socket(socket.AF_UNIX).bind('/run/docker.sock')"


def test_docker_is_not_running(lab: Lab, alone: tuple[str, ...]) -> None:
    script = f'mount -t tmpfs none /run; python3 -c "{MAKE_SOCKET}"'
    done = lab("status", wrap=(*alone, *prepared(script)), DOCKER_HOST=None)
    assert done.status == 1
    assert "the Docker engine does not answer at /var/run/docker.sock" in done.text
    assert "`make setup`" in done.text


def test_docker_is_not_permitted(lab: Lab, alone: tuple[str, ...]) -> None:
    """Root without capabilities is anybody: the socket belongs to somebody else."""
    script = f"""
    mount -t tmpfs none /run
    python3 -c "{MAKE_SOCKET}"
    chown 65534:65534 /run/docker.sock
    chmod 600 /run/docker.sock
    """
    nobody = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")
    done = lab("status", wrap=(*alone, *prepared(script), *nobody), DOCKER_HOST=None)
    assert done.status == 1
    assert "no permission to use /var/run/docker.sock" in done.text
    assert "`docker`" in done.text


def test_results_cannot_be_written(lab: Lab, alone: tuple[str, ...]) -> None:
    lab.results.mkdir()
    script = f"mount --bind '{lab.results}' '{lab.results}'; mount -o remount,bind,ro '{lab.results}'"
    done = lab(*PLAIN, "--blocks", "1", wrap=(*alone, *prepared(script)))
    assert done.status == 1
    assert f"{lab.results}/" in done.text
    assert "cannot be written: Read-only file system" in done.text
    assert "--results" in done.text
    assert not list(lab.results.iterdir())


def test_results_are_no_folder(lab: Lab) -> None:
    lab.results.write_text("a file")
    done = lab(*PLAIN, "--blocks", "1")
    assert done.status == 1
    assert "cannot be written" in done.text
    assert lab.results.read_text() == "a file"


def test_the_disk_fills_up(lab: Lab, alone: tuple[str, ...], tmp_path: Path) -> None:
    """Nothing that was measured is lost, and the run goes on once there is room."""
    kept = tmp_path / "kept"
    script = f"""
    mkdir -p '{lab.results}' '{kept}'
    mount -t tmpfs -o size=40k none '{lab.results}'
    "$@" || status=$?
    cp -r '{lab.results}/.' '{kept}'
    exit ${{status:-0}}
    """
    words = ("matrix", "--vpns", "plain", "--measures", "throughput", "--duration", "1", "--blocks", "6")
    done = lab(*words, wrap=(*alone, *prepared(script)))
    assert done.status == 1, done.text
    assert "samples.jsonl cannot be written: No space left on device" in done.text
    told = [line for line in done.text.splitlines() if "/6 block" in line]
    lab.results = kept
    folder = lab.run()
    whole = samples(folder)
    assert 0 < len(told) == len(whole) < 6
    assert f"`--resume {folder.name}`" in done.text

    lab.ok("matrix", "--no-report", "--resume", folder.name)
    after = samples(folder)
    assert after[: len(whole)] == whole
    assert [sample["block"] for sample in after] == list(range(6))
    assert {sample["outcome"] for sample in after} == {"ok"}


def test_a_report_cannot_be_written(lab: Lab, alone: tuple[str, ...]) -> None:
    lab.ok(*PLAIN, "--blocks", "1", "--no-report")
    folder = lab.run()
    script = f"mount --bind '{folder}' '{folder}'; mount -o remount,bind,ro '{folder}'"
    done = lab("report", folder.name, wrap=(*alone, *prepared(script)))
    assert done.status == 1
    assert "cannot be written: Read-only file system" in done.text
    assert "Traceback" not in done.text
