# SPDX-License-Identifier: MIT
"""The folders of this user's guests: their sockets and locks."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.core.errors import LabError


def directory(name: str) -> Path:
    """The folder of a guest's sockets. Only this user can read it."""
    return runtime() / name


def runtime() -> Path:
    """The folder of all guests' sockets. It is made if there is none.

    Raises:
        LabError: another user made it or can write to it, and could then pretend to be the engine.
    """
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or ("/run" if os.getuid() == 0 else "/tmp"))  # noqa: S108 -- see below
    folder = base / (f"lab-vm-{os.getuid()}" if base == Path("/tmp") else "lab-vm")  # noqa: S108
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise LabError(f"{folder} is not this user's alone", "remove it, or set XDG_RUNTIME_DIR")
    return folder


@contextmanager
def locked(what: str, say: Callable[[str], object] = str, meanwhile: str = "") -> Iterator[None]:
    """Hold a lock among this user's labs; wait until it is free, and say what is done `meanwhile`."""
    with (runtime() / f".{what}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"guest: waiting: {meanwhile}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def answers_in(folder: Path) -> bool:
    """Whether a process listens at a guest's socket. It may be a guest of another engine, unknown here."""
    with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
        connection.connect(str(folder / "docker.sock"))
        return True
    return False
