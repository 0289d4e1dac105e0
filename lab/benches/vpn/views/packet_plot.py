# SPDX-License-Identifier: MIT
"""The picture of instructions by packet size: a line for each data path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from lab.benches.vpn.views import packet_cost
from lab.report import plots, tables

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from lab.stats.summary import Summary

SUITES = 6
"""The number of ciphersuites shown: those that most data paths have. The table has all."""
DASHES = {"kernel": "--", "kernel-tx": "-."}
"""The line style by where records are processed; solid for user space."""


def draw(run: Summary) -> Figure:
    """A panel for each suite; the control is grey in all of them."""
    summary = packet_cost.of_machine(packet_cost.sized(run)).assign(series=tables.series)
    control = summary[summary["vpn"] == run.control]
    others = summary.drop(control.index)
    suites = packet_cost.shared_suites(others if len(others) else summary, SUITES)
    names = tables.order((others if len(others) else summary)["series"])
    with mpl.rc_context(plots.STYLE):
        height = 2.1 + 0.18 * -(-len(names) // 4) + 2.9 * len(suites)
        figure = Figure(figsize=(9.5, height), layout="constrained")
        panels = figure.subplots(len(suites), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for axes, suite in zip(panels, suites, strict=True):
            suite_rows = summary[summary["suite"] == suite]
            for index, name in enumerate(names):
                _line(axes, suite_rows[suite_rows["series"] == name], plots.look(index, _records(suite_rows, name)))
            _control(axes, control)
            axes.set_title(suite, fontsize=10)
            axes.set_ylim(bottom=0)
            axes.set_xticks(sorted(set(summary["size"])))
            axes.grid(color="#CCCCCC", linewidth=0.5)
            axes.set_axisbelow(True)
            axes.set_ylabel("instructions by packet")
        panels[-1].set_xlabel("size of an IP packet, bytes")
        subtitle = f"median (symbol); {plots.FILLED}\n"
        subtitle += f"the {len(suites)} of {others['suite'].nunique()} suites that most data paths have"
        subtitle += "; grey: no VPN" if len(control) else ""
        plots.title(figure, run, "Instructions by packet and its size", subtitle, plots.counts(summary))
        handles: dict[str, Any] = {}
        for axes in panels:
            handles |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        labels = tables.order(handles)
        figure.legend([handles[name] for name in labels], labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _records(here: pd.DataFrame, name: str) -> str:
    records = here.loc[here["series"] == name, "records"]
    return str(records.iloc[0]) if len(records) else "user"


def _line(axes: Axes, points: pd.DataFrame, look: dict[str, Any]) -> None:
    """One data path: a line through its sizes; each further mode of a size is one more symbol."""
    if points.empty:
        return
    lead = points.drop_duplicates("size").sort_values("size")
    style = DASHES.get(lead["records"].iloc[0], "-")
    name = lead["series"].iloc[0]
    axes.plot(lead["size"], lead["median"], linestyle=style, linewidth=1.1, label=name, **look)
    rest = points.drop(lead.index)
    axes.plot(rest["size"], rest["median"], linestyle="", **look)


def _control(axes: Axes, points: pd.DataFrame) -> None:
    if len(points):
        lead = points.drop_duplicates("size").sort_values("size")
        axes.plot(lead["size"], lead["median"], color="#999999", linestyle=":", label=lead["series"].iloc[0])
