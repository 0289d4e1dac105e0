# SPDX-License-Identifier: MIT
"""Errors that a person can act on: one base class, one place that catches them (`lab.cli.main.main`)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LabError(Exception):
    """Something failed: `message` names the thing, `hint` the next step. The command exits with 1."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.logs: dict[str, str] = {}
        """What daemons had written when it happened, by end; kept with the sample."""


class UsageError(LabError):
    """The command was used wrongly; nothing was started. The command exits with 2."""

    exit_code = 2


class EngineGone(LabError):
    """The engine no longer answers: no sample's fault. What was measured is kept, and the run can go on."""


class Unsupported(LabError):
    """A VPN, kernel or library cannot do what a cell asks; a result, not a fault."""


class InvalidSample(LabError):
    """The data path could not be proved, so whatever was measured does not count."""


NONSENSE = (ValueError, LookupError, TypeError, ArithmeticError)
"""What reading an output raises that is not as it should be."""


def told(error: Exception) -> str:
    """Why a sample failed: the error's own words, or that an output could not be read."""
    return error.message if isinstance(error, LabError) else f"the output could not be understood: {error!r}"


def unknown(kind: str, name: str, valid: Iterable[str]) -> UsageError:
    """The error for a name that does not exist: the nearest match and every valid name."""
    names = sorted(valid)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    did_you_mean = f" Did you mean {near[0]!r}?" if near else ""
    return UsageError(f"unknown {kind} {name!r}.{did_you_mean}", f"valid names: {', '.join(names)}")
