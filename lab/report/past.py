# SPDX-License-Identifier: MIT
"""The runs that a comparison is about: the two, and the past that says what is usual."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.core.errors import UsageError
from lab.report.comparison import check, clock_of, differing
from lab.results.store import Store, kind_of, listed, runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def chosen(results: Path, a: str, b: str | None, against: Sequence[str]) -> tuple[Store, Store, list[Store]]:
    """The run to hold against, the run to judge, and the past runs in the order of time.

    `against` are names of runs under `results`, paths of runs, or folders of runs; of a folder those count that can be
    compared. Without `b`, `a` is the run to judge, and the newest past run is what it is held against.

    Raises:
        UsageError: a name is of no run, or there is no past run where one is needed.
        LabError: a run that was named cannot be compared with the one to judge.
    """
    judged = Store(results / (b if b is not None else a))
    meta, past = judged.meta(), {}
    for name in against:
        for store in _named(results, name, judged):
            check(store.folder, judged.folder, store.meta(), meta)
            past[store.folder.resolve()] = store
    past.pop(judged.folder.resolve(), None)
    ordered = sorted(past.values(), key=lambda store: (str(store.meta().get("created", "")), store.folder.name))
    if b is not None:
        return Store(results / a), judged, ordered
    if not ordered:
        hint = "`lab compare RUN OTHER`, or `lab compare RUN --against RUN` with a past run or a folder of runs"
        raise UsageError(f"what is {a} to be compared with? There is no past run of its clock" if against else
                         f"what is {a} to be compared with?", hint)  # fmt: skip
    return ordered[-1], judged, ordered


def _named(results: Path, name: str, judged: Store) -> list[Store]:
    """The run of this name, or the runs in this folder that can be compared with the one to judge."""
    for folder in (results / name, Path(name)):
        if (folder / "meta.json").exists():
            return [Store(folder)]
        if folder.is_dir() and listed(folder)[0]:
            meta = judged.meta()
            alike = runs(folder, kind_of(meta))
            return [
                each
                for each in alike
                if clock_of("", each.meta())[1:] == clock_of("", meta)[1:]
                and not differing(each.meta(), meta)
                and _is_past(each, meta)
            ]
    raise UsageError(f"--against: {name} is no run and no folder of runs", f"runs: {', '.join(listed(results)[0])}")


def _is_past(store: Store, meta: Mapping[str, Any]) -> bool:
    """Whether a run has samples, and was begun before the one to judge."""
    return str(store.meta().get("created", "")) < str(meta.get("created", "~")) and any(store.read())
