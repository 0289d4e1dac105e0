# SPDX-License-Identifier: MIT
"""How the series of paths look: one colour for each path in every picture, shapes by way."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import altair as alt

from lab.benches.ktls import cells
from lab.report import plots

if TYPE_CHECKING:
    from collections.abc import Mapping


@cache
def colors() -> Mapping[str, str]:
    """The colour of each path, by the order of `cells.yaml`."""
    return dict(zip(cells.load().path, plots.COLORS, strict=False))


def color(path: str) -> str:
    """The colour of a path; of one that `cells.yaml` lacks, grey."""
    return colors().get(path, plots.GREY)


def records(path: str) -> str:
    """Where a path's records are processed; in user space, unless `cells.yaml` says otherwise."""
    known = cells.load().path.get(path)
    return known.records if known else "user"


def shape(scenario: str, path: str, way: str) -> str:
    """The shape of a series: no two of a scenario have it in common if their symbols are filled alike."""
    known = cells.load().scenario.get(scenario)
    ways = known.ways.items() if known else ()
    alike = [(other, each) for each, paths in ways for other in paths if records(other) == records(path)]
    place = alike.index((path, way)) if (path, way) in alike else len(alike)
    return plots.SHAPES[place % len(plots.SHAPES)]


def of(scenario: str, series: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """The encodings of symbols. `series` has the path and the way of each name, in the legend's order."""
    ranges = {
        alt.Stroke: [color(path) for path, _ in series.values()],
        alt.Fill: [plots.fill_color(color(path), records(path)) for path, _ in series.values()],
        alt.Shape: [shape(scenario, path, way) for path, way in series.values()],
    }
    return {
        channel.__name__.lower(): channel("series:N", title=None, scale=alt.Scale(domain=list(series), range=values))
        for channel, values in ranges.items()
    }
