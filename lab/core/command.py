# SPDX-License-Identifier: MIT
"""The result of a command that ran in a container or on this machine."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass

from lab.core.errors import LabError


@dataclass(frozen=True)
class Result:
    """Exit status and output of a command. Status 124 or 137: it ran out of time.

    `out` and `err` are None where the engine lost that output. Read them as `stdout` and `stderr`: what was lost must
    not pass for a command that printed nothing.
    """

    status: int
    out: str | None
    err: str | None

    @property
    def lost(self) -> bool:
        """Whether the engine lost any of the output."""
        return self.out is None or self.err is None

    @property
    def stdout(self) -> str:
        """The standard output, whole.

        Raises:
            LabError: the engine lost it.
        """
        return _whole(self.out)

    @property
    def stderr(self) -> str:
        """The standard error, whole.

        Raises:
            LabError: the engine lost it.
        """
        return _whole(self.err)

    @property
    def complaint(self) -> str:
        """Why the command failed: the `error` of its JSON output, or else the first line and the last eight."""
        if self.lost:
            return f"exit {self.status}, and the engine lost what it printed"
        for text in (self.stdout, *self.stderr.splitlines()[-1:]):
            if text.startswith("{"):
                with suppress(ValueError, KeyError):
                    return str(json.loads(text)["error"])
        lines = [line for line in (self.stderr or self.stdout).splitlines() if line.strip()]
        return "\n".join([*lines[:1], *lines[1:][-8:]]) or f"exit {self.status}"


def _whole(output: str | None) -> str:
    if output is None:
        raise LabError("the engine lost the output of a command")
    return output
