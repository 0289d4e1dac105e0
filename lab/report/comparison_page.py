# SPDX-License-Identifier: MIT
"""Two runs side by side as a page: the ratio of each cell with its interval as a picture, and the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt

from lab.core import files
from lab.report import comparison, plots, tables
from lab.report.page import Page
from lab.stats.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from lab.report.plots import Picture
    from lab.results.store import Store

VERDICTS = {"lower": "#D55E00", "undecided": "#B8A600", "tie": "#8A8A8A", "usual": "#5F5F5F", "higher": "#0072B2"}
"""The colour of each verdict on B against A."""


def write_page(path: Path, a: Store, b: Store, compared: pd.DataFrame, margin: float) -> Path:
    """Write the comparison of two runs (`comparison.compare`) to `path`.

    Raises:
        LabError: it cannot be written; names the file.
    """
    names = (a.folder.name, b.folder.name)
    facts = [
        (f"{side}: {name}", value) for side, store in (("A", a), ("B", b)) for name, value in tables.facts(store.meta())
    ]
    table = comparison.table(compared, names, margin)
    charts = {name: plots.spec(picture) for name, picture in pictures(compared, Summary.of(b), margin)}
    page = Page(f"B: {names[1]} against A: {names[0]}", [table], charts, facts)
    return files.write(path, page.text())


def pictures(compared: pd.DataFrame, run: Summary, margin: float) -> Iterator[tuple[str, Picture]]:
    """For each metric the ratio B / A of every cell that both have, with its interval; the lowest on top."""
    rows = compared[compared["ratio"].notna()]
    subject = ["vpn", "variant", "suite", "measure", "conditions"]
    names = [" ".join(filter(None, words)) for words in rows[subject].itertuples(index=False, name=None)]
    rows = rows.assign(cell=names)
    for metric, part in rows.groupby("metric", sort=True):
        yield plots.slug(f"ratio {metric}"), _ratios(part.sort_values("ratio"), str(metric), run, margin)


def _ratios(part: pd.DataFrame, metric: str, run: Summary, margin: float) -> Picture:
    scale = alt.Scale(type="log", nice=False, padding=10)
    verdicts = alt.Scale(domain=list(VERDICTS), range=list(VERDICTS.values()))
    cells = alt.Chart(part[["cell", "vpn", "suite", "records", "ratio", "low", "high", "n_a", "n_b", "verdict"]])
    lanes = {
        "y": alt.Y("cell:N", sort=part["cell"].tolist(), title=None),
        "color": alt.Color("verdict:N", title=None, scale=verdicts),
    }
    x = alt.X("ratio:Q", scale=scale, title="B ÷ A", axis=alt.Axis(format=".3~r"))
    same = alt.Chart(alt.InlineData([{"from": 1 / (1 + margin), "to": 1 + margin}]))
    band = same.mark_rect(color="#8A8A8A", opacity=0.15).encode(
        x=alt.X("from:Q", scale=scale, title="B ÷ A"), x2=alt.X2("to:Q")
    )
    interval = cells.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.4)
    interval = interval.encode(x=alt.X("low:Q", scale=scale), x2=alt.X2("high:Q"), **lanes)
    points = cells.mark_point(filled=True, size=44, opacity=1)
    points = points.encode(x=x, tooltip=plots.tooltip("cell", "ratio", "low", "high", "n_a", "n_b", "verdict"), **lanes)
    chart = alt.layer(band, interval, points).properties(width=plots.WIDTH, height=alt.Step(13))
    notes = [f"ratio of geometric means (symbol), {tables.INTERVAL} (line); grey: within {margin * 100:g} %, a tie"]
    return plots.titled(chart, run, f"{metric.replace('_', ' ')}: B against A", notes, part["n_b"])
