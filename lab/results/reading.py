# SPDX-License-Identifier: MIT
"""One figure of a sample."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """One figure: `metric` at `end` (an endpoint, or `machine`), in `unit`. Raises ValueError: it is not finite."""

    metric: str
    unit: str
    end: str
    value: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"{self.metric} of {self.end} is {self.value}")
