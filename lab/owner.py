"""Whose a container, network or volume is: the labels that everything on the engine carries."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path

LABEL = "lab"
"""The label that names the lab a thing belongs to."""
OWNER = "lab.owner"
"""The label that names the process that holds it; what a person keeps up has none."""


class State(StrEnum):
    """Whose a lab is: a person's until `lab down`, a running process's, or nobody's."""

    UP = "up"
    HELD = "held by a running lab"
    FORGOTTEN = "left behind by a killed run"


def labels(name: str, *, held: bool = True) -> dict[str, str]:
    """The labels of what belongs to the lab `name`; `held` by this process until it ends."""
    return {LABEL: name, OWNER: this_process()} if held else {LABEL: name}


def this_process() -> str:
    """This process, so that no later one is taken for it: its number, when it started (ticks since boot), and where."""
    return f"{os.getpid()}:{_started(os.getpid())}:{_here()}"


def state(owner: str | None) -> State:
    """What the owner's label of a thing says. Of processes elsewhere nothing is known: theirs is left to a person."""
    if owner is None:
        return State.UP
    pid, started, where = owner.split(":")
    if where != _here():
        return State.UP
    return State.HELD if _started(int(pid)) == started else State.FORGOTTEN


def _started(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _here() -> str:
    """This boot of this machine, and this process namespace of it: process numbers mean something only in there."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().partition("-")[0]
    return f"{boot}-{Path('/proc/self/ns/pid').stat().st_ino}"
