# SPDX-License-Identifier: MIT
"""What a measure declares of its figures: those that cells and runs are compared by, and which way they are better.

`meta.json` keeps the declarations of a run (`figures`, by measure), and each row of its frame says what its figure is.
So a run is shown as it was measured, whatever this version of the lab can measure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Better = Literal["more", "less", ""]


@dataclass(frozen=True)
class Quantity:
    """A figure: its metric, its unit, its name in titles, and which way it is better.

    Two runs are compared by every figure that is better one way. The first that a measure declares is its main one: it
    decides ranks and modes, and is what tables and pictures show.
    """

    metric: str
    unit: str
    name: str = ""
    better: Better = ""

    @property
    def title(self) -> str:
        """Its name in words."""
        return self.name or self.metric.replace("_", " ")

    @property
    def heading(self) -> str:
        """Its name at the beginning of a title."""
        return self.title[:1].upper() + self.title[1:]

    @property
    def words(self) -> tuple[str, str, str]:
        """What the better of two is called, the worse, and two that are the same."""
        rate = self.unit.endswith("/s")
        return ("faster", "slower", "equally fast") if rate else ("better", "worse", "equally good")

    def rank(self, value: float) -> float:
        """The less, the better the value."""
        return value if self.better == "less" else -value

    def __str__(self) -> str:
        return f"{self.metric} ({self.unit}{f', the {self.better} the better' if self.better else ''})"


MAIN, BETTER = "main", "better"
"""The extra columns of a run whose measures declare their figures: `yes` for a main figure, and `more` or `less`."""
YES = "yes"
DURATION, COST = Quantity("duration", "", better="less"), Quantity("cost", "", better="less")
UNDECLARED = (
    Quantity("throughput", "", better="more"),
    Quantity("rtt_p50", "", "round trip (median of a sample)", "less"),
    Quantity("handshake", "", "handshake (to the first byte through)", "less"),
    Quantity("instructions_per_packet", "", better="less"),
    DURATION,
    Quantity("speed", "", better="more"),
    Quantity("cost_record", "", better="less"),
    Quantity("checks", ""),
    COST,
)
"""Of a run that declares nothing, the main figure of a measure is the first of these that it has."""
BESIDE = (DURATION, COST)
"""What such runs are compared by beside it."""


def declared(meta: Mapping[str, Any]) -> dict[str, list[Quantity]]:
    """The figures that a run declares, by measure."""
    return {measure: [Quantity(**each) for each in figures] for measure, figures in (meta.get("figures") or {}).items()}


def undeclared(metrics: Sequence[str]) -> list[Quantity]:
    """What a measure with these metrics would have declared; the first of them is its main figure if none is known."""
    known = [each for each in UNDECLARED if each.metric in metrics][:1] or [Quantity(name, "") for name in metrics[:1]]
    return known + [each for each in BESIDE if each.metric in metrics and each.metric != known[0].metric]


def marks(figures: Mapping[str, Sequence[Quantity]]) -> dict[tuple[str, str], dict[str, str]]:
    """What the rows of each declared figure have in the columns MAIN and BETTER, by measure and metric."""
    return {
        (measure, each.metric): {MAIN: "" if place else YES, BETTER: each.better}
        for measure, its in figures.items()
        for place, each in enumerate(its)
    }
