# SPDX-License-Identifier: MIT
"""Whose a container, network or volume is: the labels that everything on the engine carries, and how they are read.

A label alone proves little: anybody may write one, and an image that was committed from a container hands its own on.
So a thing is a lab's where labels of a name space that nobody else writes say whose, and in words that can be read, and
where it is called as a thing of that lab is. Whatever else is not the lab's: it is neither shown nor touched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

SPACE = "linux-vpn-lab"
NAME = f"{SPACE}.name"
"""The label that names the lab a thing belongs to."""
OWNER = f"{SPACE}.owner"
"""The label that names the process that holds it, or says that a person does."""
ROLE = f"{SPACE}.role"
"""The label that says what a container of a lab is there for."""
PERSON = "a person"

CALLED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""What a lab or guest may be called: it becomes part of the names of containers and of a folder."""
_PROCESS = re.compile(r"(?P<pid>[1-9]\d*):(?P<started>\d+):(?P<where>[0-9a-f]+-\d+)", re.ASCII)


class State(StrEnum):
    """Whose a lab is: a person's until `lab down`, a running process's, or nobody's."""

    UP = "up"
    HELD = "held by a running lab"
    FORGOTTEN = "left behind by a killed run"


@dataclass(frozen=True)
class Mark:
    """What a thing's labels say: the lab that it belongs to, and whose that is."""

    lab: str
    state: State


def labels(name: str, *, held: bool = True) -> dict[str, str]:
    """The labels of what belongs to the lab `name`; `held` by this process until it ends."""
    return {NAME: name, OWNER: this_process() if held else PERSON}


def called(lab: str, part: str) -> str:
    """The engine's name for a thing of a lab."""
    return f"lab-{lab}-{part}"


def mark(written: Mapping[str, str] | None, name: str) -> Mark | None:
    """Whose the thing of that name is by its labels; None where it is not the lab's."""
    written = written or {}
    lab, whose = written.get(NAME, ""), state(written.get(OWNER))
    ours = whose and CALLED.fullmatch(lab) and name.startswith(called(lab, ""))
    return Mark(lab, whose) if whose and ours else None


def this_process() -> str:
    """This process, so that no later one is taken for it: its number, when it started (ticks since boot), and where."""
    return f"{os.getpid()}:{_started(os.getpid())}:{_here()}"


def state(owner: str | None) -> State | None:
    """What the owner's label of a thing says; None where that is nothing that a lab writes.

    Of processes elsewhere nothing is known: theirs is left to a person.
    """
    if owner == PERSON:
        return State.UP
    process = _PROCESS.fullmatch(owner or "")
    if process is None:
        return None
    if process["where"] != _here():
        return State.UP
    return State.HELD if _lives(int(process["pid"]), process["started"]) else State.FORGOTTEN


def _lives(pid: int, started: str) -> bool:
    """Whether a process lives. Of another user's that /proc hides (hidepid) only its number is known."""
    if found := _started(pid):
        return found == started
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return _started(pid) == started  # it came or went meanwhile


def _started(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _here() -> str:
    """This boot of this machine, and this process namespace of it: process numbers mean something only in there."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().partition("-")[0]
    return f"{boot}-{Path('/proc/self/ns/pid').stat().st_ino}"
