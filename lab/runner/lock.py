# SPDX-License-Identifier: MIT
"""The lock of a machine: one lab measures at a time, since two would disturb each other."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.core.errors import LabError

LOCK = Path(os.environ.get("LAB_LOCK") or "/run/lock/lab-measuring.lock")
"""Held while a run measures. LAB_LOCK names another file."""
HOLDER = re.compile(rb"[\w ,.:-]{1,200}\n")
"""The text in the lock that names its holder. Any user may write there, so other text is not shown."""


@contextmanager
def alone(clock: str = "wall") -> Iterator[Callable[[str], None]]:
    """Hold the lock while the block measures. Yields a function that writes into the lock what is measured.

    Runs on the instruction clock may run at the same time, since that clock does not depend on the machine's load.

    Raises:
        LabError: another lab is measuring, and which; or the lock cannot be opened.
    """
    lock = _locked(fcntl.LOCK_SH if clock == "instructions" else fcntl.LOCK_EX)

    def write(text: str) -> None:
        with suppress(OSError):  # a user may be able to hold the lock but not to write to it
            os.ftruncate(lock, 0)
            os.pwrite(lock, text.encode(), 0)

    try:
        write(f"a run that is being prepared, process {os.getpid()}\n")
        yield lambda subject: write(f"{subject}, process {os.getpid()}\n")
    finally:
        write("")
        os.close(lock)


def _locked(mode: int) -> int:
    """Open and hold the lock's file. Returns its descriptor."""
    while True:
        descriptor = _opened()
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), LOCK.lstat()):
                return descriptor
        except BlockingIOError as error:
            holder = HOLDER.fullmatch(os.pread(descriptor, 256, 0))
            os.close(descriptor)
            name = holder[0].decode().strip() if holder else "not known which"
            raise LabError(
                f"another lab is measuring on this machine: {name}",
                "wait for it, or stop it: two at the same time would disturb each other",
            ) from error
        except FileNotFoundError:
            pass
        os.close(descriptor)  # the file was removed meanwhile: the next lab would hold another one


def _opened() -> int:
    """Open the lock's file, whichever user made it. Returns its descriptor.

    Anything else in its place (a link, a pipe, a file with several names) is refused.
    """
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        try:
            # In a folder where all may write, O_CREAT does not open another user's file (fs.protected_regular).
            descriptor = os.open(LOCK, flags | (os.O_RDWR if os.access(LOCK, os.W_OK) else os.O_RDONLY))
        except FileNotFoundError:
            with suppress(FileExistsError):
                os.close(os.open(LOCK, flags | os.O_CREAT | os.O_EXCL, 0o666))
            return _opened()
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is not a plain file with one name")
        if status.st_uid == os.geteuid():
            os.fchmod(descriptor, 0o666)  # whatever the umask is
    except OSError as error:
        owner = f" (of user {LOCK.lstat().st_uid})" if os.path.lexists(LOCK) else ""
        raise LabError(
            f"the lock {LOCK}{owner} cannot be opened: {error.strerror}",
            "remove it, or name another file with LAB_LOCK",
        ) from error
    return descriptor
