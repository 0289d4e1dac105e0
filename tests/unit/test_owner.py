# SPDX-License-Identifier: MIT
"""Whose a thing on the engine is: what a killed lab left is swept, what somebody else holds is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.engines import ownership
from lab.engines.ownership import State


def test_a_persons_lab_stays_until_it_is_taken_down() -> None:
    assert ownership.state(ownership.labels("mine", held=False)[ownership.OWNER]) is State.UP


def test_what_this_process_holds() -> None:
    labels = ownership.labels("run")
    assert ownership.mark(labels, "lab-run-wire") == ownership.Mark("run", State.HELD)
    assert ownership.state(labels[ownership.OWNER]) is State.HELD


def test_a_process_that_has_ended_holds_nothing() -> None:
    say = "from lab.engines import ownership; print(ownership.this_process())"
    ended = subprocess.run([sys.executable, "-c", say], capture_output=True, text=True, check=True).stdout.strip()
    assert ownership.state(ended) is State.FORGOTTEN


def test_a_number_that_was_given_again_is_another_process() -> None:
    pid, started, where = ownership.this_process().split(":")
    assert ownership.state(f"{pid}:{int(started) + 1}:{where}") is State.FORGOTTEN


def test_nothing_is_known_of_processes_elsewhere() -> None:
    pid, started, where = ownership.this_process().split(":")
    assert ownership.state(f"{pid}:{started}:{where}0") is State.UP


OURS = ownership.labels("mine", held=False)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (None, "lab-mine-wire"),
        ({}, "lab-mine-wire"),
        ({"lab": "mine", "lab.engines.ownership": ownership.this_process()}, "lab-mine-wire"),
        ({ownership.NAME: "mine"}, "lab-mine-wire"),
        ({**OURS, ownership.OWNER: ""}, "lab-mine-wire"),
        ({**OURS, ownership.OWNER: "somebody"}, "lab-mine-wire"),
        ({**OURS, ownership.OWNER: "1:2"}, "lab-mine-wire"),
        ({**OURS, ownership.OWNER: "-1:2:ab-3"}, "lab-mine-wire"),
        ({**OURS, ownership.NAME: ""}, "lab--wire"),
        ({**OURS, ownership.NAME: "../mine"}, "lab-../mine-wire"),
        ({**OURS, ownership.NAME: "m ine"}, "lab-m ine-wire"),
        # Of an image that was committed from the lab's container: its containers carry the labels on.
        (OURS, "postgres"),
        (OURS, "lab-mineral-data"),
    ],
)
def test_what_cannot_be_read_is_not_ours(written: dict[str, str] | None, name: str) -> None:
    assert ownership.mark(written, name) is None


def test_what_can_be_read_is() -> None:
    assert ownership.mark({**OURS, "another": "label"}, "lab-mine-wire") == ownership.Mark("mine", State.UP)


HIDDEN = """
import os, sys
from lab.engines import ownership
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(os.path.exists(f"/proc/{sys.argv[1].partition(':')[0]}"), *map(ownership.state, sys.argv[1:]))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root hides processes")
def test_another_users_process_that_proc_hides_is_not_taken_for_dead() -> None:
    """Its lab would be swept while it measures."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    pid, started, where = ownership.this_process().split(":")
    argv = ["sh", "-c", 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', "sh", sys.executable, "-c", HIDDEN]
    done = subprocess.run(
        ["unshare", "--mount", *argv, f"{pid}:{started}:{where}", f"{ended.pid}:{started}:{where}"],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert done.stdout.strip() == f"False {State.HELD} {State.FORGOTTEN}", done.stderr
