# SPDX-License-Identifier: MIT
"""A cell: the subject, the measure and the conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TUNNELS = "tunnels"
"""The condition that says how many clients a server has; without, it is a single tunnel."""
LOADS = "loads"
"""The condition that says how many of these tunnels carry the load; without, the first alone does."""


@dataclass(frozen=True)
class Cell:
    """vpn x variant x suite x measure x conditions; `conditions` as sorted `key=value` words."""

    vpn: str
    variant: str
    suite: str
    measure: str
    conditions: str = ""

    @property
    def subject(self) -> tuple[str, str, str]:
        """What is measured, without measure and conditions."""
        return self.vpn, self.variant, self.suite

    def __str__(self) -> str:
        return " ".join(word for word in (self.vpn, self.variant, self.suite, self.measure, self.conditions) if word)


def conditions_text(conditions: Mapping[str, object]) -> str:
    """`{"streams": 1, "direction": "up"}` as `direction=up streams=1`."""
    return " ".join(f"{key}={conditions[key]}" for key in sorted(conditions))


def parse_conditions(text: str) -> dict[str, str]:
    """The inverse of `conditions_text`; values are strings."""
    return dict(word.split("=", 1) for word in text.split())
