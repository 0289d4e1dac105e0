# SPDX-License-Identifier: MIT
"""What pictures have in common: how a series looks, what a picture says of itself, how it is saved.

A picture is a Vega-Lite chart (Altair): the page shows it live, and `drawing` makes the same chart a PNG or an SVG.
Colours are Okabe and Ito's, told apart also by the colour-blind; shapes tell series apart in greyscale. A symbol is
filled where records are processed in user space, hollow where in the kernel, pale where in the kernel when sending.
Nothing in a file depends on when or where it was drawn.
"""
# ruff: noqa: RUF001 - en dashes and middle dots are what a reader of titles expects

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import altair as alt

from lab.stats import analysis

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from lab.stats.summary import Summary

Picture = alt.TopLevelMixin
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6D31", "#7F7F7F", "#B8A600")
SHAPES = (
    "circle", "square", "triangle-up", "diamond", "triangle-down", "triangle-right", "triangle-left", "cross", "wedge",
    "arrow",
)  # fmt: skip
PARTS = ("#0B3C5D", "#5FA3D0", "#C9C9C9")
"""Colours of stacked parts: dark, middle and light, so that greyscale keeps them apart."""
FILLED = "filled: records in user space; hollow: in the kernel; pale: in the kernel when sending"
GREY = "#8A8A8A"
"""The control, and what the thesis says."""
WIDTH = 640
"""The width of a picture of one panel, in pixels."""
LOG_FROM = 12.0
"""A spread above which a linear axis would hide the slow end."""
LABEL = 32
"""Pixels that the label of a payload takes."""


def color_scale(names: Sequence[str], groups: Mapping[str, str], known: Mapping[str, str]) -> alt.Scale:
    """The colour of each series: that of its group, which is `known`, or the next one that none has.

    `groups` has the group of each name: series of one VPN have one colour in every run, and shapes of their own.
    """
    chosen = dict(known)
    rest = [color for color in COLORS if color not in known.values()] or list(COLORS)
    for group in dict.fromkeys(groups[name] for name in names):
        chosen.setdefault(group, rest[len(chosen.keys() - known.keys()) % len(rest)])
    return alt.Scale(domain=list(names), range=[chosen[groups[name]] for name in names])


def shape_scale(names: Sequence[str], groups: Mapping[str, str]) -> alt.Scale:
    """The shape of each series: no two of one group have the same, up to ten."""
    count: dict[str, int] = {}
    shapes = []
    for name in names:
        number = count.setdefault(groups[name], 0)
        count[groups[name]] += 1
        shapes.append(SHAPES[number % len(SHAPES)])
    return alt.Scale(domain=list(names), range=shapes)


def symbols(colors: alt.Scale, shapes: alt.Scale, records: Iterable[str]) -> dict[str, Any]:
    """The encodings of symbols: stroke and fill by colour, shape, and how far they are filled by `records`."""
    return {
        "stroke": alt.Stroke("series:N", title=None, scale=colors),
        "fill": alt.Fill("series:N", title=None, scale=colors),
        "shape": alt.Shape("series:N", title=None, scale=shapes),
        "fillOpacity": records_fill(records),
    }


def tooltip(*fields: str) -> list[alt.Tooltip]:
    """What a mark says of itself. Altair takes bare names too, and is then ten times slower."""
    return [alt.Tooltip(field) for field in fields]


def records_fill(records: Iterable[str]) -> alt.FillOpacity:
    """How far a symbol is filled, by where records are processed."""
    opacity = {"user": 1.0, "kernel-tx": 0.35, "kernel": 0.0, "": 1.0}
    places = [place for place in opacity if place in set(records)]
    scale = alt.Scale(domain=places, range=[opacity[place] for place in places])
    return alt.FillOpacity("records:N", legend=None, scale=scale)


def value_scale(values: pd.Series[Any], title: str) -> tuple[alt.Scale, str, alt.Axis]:
    """A scale from 0, or a logarithmic one where the slow end could not be seen; its title; its axis.

    A logarithmic axis has a label at 1, 2 and 5 of each decade.
    """
    positive = values[values > 0]
    if len(positive) and positive.max() / positive.min() > LOG_FROM:
        steps = [step * 10.0**power for power in range(-6, 10) for step in (1, 2, 5)]
        ends = (float(positive.min()) / 1.1, float(positive.max()) * 1.1)
        shown = [step for step in steps if ends[0] <= step <= ends[1]]
        axis = alt.Axis(values=shown, format=".6~r", labelOverlap="greedy")
        return alt.Scale(type="log", domain=list(ends), nice=False), f"{title} (log scale)", axis
    return alt.Scale(zero=True), title, alt.Axis(format=".6~r")


def titled(chart: Any, run: Summary, text: str, notes: Iterable[str], n: Iterable[int]) -> Picture:
    """Head a picture with what it shows, how to read it, run, engine, clock, and how many samples a cell has."""
    sizes = sorted(set(n))
    count = "–".join(str(size) for size in (sizes if len(sizes) < 2 else (sizes[0], sizes[-1]))) or "0"
    lines = [*(note for note in notes if note), f"run {', '.join(run.runs)} · {run.where} · n {count}"]
    title = alt.TitleParams(
        text=text, subtitle=lines, anchor="start", frame="group", fontSize=15, subtitleFontSize=11, offset=10
    )
    config = alt.Config(
        view=alt.ViewConfig(strokeWidth=0),
        legend=alt.LegendConfig(orient="bottom", columns=4, symbolStrokeWidth=1.5, symbolOpacity=1, labelLimit=320),
        axis=alt.AxisConfig(labelLimit=320, domainColor="#BBBBBB", tickColor="#BBBBBB", grid=True, gridColor="#E3E3E3"),
    )
    # At once: every call of Altair's copies the whole picture.
    picture: Picture = chart.properties(title=title, config=config)
    return picture


def filled(records: Iterable[str]) -> str:
    """How to read filled and hollow symbols; nothing where all are alike."""
    return FILLED if set(records) & {"kernel", "kernel-tx"} else ""


def counts(summary: pd.DataFrame) -> list[int]:
    """Samples of each cell of a summary, in all its modes."""
    return [int(n) for n in summary.groupby([*analysis.CELL, *analysis.METRIC])["n"].sum()]


def slug(text: str) -> str:
    """`throughput direction=up streams=1` as `throughput-direction-up-streams-1`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def spec(picture: Picture) -> dict[str, Any]:
    """The Vega-Lite specification of a picture, its numbers as exact as anybody can see.

    It is not checked against Vega-Lite's schema, which takes longer than drawing it: the tests do that.
    """
    made = picture.to_dict(validate=False)
    for rows in made.get("datasets", {}).values():
        for row in rows:
            row.update({name: float(f"{value:.5g}") for name, value in row.items() if isinstance(value, float)})
    return made


def fill_color(color: str, records: str) -> str:
    """The fill of a symbol of this colour, by where records are processed: the colour, a pale one, or white.

    A legend shows it as the picture does, and no line shows through it.
    """
    part = {"kernel": 0.0, "kernel-tx": 0.35}.get(records, 1.0)
    parts = (255 - part * (255 - int(color[place : place + 2], 16)) for place in (1, 3, 5))
    return "#" + "".join(f"{round(value):02X}" for value in parts)


def payload_axis(sizes: Iterable[int], width: int, *, log: bool = False) -> alt.X:
    """The x axis `bytes of payload` of a panel so many pixels wide, a tick at each size.

    Sizes are labelled from the greatest down, but for those that have no room.
    """
    ticks = sorted(set(sizes))
    places = [math.log(size) if log else size for size in ticks]
    room = LABEL / width * (places[-1] - places[0])
    shown: list[int] = [len(ticks) - 1]
    for number in reversed(range(len(ticks) - 1)):
        if places[shown[-1]] - places[number] >= room:
            shown.append(number)
    kind: dict[str, Any] = {"type": "log", "base": 2} if log else {"zero": False}
    scale = alt.Scale(domain=[ticks[0], ticks[-1]], nice=False, padding=8, **kind)
    labelled = f"indexof({[ticks[number] for number in shown]}, datum.value) < 0 ? '' : datum.label"
    axis = alt.Axis(values=ticks, format="d", labelExpr=labelled, labelOverlap=False)
    return alt.X("payload:Q", title="bytes of payload", scale=scale, axis=axis)


def heading(text: str) -> alt.TitleParams:
    """The title of one of several panels."""
    return alt.TitleParams(text=text, fontSize=12, fontWeight="normal", anchor="start", frame="group")
