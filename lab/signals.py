"""Ctrl-C, SIGTERM or SIGHUP at any moment: stop once, then clean up undisturbed. And one measuring lab at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from lab.errors import EngineGone, LabError

if TYPE_CHECKING:
    from lab.store import Store

LOCK = Path(os.environ.get("LAB_LOCK") or "/run/lock/lab-measuring.lock")
"""Held while a run measures. LAB_LOCK names another where this one cannot be had."""

SAYS = re.compile(rb"[\w ,.:-]{1,200}\n")
"""What a holder of the lock says in it; anybody may write there, and whatever else it holds is not shown."""

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """SIGINT, SIGTERM or SIGHUP came. No exception of the lab's: no sample's outcome, and nothing may swallow it."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first of the signals into `Stopped` and ignore those after it: cleaning up takes a second.

    A terminal that goes sends SIGHUP, and `nohup` has it ignored from the start: so it stays.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        for which in STOPPING:
            signal.signal(which, signal.SIG_IGN)
        raise Stopped(signal.Signals(number).name)

    lasts = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    former = {which: signal.signal(which, stop) for which in STOPPING if not (lasts and which is signal.SIGHUP)}
    try:
        yield
    finally:
        for which, handler in former.items():
            signal.signal(which, handler)


@contextmanager
def resumable(command: str, store: Store) -> Iterator[None]:
    """Turn what ended a run of `lab <command>` before its time into what a person can do about it: go on with it.

    Raises:
        LabError: a signal came, or the engine is gone.
    """
    go_on = f"`lab {command} --resume {store.folder.name}` goes on"
    try:
        yield
    except Stopped as error:
        raise LabError(f"stopped by {error}; {_kept(store)}", go_on) from error
    except EngineGone as error:
        raise LabError(error.message, f"{_kept(store)}; {go_on}") from error


def _kept(store: Store) -> str:
    return f"{sum(1 for _ in store.read())} samples are kept in {store.folder}"


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put the signals that stop off until the block is left: half a clean-up is none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    former = {which: signal.signal(which, lambda number, _: came.append(number)) for which in STOPPING}
    try:
        yield
    finally:
        for which, handler in former.items():
            signal.signal(which, handler)
    if came:
        signal.raise_signal(came[0])


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
