# SPDX-License-Identifier: MIT
"""The one screen that a terminal shows of a run: bars and sentences, as lines of a given width."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lab.report.tables import each
from lab.stats import analysis
from lab.stats.summary import Summary

EIGHTHS = " ▏▎▍▌▋▊▉"
SHORTEST = 8
"""Columns of the shortest bar that may be the longest of a screen."""
MOST_FAILURES = 5
"""Failures that a screen tells; the report has all."""


@dataclass(frozen=True)
class Bar:
    """A figure as a bar: `text` before it, `after` behind it, and more about it on the lines below."""

    name: str
    value: float
    text: str
    after: str = ""
    below: Sequence[str] = ()


def bars(rows: Sequence[Bar], width: int) -> list[str]:
    """The rows, their bars scaled to the greatest value."""
    if not rows:
        return []
    names, texts, afters = (max(len(getattr(row, part)) for row in rows) for part in ("name", "text", "after"))
    room = max(width - names - texts - afters - 4, SHORTEST)
    greatest = max(row.value for row in rows)
    lines = []
    for row in rows:
        head = f"{row.name:<{names}}  {row.text:>{texts}} {bar(row.value / greatest, room):<{room}}"
        lines.append(f"{head} {row.after}".rstrip())
        for text in row.below:
            lines += wrapped(text, width, " " * (names + 2))
    return lines


def bar(share: float, width: int) -> str:
    """A bar of `share` (0 to 1) of `width` columns, to an eighth of a column; none where there is no figure."""
    if math.isnan(share):
        return ""
    eighths = max(1, round(min(share, 1) * width * 8))
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def wrapped(text: str, width: int, indent: str = "", more: str = "") -> list[str]:
    """A sentence as lines, each with `indent`, those after the first with `more` of it."""
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent + more, break_on_hyphens=False,
        break_long_words=False,
    )  # fmt: skip


def failures(run: Summary, subject: Callable[[Any], str], width: int) -> list[str]:
    """What went wrong, by cell and reason, a row of `Summary.failures` by its `subject`; and what was repeated."""
    texts = (f"{row.n} {row.outcome}: {subject(row)}: {row.reason}" for row in each(run.failures))
    repeated = (line for text in analysis.retaken(run.df) for line in wrapped(text, width, more="  "))
    return [*listed(texts, width), *repeated]


def listed(texts: Iterable[str], width: int, most: int = MOST_FAILURES) -> list[str]:
    """The first of some long texts, two lines of each at most, and how many more there are."""
    texts = list(texts)
    lines = []
    for text in texts[:most]:
        first, *rest = wrapped(text, width, more="  ") or [""]
        lines += [first, *(textwrap.shorten(" ".join(rest), width - 2, placeholder=" …"),)] if rest else [first]
    return lines + ([f"and {len(texts) - most} more"] if len(texts) > most else [])
