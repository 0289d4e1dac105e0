"""Whose a thing on the engine is: what a killed lab left is swept, what somebody else holds is not."""

from __future__ import annotations

import subprocess
import sys

from lab import owner
from lab.owner import State


def test_a_persons_lab_has_no_owner() -> None:
    assert owner.labels("mine", held=False) == {"lab": "mine"}
    assert owner.state(None) is State.UP


def test_what_this_process_holds() -> None:
    labels = owner.labels("run")
    assert labels["lab"] == "run"
    assert owner.state(labels["lab.owner"]) is State.HELD


def test_a_process_that_has_ended_holds_nothing() -> None:
    say = "from lab import owner; print(owner.this_process())"
    ended = subprocess.run([sys.executable, "-c", say], capture_output=True, text=True, check=True).stdout.strip()
    assert owner.state(ended) is State.FORGOTTEN


def test_a_number_that_was_given_again_is_another_process() -> None:
    pid, started, where = owner.this_process().split(":")
    assert owner.state(f"{pid}:{int(started) + 1}:{where}") is State.FORGOTTEN


def test_nothing_is_known_of_processes_elsewhere() -> None:
    pid, started, where = owner.this_process().split(":")
    assert owner.state(f"{pid}:{started}:{where}0") is State.UP
