# SPDX-License-Identifier: MIT
"""What can be measured, one file each: `run` returns raw text and counters, `parse` turns them into figures.

A measure is named after its file. `run` uses the tunnel and nothing else. `parse` is pure: a figure can be computed
again from `samples.jsonl`, and tests use output captured from the real tools. What a measure declares of its figures
makes tables, ranks, pictures, the screen and comparisons of runs: no other file names it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, cast

from lab.benches.vpn import cpu_ledger
from lab.benches.vpn.tunnel import Tunnel
from lab.core.errors import unknown
from lab.results.quantity import Quantity
from lab.results.reading import Reading
from lab.runner.forecast import Load


@dataclass(frozen=True)
class Options:
    """Options of all measures: seconds of a timed load, TCP streams, directions, bytes of a transfer."""

    duration: int = 5
    streams: tuple[int, ...] = (1,)
    directions: tuple[str, ...] = ("up",)
    size: int = 10_000_000


class Measure(Protocol):
    """A module of this package."""

    TITLE: str
    FIGURES: Sequence[Quantity]
    """What cells and runs are compared by, the main figure first. What else `parse` gives stands in the CSV alone."""

    def conditions(self, options: Options) -> list[str]:
        """The sets of conditions to measure under, as `key=value` words; each set is a cell."""

    def load(self, options: Options) -> Load:
        """The load of a sample, for a forecast of its time."""

    def run(self, tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
        """Take one sample. Every load must use `tunnel.load`, which watches the wire.

        `load` is the load that moved data: the CPU ledger is computed from it. `direction` is the way of its payload
        (`lab.benches.vpn.proof.WAYS`).
        """

    def parse(self, raw: Mapping[str, Any]) -> list[Reading]:
        """The figures in what `run` returned; with a `load`, `payload` (bytes through the tunnel) is one of them."""


def every() -> dict[str, Measure]:
    """Every measure by name."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    return {name: cast(Measure, importlib.import_module(f"{__name__}.{name}")) for name in names}


def declarations(chosen: Mapping[str, Measure]) -> dict[str, list[dict[str, Any]]]:
    """What `meta.json` says of the figures of some measures, with the ledger's: `lab.results.quantity`."""
    return {
        name: [asdict(each) for each in (*measure.FIGURES, *cpu_ledger.FIGURES)] for name, measure in chosen.items()
    }


def choose(names: Sequence[str]) -> dict[str, Measure]:
    """The measures named, in that order."""
    known = every()
    for name in names:
        if name not in known:
            raise unknown("measure", name, known)
    return {name: known[name] for name in names}
