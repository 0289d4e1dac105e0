# SPDX-License-Identifier: MIT
"""Ctrl-C, SIGTERM or SIGHUP may come at any moment. The lab stops once, then cleans up undisturbed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """SIGINT, SIGTERM or SIGHUP came. It is no LabError: it is no outcome of a sample, and nothing may swallow it."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first signal into `Stopped` and ignore later ones: the clean-up takes a second.

    A terminal that closes sends SIGHUP. `nohup` ignores SIGHUP from the start; then it stays ignored.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        for stop_signal in STOPPING:
            signal.signal(stop_signal, signal.SIG_IGN)
        raise Stopped(signal.Signals(number).name)

    hangup_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    handlers = {
        stop_signal: signal.signal(stop_signal, stop)
        for stop_signal in STOPPING
        if not (hangup_ignored and stop_signal is signal.SIGHUP)
    }
    try:
        yield
    finally:
        for stop_signal, handler in handlers.items():
            signal.signal(stop_signal, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Defer the stop signals until the block ends, so that a clean-up is always complete."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pending: list[int] = []
    handlers = {
        stop_signal: signal.signal(stop_signal, lambda number, _: pending.append(number)) for stop_signal in STOPPING
    }
    try:
        yield
    finally:
        for stop_signal, handler in handlers.items():
            signal.signal(stop_signal, handler)
    if pending:
        signal.raise_signal(pending[0])
