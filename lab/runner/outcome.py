# SPDX-License-Identifier: MIT
"""How a sample ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.core.errors import InvalidSample, Unsupported

OUTCOMES: dict[type[Exception], str] = {Unsupported: "unsupported", InvalidSample: "invalid"}
"""The outcome of a sample by the error that ended it; any other error of the lab is a failure."""


def outcomes(samples: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many samples ended in each outcome."""
    counts: dict[str, int] = {}
    for sample in samples:
        counts[sample["outcome"]] = counts.get(sample["outcome"], 0) + 1
    return counts
