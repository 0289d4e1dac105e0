# SPDX-License-Identifier: MIT
"""Why a sample failed. If something that it needs has stopped, that is the reason, and not what followed from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from lab.core.errors import NONSENSE, LabError, reason_of


@contextmanager
def explained(stopped: Callable[[], str], logs: Callable[[], Mapping[str, str]] = dict) -> Iterator[None]:
    """Add the `logs` to an error of the block. If something has `stopped`, that becomes the error's reason.

    Raises:
        LabError: something has stopped; or the error of the block, with the logs.
    """
    try:
        yield
    except (LabError, *NONSENSE) as error:
        log_texts = dict(logs())
        if cause := stopped():
            failure = LabError(f"{cause}: {reason_of(error)}")
            failure.logs = log_texts
            raise failure from error
        if isinstance(error, LabError):
            error.logs = log_texts
        raise
