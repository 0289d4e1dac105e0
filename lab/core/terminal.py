# SPDX-License-Identifier: MIT
"""What the command says: tables and progress for a person, plain text for a program, complaints on stderr."""

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
"""For a person: as wide and as colourful as the terminal, or as FORCE_COLOR and NO_COLOR ask."""
complaints = Console(stderr=True, force_terminal=None if sys.stderr and sys.stderr.isatty() else False)
"""For a person too, but kept in logs beside what a program reads: escapes on a terminal only."""


def plain(text: str, to: Console = console) -> None:
    """Print `text` for a program: as it is, no colour and no line broken, whatever the environment asks."""
    print(text, file=to.file, flush=True)


def answer(data: Any, to: Console = console) -> None:
    """Print `data` as JSON, for a program."""
    plain(json.dumps(data, indent=1), to)


def complain(message: str, hint: str = "") -> None:
    """Say what went wrong, and the next step. Where nobody can be told, the exit code still tells."""
    with suppress(OSError):
        complaints.print(f"lab: {message}", style="red", markup=False, highlight=False, emoji=False, soft_wrap=True)
        if hint:
            complaints.print(f"     {hint}", markup=False, highlight=False, emoji=False, soft_wrap=True)


def any_locale() -> None:
    """Let a letter that the locale lacks be a question mark: no table is worth an end in the middle of a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def abandon_output() -> None:
    """Let what could not be written go nowhere: Python would try again at its end, and fail again, aloud."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream:
                stream.flush()
        except OSError:
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
