"""Ctrl-C and SIGTERM at any moment: stop once, then clean up undisturbed. And one measuring lab at a time."""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from lab.errors import LabError

LOCK = Path(tempfile.gettempdir()) / f"lab-measuring-{os.getuid()}.lock"


class Stopped(BaseException):
    """SIGINT or SIGTERM came. No exception of the lab's: no sample's outcome, and nothing may swallow it."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into `Stopped` and ignore those after it: cleaning up takes a second."""

    def stop(number: int, _frame: FrameType | None) -> None:
        for which in (signal.SIGINT, signal.SIGTERM):
            signal.signal(which, signal.SIG_IGN)
        raise Stopped(signal.Signals(number).name)

    former = {which: signal.signal(which, stop) for which in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for which, handler in former.items():
            signal.signal(which, handler)


@contextmanager
def alone() -> Iterator[Callable[[str], None]]:
    """Hold the machine for measuring: two runs at once would measure each other. Yields a way to say what is measured.

    Raises:
        LabError: another lab is measuring; says which.
    """
    with LOCK.open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise LabError(
                f"another lab is measuring on this machine: {lock.read().strip() or 'it has not said which'}",
                "wait for it, or stop it: two at once would measure each other",
            ) from error

        def say(what: str) -> None:
            lock.truncate(0)
            lock.write(f"{what}, process {os.getpid()}\n")
            lock.flush()

        say("a run that is being prepared")
        yield say
