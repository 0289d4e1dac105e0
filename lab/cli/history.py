# SPDX-License-Identifier: MIT
"""`lab history`: where figures changed in the course of many runs. It needs no engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.cli.options import Json, words
from lab.cli.rows import show
from lab.core.errors import UsageError
from lab.core.paths import RESULTS
from lab.core.terminal import answer, console, plain


def history(
    folder: Annotated[Path, typer.Argument(help="A folder of runs.", envvar="LAB_RESULTS")] = RESULTS,
    measure: Annotated[
        str | None, typer.Option(help="Only these measures, separated by commas. Default: all.", show_default=False)
    ] = None,
    as_json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")] = False,
) -> None:
    """Show where figures changed from one run to the next, in a folder of many runs.

    A change lasts: it is seen when it is three runs old. One run that is off is none.

    Examples:
    - `lab history`
    - `lab history results --measure throughput --markdown`
    """
    from lab.report.timeline import timelines

    if as_json and markdown:
        raise UsageError("--json and --markdown: one of them", "`--json` is for programs, `--markdown` for people")
    found = timelines(folder, words(measure or ""))
    if as_json:
        answer([each.plain() for each in found])
    elif markdown:
        plain("\n\n".join(each.markdown() for each in found))
    else:
        for each in found:
            show(each.rows(), as_json=False, title=each.title, optional=["p"], empty=each.title)
            console.print(f"{each.summary()}\n", highlight=False)
