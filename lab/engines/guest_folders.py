# SPDX-License-Identifier: MIT
"""The folders of this user's guests: where their sockets are, and whose turn it is."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.core.errors import LabError


def directory(name: str) -> Path:
    """Where the sockets of a guest are: readable by this user alone."""
    return runtime() / name


def runtime() -> Path:
    """The folder of all guests' sockets; made where there is none.

    Raises:
        LabError: somebody else has made it, who could then be the engine that the lab talks to.
    """
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or ("/run" if os.getuid() == 0 else "/tmp"))  # noqa: S108 -- see below
    folder = base / (f"lab-vm-{os.getuid()}" if base == Path("/tmp") else "lab-vm")  # noqa: S108
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise LabError(f"{folder} is not this user's alone", "remove it, or set XDG_RUNTIME_DIR")
    return folder


@contextmanager
def locked(what: str) -> Iterator[None]:
    """Wait for another lab of this user that is at the same."""
    with (runtime() / f".{what}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def answers_in(folder: Path) -> bool:
    """Whether somebody answers at a guest's socket: one of another engine of this machine is not seen here."""
    with socket.socket(socket.AF_UNIX) as line, suppress(OSError):
        line.connect(str(folder / "docker.sock"))
        return True
    return False
