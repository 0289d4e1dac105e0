# SPDX-License-Identifier: MIT
"""The protocol of a follower, which shows a run while it is carried out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from lab.runner.plan import Step


class Follower(Protocol):
    """It is notified of the run and of each sample."""

    def start(self, todo: int, total: int) -> AbstractContextManager[None]:
        """A run starts or is resumed: `todo` of `total` samples are still to be taken."""

    def before(self, step: Step) -> None:
        """A sample starts."""

    def after(self, step: Step, sample: Mapping[str, Any]) -> None:
        """A sample is stored."""
