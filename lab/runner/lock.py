# SPDX-License-Identifier: MIT
"""One measuring lab at a time on a machine: two would measure each other."""

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
"""Held while a run measures. LAB_LOCK names another where this one cannot be had."""


SAYS = re.compile(rb"[\w ,.:-]{1,200}\n")
"""What a holder of the lock says in it; anybody may write there, and whatever else it holds is not shown."""


@contextmanager
def alone(clock: str = "wall") -> Iterator[Callable[[str], None]]:
    """Hold the machine for measuring: two runs at once would measure each other. Yields a way to say what is measured.

    Runs on the clock "instructions" may be beside each other: it does not notice the machine's load.

    Raises:
        LabError: another lab is measuring; says which. Or the lock cannot be had.
    """
    lock = _locked(fcntl.LOCK_SH if clock == "instructions" else fcntl.LOCK_EX)

    def say(what: str) -> None:
        with suppress(OSError):  # who may hold it and not write to it says nothing
            os.ftruncate(lock, 0)
            os.pwrite(lock, what.encode(), 0)

    try:
        say(f"a run that is being prepared, process {os.getpid()}\n")
        yield lambda what: say(f"{what}, process {os.getpid()}\n")
    finally:
        say("")
        os.close(lock)


def _locked(how: int) -> int:
    """The lock's file, held; its descriptor."""
    while True:
        descriptor = _opened()
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), LOCK.lstat()):
                return descriptor
        except BlockingIOError as error:
            said = SAYS.fullmatch(os.pread(descriptor, 256, 0))
            os.close(descriptor)
            raise LabError(
                "another lab is measuring on this machine: "
                + (said[0].decode().strip() if said else "it has not said which"),
                "wait for it, or stop it: two at once would measure each other",
            ) from error
        except FileNotFoundError:
            pass
        os.close(descriptor)  # somebody removed it meanwhile: the next would hold another


def _opened() -> int:
    """The lock's file, whoever made it: any user may hold it, and who may write to it says what is measured.

    What else somebody may have put there (a link, a pipe, another name of a file) is refused.
    """
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        try:
            # Where all may write, the kernel opens nobody else's file with O_CREAT (fs.protected_regular).
            descriptor = os.open(LOCK, flags | (os.O_RDWR if os.access(LOCK, os.W_OK) else os.O_RDONLY))
        except FileNotFoundError:
            with suppress(FileExistsError):
                os.close(os.open(LOCK, flags | os.O_CREAT | os.O_EXCL, 0o666))
            return _opened()
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is no plain file with one name")
        if found.st_uid == os.geteuid():
            os.fchmod(descriptor, 0o666)  # whatever the umask says
    except OSError as error:
        owner = f", which is user {LOCK.lstat().st_uid}'s," if os.path.lexists(LOCK) else ""
        raise LabError(
            f"{LOCK}{owner} cannot be opened: {error.strerror}", "have it removed, or name another with LAB_LOCK"
        ) from error
    return descriptor
