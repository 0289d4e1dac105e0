# SPDX-License-Identifier: MIT
"""The result of a command that ran in a container or on this machine."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """Exit status and output of a command. Status 124 or 137: it ran out of time."""

    status: int
    stdout: str
    stderr: str

    @property
    def complaint(self) -> str:
        """Why the command failed: the `error` of its JSON output, or else the first line and the last eight."""
        for text in (self.stdout, *self.stderr.splitlines()[-1:]):
            if text.startswith("{"):
                with suppress(ValueError, KeyError):
                    return str(json.loads(text)["error"])
        lines = [line for line in (self.stderr or self.stdout).splitlines() if line.strip()]
        return "\n".join([*lines[:1], *lines[1:][-8:]]) or f"exit {self.status}"
