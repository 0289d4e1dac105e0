# SPDX-License-Identifier: MIT
"""One HTML page that needs nothing else: tables, and pictures inside."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lab.core import files
from lab.report import plots, tables
from lab.report.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.figure import Figure


TEMPLATES = Path(__file__).parent / "templates"
SUMMARY = "summary.csv"
"""One row a figure of a cell (and mode): n, median, and how far it can be trusted."""


def write_page(
    out_dir: Path, headline: str, built: Sequence[Table], drawn: Iterable[tuple[str, Figure]], meta: Mapping[str, Any]
) -> Path:
    """Write `report.html` of tables and pictures, and each picture as a PNG beside it."""
    pictures = []
    for name, figure in drawn:
        files.write(out_dir / f"{name}.png", plots.drawn(figure, "png"))
        pictures.append((name, base64.b64encode(plots.drawn(figure, "svg")).decode()))
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template("report.html.j2").render(
        heading=headline, tables=built, pictures=pictures, facts=tables.facts(meta)
    )
    return files.write(out_dir / "report.html", page)
