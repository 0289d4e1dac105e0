# SPDX-License-Identifier: MIT
"""One HTML page that needs nothing else: matrices whose fields open, live pictures, every table.

Without a script the tables and one picture remain. Nothing of it is fetched from anywhere.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lab.core import files
from lab.report import drawing, matrix, plots, tables, vega
from lab.report.tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lab.report.plots import Picture
    from lab.stats.summary import Summary


TEMPLATES = Path(__file__).parent / "templates"
SUMMARY = "summary.csv"
"""One row a figure of a cell (and mode): n, median, and how far it can be trusted."""


def write_page(
    folder: Path, run: Summary, built: Callable[[], Sequence[Table]], drawn: Iterable[tuple[str, Picture]]
) -> Path:
    """Write `report.html` of a run, its tables and its pictures, and each picture as a PNG beside it.

    The tables are asked for while the pictures are drawn.
    """
    charts = {name: plots.spec(picture) for name, picture in drawn}
    orders = [(chart, "png") for chart in charts.values()] + [(chart, "svg") for chart in _first(charts)]
    with drawing.beside(orders) as pictures:
        matrices, cells = matrix.build(run)
        page = Page(run.heading, built(), charts, tables.facts(run.meta), matrices, cells)
    for name, picture in zip(charts, pictures.result(), strict=False):
        files.write(folder / f"{name}.png", picture)
    return files.write(folder / "report.html", page.text(pictures.result()[len(charts) :]))


def _first(charts: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The picture that is there without a script, if there is any."""
    return list(charts.values())[:1]


@dataclass(frozen=True)
class Page:
    """What a page shows, and what it ran on; matrices where it is of one run."""

    heading: str
    tables: Sequence[Table]
    charts: Mapping[str, dict[str, Any]]
    facts: Sequence[tuple[str, str]]
    matrices: Sequence[matrix.Matrix] = ()
    cells: matrix.Cells = field(default_factory=matrix.Cells)

    def text(self, stills: Sequence[bytes] | None = None) -> str:
        """The page as HTML. `stills`: the first picture as SVG, if it is drawn already."""
        stills = [drawing.drawn(chart, "svg") for chart in _first(self.charts)] if stills is None else stills
        still = "".join(base64.b64encode(svg).decode() for svg in stills)
        environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
        return environment.get_template("report.html.j2").render(
            heading=self.heading,
            matrices=self.matrices,
            choices=_choices(self.matrices),
            records=tables.RECORDS,
            tables=self.tables,
            pictures=list(self.charts),
            still=still,
            facts=self.facts,
            data=_embedded({**self.cells.plain(), "charts": self.charts}),
            vega=Markup(vega.script().replace("</script", "<\\/script")),  # noqa: S704 - a library's script, not data
            style=_part("report.css"),
            script=_part("report.js"),
        )


def _choices(matrices: Sequence[matrix.Matrix]) -> dict[str, list[str]]:
    """What the page can be filtered by, in order."""
    columns = {column for each in matrices for column in each.columns}
    return {
        "vpn": tables.order(vpn for vpn, _, _ in columns),
        "records": tables.order(records for _, _, records in columns if records),
        "suite": tables.order(suite for each in matrices for suite, _ in each.rows),
        "load": [each.name for each in matrices],
    }


def _embedded(data: Any) -> Markup:
    """JSON inside a script element: no text of it can end the element."""
    return Markup(json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c"))  # noqa: S704


def _part(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - files of this package
