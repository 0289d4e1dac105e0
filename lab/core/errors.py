# SPDX-License-Identifier: MIT
"""Errors that a person can act on. They have one base class; `lab.cli.main.main` alone catches them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LabError(Exception):
    """Something failed. `message` names it, `hint` names the next step. The command exits with 1."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.logs: dict[str, str] = {}
        """The daemons' logs at the time of the error, by endpoint. They are kept with the sample."""


class UsageError(LabError):
    """The command was used wrongly, and nothing was started. The command exits with 2."""

    exit_code = 2


class EngineGone(LabError):
    """The engine no longer answers. No sample caused this. Earlier samples are kept, and the run can be resumed."""


class Unsupported(LabError):
    """A VPN, kernel or library lacks a feature that a cell needs. This is a result, not an error."""


class InvalidSample(LabError):
    """The data path could not be proved, so the sample does not count."""


NONSENSE = (ValueError, LookupError, TypeError, ArithmeticError)
"""The exceptions that parsing a malformed output raises."""


def reason_of(error: Exception) -> str:
    """Why a sample failed: the error's message, or that an output could not be parsed."""
    return error.message if isinstance(error, LabError) else f"the output could not be understood: {error!r}"


def unknown(kind: str, name: str, valid: Iterable[str]) -> UsageError:
    """The error for an unknown name. It gives the nearest match and every valid name."""
    names = sorted(valid)
    matches = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    suggestion = f" Did you mean {matches[0]!r}?" if matches else ""
    return UsageError(f"unknown {kind} {name!r}.{suggestion}", f"valid names: {', '.join(names)}")
