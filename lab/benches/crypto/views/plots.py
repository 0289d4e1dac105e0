# SPDX-License-Identifier: MIT
"""The picture of a run: speed by payload size, a panel for each library."""
# ruff: noqa: RUF001 - en dashes and middle dots are what a reader of pictures expects

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from lab.benches.crypto import libraries
from lab.benches.crypto.views import frame
from lab.report import plots, tables

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lab.stats.summary import Summary

MEGABYTE = 1e6
LINES = {"host": "--", "container": "-"}


def picture(run: Summary) -> Figure:
    """Speed by payload size, a panel for each library; solid lines for the container, dashed for the host."""
    summary = frame.speeds(run)
    summary = summary[summary["metric"] == "speed"]
    names = [name for name in libraries.load() if name in set(summary["library"])]
    suites = tables.order(summary["suite"])
    with mpl.rc_context(plots.STYLE):
        figure = Figure(figsize=(2.2 + 3.6 * len(names), 4.4 + 0.19 * math.ceil(len(suites) / 4)), layout="constrained")
        for axes, name in zip(figure.subplots(1, len(names), sharey=True, squeeze=False)[0], names, strict=True):
            _panel(axes, summary[summary["library"] == name], suites)
            axes.set_title(libraries.load()[name].title, fontsize=10)
        figure.axes[0].set_ylabel("MB/s of payload (log scale)")
        count = "–".join(map(str, sorted(set(summary["n"]))))
        subtitle = f"medians of {count} runs; container drawn through, host dashed"
        figure.suptitle(
            f"Raw cipher speed by payload\n{subtitle} · run {', '.join(run.runs)}", x=0.01, ha="left", fontsize=9
        )
        handles = {
            label: handle
            for axes in figure.axes
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        labels = [suite for suite in suites if suite in handles]
        figure.legend([handles[suite] for suite in labels], labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _panel(axes: Axes, summary: pd.DataFrame, suites: list[str]) -> None:
    for index, suite in enumerate(suites):
        look: dict[str, Any] = {
            "color": plots.COLOURS[index % len(plots.COLOURS)],
            "marker": plots.MARKERS[index // len(plots.COLOURS) % len(plots.MARKERS)],
        }
        for place, line in LINES.items():
            rows = summary[(summary["suite"] == suite) & (summary["place"] == place)].sort_values("size")
            if len(rows):
                axes.plot(
                    rows["size"], rows["median"] / MEGABYTE, linestyle=line, label=suite, markersize=3.6, linewidth=1.1,
                    **look,
                )  # fmt: skip
    sizes = sorted(set(summary["size"]))
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xticks(sizes, [str(size) for size in sizes], rotation=45)
    axes.minorticks_off()
    axes.grid(color="#CCCCCC", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel("bytes of payload")
