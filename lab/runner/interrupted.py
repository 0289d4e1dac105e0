# SPDX-License-Identifier: MIT
"""If a run ends early, say how to resume it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab.core.errors import EngineGone, LabError
from lab.core.signals import Stopped
from lab.results.store import Store


@contextmanager
def resumable(command: str, store: Store) -> Iterator[None]:
    """Raise an error that says how to resume a run of `lab <command>`, if the run ends early.

    Raises:
        LabError: a signal came, or the engine is gone.
    """
    resume = f"`lab {command} --resume {store.folder.name}` resumes the run"
    try:
        yield
    except Stopped as error:
        raise LabError(f"stopped by {error}; {_kept(store)}", resume) from error
    except EngineGone as error:
        raise LabError(error.message, f"{_kept(store)}; {resume}") from error


def _kept(store: Store) -> str:
    return f"{sum(1 for _ in store.read())} samples are kept in {store.folder}"
