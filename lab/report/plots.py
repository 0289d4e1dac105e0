# SPDX-License-Identifier: MIT
"""What pictures have in common: how a series looks, what a picture says of itself, how it is saved.

Colours are Okabe and Ito's, told apart also by the colour-blind; markers, hatches and lightness tell series apart in
greyscale. A symbol is filled where records are processed in user space, hollow where in the kernel, half where in the
kernel when sending. Nothing in a file depends on when or where it was drawn.
"""
# ruff: noqa: RUF001 - en dashes and middle dots are what a reader of titles expects

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

from lab.stats import analysis

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lab.stats.summary import Summary

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#777777", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "p", "<", ">", "h")
"""Shapes with room inside: some are drawn hollow or half filled."""
HOLLOW = ("kernel", "kernel-tx")
"""Where records are processed if a symbol is not filled: hollow, or half."""
FILLED = "filled: records in user space, hollow: in the kernel, half: in the kernel when sending"
STYLE: Any = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
    "hatch.linewidth": 0.6, "svg.hashsalt": "lab", "svg.fonttype": "none", "figure.dpi": 100, "savefig.dpi": 110,
}  # fmt: skip
LOG_FROM = 12.0
"""A spread above which a linear axis would hide the slow end."""


def look(index: int, records: str = "user") -> dict[str, Any]:
    """How the `index`th series is drawn: no two of the first 81 have both colour and marker in common."""
    colour = COLOURS[index % len(COLOURS)]
    look = {"color": colour, "marker": MARKERS[(index + index // len(COLOURS)) % len(MARKERS)], "markersize": 5.4}
    if records not in HOLLOW:
        return look | {"markeredgecolor": "white", "markeredgewidth": 0.4}
    empty = (
        {"markerfacecolor": "white"} if records == "kernel" else {"fillstyle": "left", "markerfacecoloralt": "white"}
    )
    return look | {"markeredgecolor": colour, "markeredgewidth": 1.1, **empty}


def value_axis(axes: Axes, values: pd.Series[Any], label: str) -> None:
    """An x axis from 0, or a logarithmic one where the slow end could not be seen."""
    axes.grid(axis="x", color="#CCCCCC", linewidth=0.5, which="both")
    axes.set_axisbelow(True)
    positive = values[values > 0]
    if len(positive) and positive.max() / positive.min() > LOG_FROM:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        label += " (log scale)"
    else:
        axes.set_xlim(left=0)
    axes.set_xlabel(label)


def title(figure: Figure, run: Summary, text: str, said: str, n: Iterable[int]) -> None:
    """Head a picture with what it shows, how to read it, run, engine, clock, and how many samples a cell has.

    Raises:
        LabError: the run mixes engines or clocks.
    """
    sizes = sorted(set(n))
    count = "–".join(str(size) for size in (sizes if len(sizes) < 2 else (sizes[0], sizes[-1]))) or "0"
    lines = said.count("\n") + 1
    figure.suptitle(f"{text}\n" + "\n" * lines, x=0.01, ha="left", fontsize=12, fontweight="bold")
    figure.text(
        0.01, 1 - 0.34 / figure.get_figheight(), f"{said}\nrun {', '.join(run.runs)} · {run.where} · n {count}",
        ha="left", va="top", fontsize=8, color="#444444",
    )  # fmt: skip


def counts(summary: pd.DataFrame) -> list[int]:
    """Samples of each cell of a summary, in all its modes."""
    return [int(n) for n in summary.groupby([*analysis.CELL, *analysis.METRIC])["n"].sum()]


def slug(text: str) -> str:
    """`throughput direction=up streams=1` as `throughput-direction-up-streams-1`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def drawn(figure: Figure, kind: str) -> bytes:
    """A figure as `png` or `svg`, without date or version."""
    nameless = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    drawing = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(drawing, format=kind, metadata=nameless)
    return drawing.getvalue()
