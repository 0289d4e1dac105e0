# SPDX-License-Identifier: MIT
"""The benches: each folder here is one. `lab.runner.bench` describes what a folder contains.

A folder's `settings.py` is light to import, because the command line is built from it. The rest is loaded on demand:
the bench by the command that measures, the views by the commands that show a run.
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
"""What a bench, named by its kind, can add to a run of another bench; None if it has nothing to add."""


@cache
def folders() -> dict[str, str]:
    """The folder of each kind of run. The kind is the name of the command; `meta.json` records it."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if module.ispkg]
    return {str(_module(name, "settings").KIND): name for name in names}


def settings(kind: str) -> Any:
    """The settings module of a bench: KIND, TITLE and the model Settings."""
    return _module(_folder(kind), "settings")


def bench(kind: str) -> Any:
    """The bench module of a kind (`lab.runner.bench.Bench`)."""
    return _module(_folder(kind), "bench")


def views(kind: str) -> Any:
    """The views of a bench (`lab.report.views.Views`); the default views if it has none of its own."""
    own = _found(_folder(kind), "views.report")
    return own or importlib.import_module("lab.report.default_views")


def of(store: Store) -> str:
    """The kind of a run.

    Raises:
        UsageError: this lab has no such bench. The message names the file.
    """
    kind = kind_of(store.meta())
    if kind not in folders():
        path = store.folder / "meta.json"
        raise UsageError(f"{path}: kind: there is no bench {kind!r}", f"this lab has: {', '.join(sorted(folders()))}")
    return kind


def offer(run: Path, meta: Mapping[str, Any]) -> Offer:
    """What the benches can add to the run in that folder; each is asked by its kind."""

    @cache
    def of(kind: str) -> Any:
        module = _found(folders()[kind], "offer") if kind in folders() else None
        return module.offer(run, meta) if module else None

    return of


def _folder(kind: str) -> str:
    return folders()[kind]


def _module(folder: str, name: str) -> Any:
    return importlib.import_module(f"{__name__}.{folder}.{name}")


def _found(folder: str, name: str) -> Any:
    """An optional module of a bench; None if the bench lacks it."""
    package = f"{__name__}.{folder}"
    for part in name.split("."):
        if find_spec(package := f"{package}.{part}") is None:
            return None
    return importlib.import_module(package)
