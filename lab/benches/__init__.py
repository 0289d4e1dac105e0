# SPDX-License-Identifier: MIT
"""What can be compared: a folder each, found by being there. `lab.runner.bench` says what is in one.

A folder's `settings.py` is light, for the command line is made of it; the rest is loaded when it is needed: what
measures by the command that measures, what shows a run by those that show it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lab.core.errors import UsageError

Offer = Callable[[str], Any]
"""What a bench, named by its kind, has to say about a run of another; None where it has nothing."""


@cache
def folders() -> dict[str, str]:
    """The folder of each kind of run: the kind is the command, and stands in `meta.json`."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if module.ispkg]
    return {str(_module(name, "settings").KIND): name for name in names}


def settings(kind: str) -> Any:
    """The settings of a bench: KIND, TITLE, and the model Settings."""
    return _module(_folder(kind), "settings")


def bench(kind: str) -> Any:
    """A bench, as `lab.runner.bench.Bench` has it."""
    return _module(_folder(kind), "bench")


def report(kind: str) -> Any:
    """What shows runs of a bench: `write` and `thesis`."""
    return _module(_folder(kind), "views.report")


def offer(run: Path, meta: Mapping[str, Any]) -> Offer:
    """What the benches have to say about the run in that folder, each asked for by its kind."""

    def of(kind: str) -> Any:
        name = folders().get(kind)
        if name is None or find_spec(f"{__name__}.{name}.offer") is None:
            return None
        return _module(name, "offer").offer(run, meta)

    return of


def _folder(kind: str) -> str:
    """Raises UsageError: this lab has no such bench."""
    if kind not in folders():
        raise UsageError(f"there is no bench {kind!r}", f"this lab has: {', '.join(sorted(folders()))}")
    return folders()[kind]


def _module(folder: str, name: str) -> Any:
    return importlib.import_module(f"{__name__}.{folder}.{name}")
