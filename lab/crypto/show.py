"""Tables and the picture of a run: in the shape of the thesis's tables 3.8 to 3.14, and beside them."""
# ruff: noqa: RUF001 - en dashes and middle dots are what a reader of tables expects

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from lab import analysis, files, plots, report, tables, terminal, thesis
from lab.crypto import beside, frame, libraries
from lab.crypto.places import PLACES
from lab.inference import MIN_SAMPLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.console import Console

    from lab.store import Store

MEGABYTE = 1e6
PICTURE = "crypto.png"
LINES = {"host": "--", "container": "-"}
DETECTED = ("ssse3", "aes", "pclmulqdq", "avx", "avx2", "avx512f", "vaes", "vpclmulqdq", "gfni", "sha_ni")
"""The processor's flags that decide which code path a library takes."""


def write(store: Store, console: Console, *, as_json: bool = False) -> None:
    """Derive everything in the run's folder anew, and show it (as JSON where a program reads)."""
    df, meta = store.frame(), store.meta()
    frame.write_csv(store)
    if df.empty:
        report.nothing(
            store, console, as_json=as_json, implementations=meta.get("implementations", {}), speeds=[], ratios=[],
            outcomes=[],
        )  # fmt: skip
        return
    if not analysis.measured(df, frame.SPEEDS).empty:
        files.write(store.folder / PICTURE, plots.drawn(picture(df), "png"))
    if as_json:
        terminal.plain(as_text(df, meta), console)
        return
    for table in [*build(df, meta), *beside.build(df, thesis.load().ciphers)]:
        report.show(table, console)
    console.print(f"{store.folder} has {frame.CSV} and {PICTURE}", highlight=False, soft_wrap=True)


def build(df: pd.DataFrame, meta: Mapping[str, Any]) -> list[tables.Table]:
    """A table for each library, and the code path that it took."""
    known = libraries.load()
    names = [name for name in known if name in set(df["vpn"])]
    return [*(_speeds(df, known[name]) for name in names), _implementations(df, meta)]


def _speeds(df: pd.DataFrame, library: libraries.Library) -> tables.Table:
    """Suites by size: host / container, and container to host below it."""
    summary = frame.speeds(df)
    mine = summary[(summary["library"] == library.library) & summary["metric"].isin(["speed", "stitched"])]
    found = {(row.suite, row.metric, row.size, row.place): row for row in tables.each(mine)}
    ratio = {
        (row.suite, row.metric, row.size): row for row in tables.each(frame.ratios(df[df["vpn"] == library.library]))
    }
    samples = frame.tidy(df[df["vpn"] == library.library])
    sizes, notes = sorted(set(samples["size"])), tables.Notes()
    reasons = {(row.suite, row.size, row.place): f"{row.outcome}: {row.reason}"
               for row in tables.each(samples[samples["outcome"] != "ok"])}  # fmt: skip
    places = [place for place in PLACES if place in set(samples["place"])]
    lines = []
    for suite in tables.order(samples["suite"]):
        for metric in ("speed", "stitched"):
            if metric == "stitched" and not any(key[:2] == (suite, metric) for key in found):
                continue
            cells = [tables.Cell(suite if metric == "speed" else f"{suite}, {metric}")]
            for size in sizes:
                rows = [found.get((suite, metric, size, place)) for place in places]
                texts = [
                    _speed(row) if row else f"–{notes.mark(reasons.get((suite, size, place), ''))}"
                    for row, place in zip(rows, places, strict=True)
                ]
                quotient = ratio.get((suite, metric, size))
                texts = list(dict.fromkeys(texts)) if not any(rows) else texts
                below = f"\n× {quotient.median:.3f}" if quotient else ""
                cells.append(tables.Cell(" / ".join(texts) + below, "" if any(rows) else "unsupported"))
            lines.append(cells)
    counts = sorted(set(mine["n"]))
    title = f"{library.title}: MB/s of payload by bytes of payload, {' / '.join(places)}"
    said = [library.what.strip()]
    if counts:
        said.append(f"medians of {'–'.join(map(str, counts))} runs, by CPU time" + (
            "; below, container ÷ host within a run" if len(places) == 2 else ""))  # fmt: skip
        said += [] if min(counts) >= MIN_SAMPLES else [f"fewer than {MIN_SAMPLES} runs say nothing about spread"]
    columns = ["suite", *(f"{size} B" for size in sizes)]
    return tables.Table(f"crypto {library.library}", title, columns, lines, 1, said + notes.lines())


def _speed(row: Any) -> str:
    return tables.figure(row.median / MEGABYTE)


def _implementations(df: pd.DataFrame, meta: Mapping[str, Any]) -> tables.Table:
    """What each library says of itself in each place, and the processor's flags that it chooses by."""
    said: dict[str, list[str]] = {}
    for name, places in meta.get("implementations", {}).items():
        for place, facts in places.items():
            said.setdefault(f"{name}: {'; '.join(facts)}", []).append(place)
    notes = [f"{text} ({', '.join(places)})" for text, places in said.items()]
    machine = meta.get("machine", {})
    flags = set(str(machine.get("flags", "")).split())
    seen = ", ".join(flag for flag in DETECTED if flag in flags) or "none that matter here"
    notes.append(f"processor: {machine.get('cpu', 'unknown')}; of its flags: {seen}")
    busy = analysis.measured(df, "busy")["value"]
    if len(busy):
        notes.append(
            f"the benches that tell had a processor for {tables.percent(busy.median())} of their time (median)"
        )
    notes += analysis.retaken(df)
    return tables.Table("crypto implementations", "Which implementation ran", [], [], 0, notes)


def picture(df: pd.DataFrame) -> Figure:
    """Speed by size of payload, a panel for each library; the container's drawn through, the host's dashed."""
    summary = frame.speeds(df)
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
        said = f"medians of {count} runs; container drawn through, host dashed"
        run = ", ".join(sorted(set(df["run"].astype(str))))
        figure.suptitle(f"Raw cipher speed by payload\n{said} · run {run}", x=0.01, ha="left", fontsize=9)
        handles = {
            label: handle
            for axes in figure.axes
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        shown = [suite for suite in suites if suite in handles]
        figure.legend([handles[suite] for suite in shown], shown, loc="outside lower center", ncols=4, frameon=False)
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


def as_text(df: pd.DataFrame, meta: Mapping[str, Any]) -> str:
    """Speeds (B/s), ratios of container to host, and the outcome of every cell, as JSON."""

    def rows(table: pd.DataFrame) -> Any:
        return json.loads(table.to_json(orient="records", double_precision=10))

    ended = frame.tidy(df).drop_duplicates(["run", "block", "library", "place", "suite", "size", "outcome", "reason"])
    keys = ["library", "place", "suite", "size", "outcome", "reason"]
    return json.dumps(
        {
            "run": sorted(set(df["run"])),
            "implementations": meta.get("implementations", {}),
            "retaken": len(analysis.attempts(df)),
            "speeds": rows(frame.speeds(df)),
            "ratios": rows(frame.ratios(df)),
            "outcomes": rows(ended.groupby(keys, sort=True).size().rename("n").reset_index()),
        },
        indent=1,
    )
