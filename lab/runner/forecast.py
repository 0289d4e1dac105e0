# SPDX-License-Identifier: MIT
"""How long a plan will take and how large its run will be, from the newest runs that are comparable.

A run is comparable if it has the same kind, engine and clock. From it come the seconds of a sample, by measure: from
the start of one to the start of the next, so that tunnels, proofs and pauses between samples count. The seconds in the
load are scaled to the load of the plan. If no run has a measure, only the seconds of its load are known.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from operator import itemgetter
from statistics import fmean, median

from lab.engines.choice import Choice
from lab.results.cell import Cell
from lab.results.overview import skimmed
from lab.results.store import Store, cell_of
from lab.runner.plan import Step

PAUSE = 10
"""A time between two starts of more than this many medians is no sample: the run was stopped, and resumed later."""
SCALED = ("samples.jsonl", "results.csv")
"""The files of a run that grow with its samples."""


@dataclass(frozen=True)
class Load:
    """The load of a sample: `seconds` if it is timed, or `size` in bytes (or records) if it ends by itself."""

    seconds: float = 0.0
    size: float = 0.0


@dataclass(frozen=True)
class Pace:
    """The samples of a measure in a former run: their mean `seconds`, of which `in_load`, and their load."""

    run: str
    seconds: float
    in_load: float
    load: Load

    def seconds_for(self, load: Load) -> float:
        """The seconds of a sample with another load."""
        former, wanted = (self.load.seconds, load.seconds) if self.load.seconds else (self.load.size, load.size)
        return self.seconds + self.in_load * (wanted / former - 1) if former else self.seconds


Kind = tuple[str, bool]
"""A measure, and whether its load is timed."""


@dataclass(frozen=True)
class Forecast:
    """The `seconds` of a plan, or at least those (`at_least`); the `size` of its run in bytes, None if not known.

    `paces`: those of former runs that were used.
    """

    seconds: float
    at_least: bool
    size: int | None
    paces: Mapping[Kind, Pace]

    @property
    def runs(self) -> list[str]:
        """The runs that the forecast is based on."""
        return list(dict.fromkeys(pace.run for pace in self.paces.values()))


@dataclass(frozen=True)
class Former:
    """A run that may be comparable, and the load of its samples."""

    store: Store
    engine: Choice
    load: Callable[[Cell], Load]

    def comparable(self, engine: Choice) -> bool:
        """Whether its times say something about this engine."""
        return (self.engine.name, self.engine.clock) == (engine.name, engine.clock)


def forecast(
    steps: Sequence[Step], engine: Choice, load: Callable[[Cell], Load], formers: Iterable[Former]
) -> Forecast:
    """The forecast for the samples `steps`, from `formers`, the newest first."""
    loads = [(step.cell.measure, load(step.cell)) for step in steps]
    wanted = {(measure, each.seconds > 0) for measure, each in loads}
    paces: dict[Kind, Pace] = {}
    size = None
    for former in formers:
        if wanted <= set(paces):
            break
        if former.comparable(engine) and (known := _paces(former, {measure for measure, _ in wanted})):
            paces = {kind: pace for kind, pace in (known | paces).items() if kind in wanted}
            size = size or _size(former.store, len(steps))
    seconds = 0.0
    for measure, each in loads:
        pace = paces.get((measure, each.seconds > 0))
        seconds += pace.seconds_for(each) if pace else each.seconds
    return Forecast(seconds / engine.guests, not wanted <= set(paces), size if paces else None, paces)


def _paces(former: Former, measures: Collection[str]) -> dict[Kind, Pace]:
    """The pace of each of these measures in a run. Guests side by side take their shares at the same time."""
    # No more of a sample is kept: a process that is about to measure must not hold a former run in its memory.
    samples = [
        (str(sample["started"]), cell_of(sample), sample.get("phases", {}).get("measure"))
        for sample in skimmed(former.store)
        if sample and "started" in sample
    ]
    samples.sort(key=itemgetter(0))
    starts = [datetime.fromisoformat(started) for started, *_ in samples]
    times = [(after - before).total_seconds() for before, after in pairwise(starts)]
    limit = PAUSE * median(times) if times else 0.0
    timed: dict[Kind, list[Timed]] = {}
    for seconds, (_, cell, measuring) in zip(times, samples, strict=False):
        if seconds <= limit and cell.measure in measures:
            load = former.load(cell)
            in_load = load.seconds
            if not load.seconds or former.engine.clock != "wall":
                in_load = seconds if measuring is None else measuring
            each = (seconds * former.engine.guests, in_load, load)
            timed.setdefault((cell.measure, load.seconds > 0), []).append(each)
    return {kind: _pace(former.store.folder.name, each) for kind, each in timed.items()}


Timed = tuple[float, float, Load]
"""The seconds of a sample, those in its load, and its load."""


def _pace(run: str, timed: Sequence[Timed]) -> Pace:
    load = Load(fmean(load.seconds for *_, load in timed), fmean(load.size for *_, load in timed))
    return Pace(run, fmean(seconds for seconds, *_ in timed), fmean(in_load for _, in_load, _ in timed), load)


def _size(store: Store, count: int) -> int:
    """The bytes of a run of `count` samples: as much for each as in a former run, and as much for page and pictures."""
    taken = sum(1 for sample in skimmed(store) if sample and sample["position"] >= 0)
    sizes = {path.name: path.stat().st_size for path in store.folder.iterdir() if path.is_file()}
    scaled = sum(sizes.get(name, 0) for name in SCALED)
    return round(scaled / taken * count) + sum(sizes.values()) - scaled
