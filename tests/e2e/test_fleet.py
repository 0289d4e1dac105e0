# SPDX-License-Identifier: MIT
"""playbooks/fleet.yml and matrix.yml on this machine: a fleet of one, a run that is brought home, and nothing left."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.core.paths import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """One machine, this one, which keeps everything in a folder of the test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "ansible_connection": "local", "ansible_python_interpreter": sys.executable, "fleet_address": "127.0.0.1",
        "fleet_port": port, "fleet_user": getpass.getuser(), "fleet_become": "false", "fleet_systemd": "false",
        "fleet_home": tmp_path / "opt", "fleet_etc": tmp_path / "etc",
        "fleet_var": tmp_path / "var", "fleet_keys": tmp_path / "keys",
        "fleet_python": Path(sys.base_prefix) / "bin" / "python3",
        "fleet_environment": json.dumps({"LAB_LOCK": str(tmp_path / "lock")}),
    }  # fmt: skip
    lines = ["[lab_scheduler]", "one", "[lab_workers]", "one", "[all:vars]"]
    path = tmp_path / "fleet.ini"
    path.write_text("\n".join([*lines, *(f"{name}={value}" for name, value in settings.items())]))
    return path


@pytest.fixture
def playbook(inventory: Path, images: None) -> Iterator[Playbook]:
    there = Playbook(inventory)
    yield there
    there("fleet.yml", fleet_state="absent")


class Playbook:
    """Carries a playbook out. Returns what it printed, and how many things it changed."""

    def __init__(self, inventory: Path) -> None:
        self.inventory = inventory

    def __call__(self, name: str, **variables: str) -> tuple[str, int]:
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "--inventory", str(self.inventory)]
        command += ["--extra-vars", json.dumps(variables), str(ROOT / "playbooks" / name)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("DASK_", "LAB_"))}
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout, sum(map(int, re.findall(r"changed=(\d+)", done.stdout)))


def processes(folder: Path) -> list[str]:
    """The processes whose program is in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if str(folder) in words.split(" ")[0] or f"{folder}/.venv" in words:
            found.append(words)
    return found


def test_a_fleet_is_made_once_carries_a_plan_out_and_goes_without_a_trace(playbook: Playbook, tmp_path: Path) -> None:
    _, changed = playbook("fleet.yml")
    assert changed
    _, changed = playbook("fleet.yml")
    assert changed == 0
    for path in (tmp_path / "etc").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path

    plan = "--libraries openssl --places container --ciphers aes-128-gcm --sizes 1024 --blocks 2"
    playbook("matrix.yml", matrix_command="crypto", matrix=plan, matrix_home=str(tmp_path / "home"))
    (run,) = (tmp_path / "home").iterdir()
    kept = [json.loads(line) for line in (run / "samples.jsonl").read_text().splitlines()]
    assert [(sample["block"], sample["worker"], sample["outcome"]) for sample in kept] == [
        (0, "one", "ok"), (1, "one", "ok")]  # fmt: skip

    playbook("fleet.yml", fleet_state="absent")
    assert not processes(tmp_path / "opt")
    assert not (tmp_path / "opt").exists()
    assert not (tmp_path / "etc").exists()
    assert playbook("fleet.yml", fleet_state="absent")[1] == 0
