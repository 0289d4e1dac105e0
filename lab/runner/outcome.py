# SPDX-License-Identifier: MIT
"""The outcome of a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.core.errors import InvalidSample, Unsupported

OUTCOMES: dict[type[Exception], str] = {Unsupported: "unsupported", InvalidSample: "invalid"}
"""The outcome of a sample by the error that ended it. Any other error of the lab means `failed`."""


def outcomes(samples: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The number of samples by outcome."""
    counts: dict[str, int] = {}
    for sample in samples:
        counts[sample["outcome"]] = counts.get(sample["outcome"], 0) + 1
    return counts
