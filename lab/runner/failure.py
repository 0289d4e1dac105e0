# SPDX-License-Identifier: MIT
"""Why a sample failed, where something that it needs has stopped: that is the reason, not what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from lab.core.errors import NONSENSE, LabError, told


@contextmanager
def explained(stopped: Callable[[], str], logs: Callable[[], Mapping[str, str]] = dict) -> Iterator[None]:
    """Give whatever goes wrong the `logs`; and where something has `stopped`, that as its reason.

    Raises:
        LabError: something has stopped; or what was raised, with the logs.
    """
    try:
        yield
    except (LabError, *NONSENSE) as error:
        said = dict(logs())
        if ended := stopped():
            fault = LabError(f"{ended}: {told(error)}")
            fault.logs = said
            raise fault from error
        if isinstance(error, LabError):
            error.logs = said
        raise
