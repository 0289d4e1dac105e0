# SPDX-License-Identifier: MIT
"""Ctrl-C, SIGTERM or SIGHUP at any moment: stop once, then clean up undisturbed. And one measuring lab at a time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


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
