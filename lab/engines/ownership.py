# SPDX-License-Identifier: MIT
"""The owner of a container, network or volume: the labels of all objects that the lab makes, and how to read them.

A label alone proves little: anybody may write one, and an image committed from a container passes the container's
labels on. So a thing is a lab's only if its labels, in a name space of the lab's own, are valid, and its name is one
that this lab would give. Everything else is not the lab's: it is neither shown nor touched.
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
"""The label with the name of the lab that a thing belongs to."""
OWNER = f"{SPACE}.owner"
"""The label with the owner: a process, or a person."""
ROLE = f"{SPACE}.role"
"""The label with the role of a container in its lab."""
PERSON = "a person"

CALLED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""Valid names of a lab or guest. They become part of the names of containers and of a folder."""
_PROCESS = re.compile(r"(?P<pid>[1-9]\d*):(?P<started>\d+):(?P<where>[0-9a-f]+-\d+)", re.ASCII)


class State(StrEnum):
    """The owner of a lab: a person (until `lab down`), a running process, or nobody."""

    UP = "up"
    HELD = "held by a running lab"
    FORGOTTEN = "left behind by a killed run"


@dataclass(frozen=True)
class Mark:
    """The content of a thing's labels: its lab, and that lab's state."""

    lab: str
    state: State


def labels(name: str, *, held: bool = True) -> dict[str, str]:
    """The labels of things of the lab `name`. With `held`, this process owns them until it ends."""
    return {NAME: name, OWNER: this_process() if held else PERSON}


def called(lab: str, part: str) -> str:
    """The name of a thing of a lab on the engine."""
    return f"lab-{lab}-{part}"


def mark(written: Mapping[str, str] | None, name: str) -> Mark | None:
    """The mark of a thing, from its labels `written` and its name; None if it is not a lab's."""
    written = written or {}
    lab, owner_state = written.get(NAME, ""), state(written.get(OWNER))
    is_ours = owner_state and CALLED.fullmatch(lab) and name.startswith(called(lab, ""))
    return Mark(lab, owner_state) if owner_state and is_ours else None


def this_process() -> str:
    """This process, unambiguously: its pid, its start time (ticks since boot), and the boot and pid namespace."""
    return f"{os.getpid()}:{_started(os.getpid())}:{_here()}"


def state(owner: str | None) -> State | None:
    """The state that an owner label means; None if no lab writes such a label.

    Nothing is known of processes on another machine or boot: their labs are left to a person.
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
    """Whether a process lives. If /proc hides it (hidepid: another user's process), only its pid is known."""
    if start_time := _started(pid):
        return start_time == started
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return _started(pid) == started  # it started or ended meanwhile


def _started(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _here() -> str:
    """This boot of this machine, and this pid namespace. A pid is unique only within them."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().partition("-")[0]
    return f"{boot}-{Path('/proc/self/ns/pid').stat().st_ino}"
