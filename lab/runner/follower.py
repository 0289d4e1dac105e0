# SPDX-License-Identifier: MIT
"""Whoever follows a run while it is carried out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from lab.runner.plan import Step


class Follower(Protocol):
    """Told of the run, and of each sample."""

    def start(self, todo: int, total: int) -> AbstractContextManager[None]:
        """`todo` of `total` samples are still to be taken."""

    def before(self, step: Step) -> None:
        """A sample begins."""

    def after(self, step: Step, sample: Mapping[str, Any]) -> None:
        """A sample is on the disk."""
