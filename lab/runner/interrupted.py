# SPDX-License-Identifier: MIT
"""What ended a run before its time, turned into how to go on with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab.core.errors import EngineGone, LabError
from lab.core.signals import Stopped
from lab.results.store import Store


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
