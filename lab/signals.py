"""Ctrl-C and SIGTERM at any moment: stop once, then clean up undisturbed. And one measuring lab at a time."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from lab.errors import EngineGone, LabError

if TYPE_CHECKING:
    from lab.store import Store

LOCK = Path(os.environ.get("LAB_LOCK") or "/run/lock/lab-measuring.lock")
"""Held while a run measures. LAB_LOCK names another where this one cannot be had."""

STOPPING = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """SIGINT or SIGTERM came. No exception of the lab's: no sample's outcome, and nothing may swallow it."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into `Stopped` and ignore those after it: cleaning up takes a second."""

    def stop(number: int, _frame: FrameType | None) -> None:
        for which in STOPPING:
            signal.signal(which, signal.SIG_IGN)
        raise Stopped(signal.Signals(number).name)

    former = {which: signal.signal(which, stop) for which in STOPPING}
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
    """Put SIGINT and SIGTERM off until the block is left: half a clean-up is none."""
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
        LabError: another lab is measuring; says which.
    """
    try:
        descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise LabError(f"{LOCK} cannot be opened: {error.strerror}", "name another with LAB_LOCK") from error
    with os.fdopen(descriptor, "r+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if clock == "instructions" else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise LabError(
                f"another lab is measuring on this machine: {lock.read().strip() or 'it has not said which'}",
                "wait for it, or stop it: two at once would measure each other",
            ) from error

        def say(what: str) -> None:
            lock.seek(0)
            lock.truncate()
            lock.write(f"{what}, process {os.getpid()}\n")
            lock.flush()

        say("a run that is being prepared")
        yield say
