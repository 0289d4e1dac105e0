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
from lab.report import matrix, plots, tables, vega
from lab.report.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lab.report.plots import Picture
    from lab.stats.summary import Summary


TEMPLATES = Path(__file__).parent / "templates"
SUMMARY = "summary.csv"
"""One row a figure of a cell (and mode): n, median, and how far it can be trusted."""


def write_page(folder: Path, run: Summary, built: Sequence[Table], drawn: Iterable[tuple[str, Picture]]) -> Path:
    """Write `report.html` of a run, its tables and its pictures, and each picture as a PNG beside it."""
    matrices, cells = matrix.build(run)
    charts = {name: plots.spec(picture) for name, picture in drawn}
    for name, chart in charts.items():
        files.write(folder / f"{name}.png", plots.drawn(chart, "png"))
    page = Page(run.heading, built, charts, tables.facts(run.meta), matrices, cells)
    return files.write(folder / "report.html", page.text())


@dataclass(frozen=True)
class Page:
    """What a page shows, and what it ran on; matrices where it is of one run."""

    heading: str
    tables: Sequence[Table]
    charts: Mapping[str, dict[str, Any]]
    facts: Sequence[tuple[str, str]]
    matrices: Sequence[matrix.Matrix] = ()
    cells: matrix.Cells = field(default_factory=matrix.Cells)

    def text(self) -> str:
        """The page as HTML."""
        first = next(iter(self.charts.values()), None)
        still = base64.b64encode(plots.drawn(first, "svg")).decode() if first else ""
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
