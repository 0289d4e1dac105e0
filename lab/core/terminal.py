# SPDX-License-Identifier: MIT
"""Terminal output: tables and progress for a person, plain text for a program, errors on stderr."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console

console = Console()
"""For a person. Width and colour are the terminal's, or what FORCE_COLOR and NO_COLOR ask for."""
complaints = Console(stderr=True, force_terminal=None if sys.stderr and sys.stderr.isatty() else False)
"""For a person too, but often kept in logs. So it writes escape sequences on a terminal only."""


def plain(text: str, to: Console = console) -> None:
    """Print `text` unchanged for a program: no colour and no line breaks, whatever the environment asks."""
    print(text, file=to.file, flush=True)


def answer(data: Any, to: Console = console) -> None:
    """Print `data` as JSON, for a program."""
    plain(json.dumps(data, indent=1), to)


def complain(message: str, hint: str = "") -> None:
    """Print what went wrong, and the next step. If stderr is closed, the exit code still tells."""
    with suppress(OSError):
        complaints.print(f"lab: {message}", style="red", markup=False, highlight=False, emoji=False, soft_wrap=True)
        if hint:
            complaints.print(f"     {hint}", markup=False, highlight=False, emoji=False, soft_wrap=True)


def duration_text(seconds: float) -> str:
    """A duration for a person: `42 s`, `12 min`, `3 h 5 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def time_left(seconds: float) -> str:
    """A time that something still takes, in words."""
    return f"{duration_text(seconds)} left"


def counted(number: int, name: str) -> str:
    """A number of things: `1 worker`, `2 workers`."""
    return f"{number} {name}{'' if number == 1 else 's'}"


def any_locale() -> None:
    """Print a question mark for a letter that the locale lacks. A table must not abort a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def abandon_output() -> None:
    """Discard output that could not be written. Python would retry at its exit, and print a second error."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream:
                stream.flush()
        except OSError:
            with Path(os.devnull).open("wb") as null_device:
                os.dup2(null_device.fileno(), stream.fileno())
