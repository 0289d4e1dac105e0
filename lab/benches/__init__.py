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
from lab.results.store import Store, kind_of

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


def views(kind: str) -> Any:
    """What runs of a bench show, as `lab.report.views.Views` has it; of one that has none of its own, its figures."""
    own = _found(_folder(kind), "views.report")
    return own or importlib.import_module("lab.report.default_views")


def of(store: Store) -> str:
    """The kind of a run.

    Raises:
        UsageError: this lab has no such bench; names the file.
    """
    kind = kind_of(store.meta())
    if kind not in folders():
        path = store.folder / "meta.json"
        raise UsageError(f"{path}: kind: there is no bench {kind!r}", f"this lab has: {', '.join(sorted(folders()))}")
    return kind


def offer(run: Path, meta: Mapping[str, Any]) -> Offer:
    """What the benches have to say about the run in that folder, each asked for by its kind."""

    def of(kind: str) -> Any:
        found = _found(folders()[kind], "offer") if kind in folders() else None
        return found.offer(run, meta) if found else None

    return of


def _folder(kind: str) -> str:
    return folders()[kind]


def _module(folder: str, name: str) -> Any:
    return importlib.import_module(f"{__name__}.{folder}.{name}")


def _found(folder: str, name: str) -> Any:
    """A module that a bench may lack; None where it does."""
    package = f"{__name__}.{folder}"
    for part in name.split("."):
        if find_spec(package := f"{package}.{part}") is None:
            return None
    return importlib.import_module(package)
