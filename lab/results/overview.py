# SPDX-License-Identifier: MIT
"""An overview of the runs in a folder: what each is, how its samples ended, and how many are still to be taken.

It is meant to be fast. It reads every sample, but does not check it as `Store.read` does.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.core.errors import LabError
from lab.results import schema
from lab.results.store import Key, Store, key_of, kind_of, listed, renamed


@dataclass(frozen=True)
class Overview:
    """One run. `created` is in UTC, as ISO 8601. `outcomes` counts samples by the outcome of their last attempt.

    `missing`: the number of samples of the plan that were not taken; None if that is not known. `damaged`: whether a
    line of the run is no sample.
    """

    run: str
    kind: str
    engine: str
    clock: str
    created: str
    outcomes: Mapping[str, int]
    missing: int | None
    damaged: bool

    @property
    def finished(self) -> bool | None:
        """Whether every sample of the plan was taken; None if that is not known."""
        return None if self.missing is None else not self.missing


def overviews(results: Path) -> tuple[list[Overview], list[str]]:
    """The runs in a folder, the newest first; and a line on each folder whose `meta.json` cannot be read."""
    metas, complaints = listed(results)
    runs = [_overview(Store(results / name), meta) for name, meta in metas.items()]
    return sorted(runs, key=lambda run: (run.created, run.run), reverse=True), complaints


def _overview(store: Store, meta: Mapping[str, Any]) -> Overview:
    last: dict[Key, Mapping[str, Any]] = {}
    damaged = False
    for sample in skimmed(store):
        if sample is None:
            damaged = True
        else:
            last[key_of(sample)] = sample
    engine = meta.get("engine", {})
    return Overview(
        store.folder.name,
        kind_of(meta),
        str(engine.get("name", "")),
        str(engine.get("clock", "")),
        str(meta.get("created", "")),
        _outcomes(last.values()),
        None if damaged else missing(meta, last),
        damaged,
    )


def _outcomes(samples: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    counts = Counter(str(sample["outcome"]) for sample in samples)
    return {outcome: counts[outcome] for outcome in sorted(counts, key=lambda outcome: (outcome != "ok", outcome))}


def missing(meta: Mapping[str, Any], last: Mapping[Key, Mapping[str, Any]]) -> int | None:
    """How many samples of a run's plan are not among the `last` attempts; None if that is not known.

    A cell that cannot run has one sample, before all blocks. A profile is taken in the first block only. Every other
    cell has one in each block. A run of an older version does not name its cells: those count that have a sample.
    """
    known = schema.Meta.model_validate(meta)
    impossible = {str(key[1]) for key, sample in last.items() if sample["position"] < 0}
    cells = set(known.cells or [str(cell) for _, cell in last])
    if not cells or known.blocks is None:
        return None
    kind, measure = schema.PROFILE
    once = {cell for cell in cells if known.kind == kind and f" {measure} " in cell}
    steps = {(block, cell) for cell in cells - impossible for block in range(1 if cell in once else known.blocks)}
    return len(steps - {(block, str(cell)) for block, cell in last})


def skimmed(store: Store) -> Iterator[dict[str, Any] | None]:
    """Every attempt at every sample, unchecked; None for a line that is no sample."""
    generic_names = {own_name: name for name, own_name in store.columns.items()}
    try:
        lines = store.samples.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return
    except OSError as error:
        raise LabError(f"{store.samples} cannot be read: {error.strerror}") from error
    for line in lines:
        try:
            sample = renamed(json.loads(line), generic_names)
            hash(key_of(sample)), sample["outcome"], sample["position"] + 0  # what an overview needs is there
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            yield None
        else:
            yield sample
