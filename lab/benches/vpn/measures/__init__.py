# SPDX-License-Identifier: MIT
"""What can be measured, a file each: `run` returns raw text and counters, `parse` turns them into figures.

A measure's name is its file's. `run` touches the tunnel and nothing else; `parse` is pure, so that a figure can be
computed again from `samples.jsonl`, and is tested against output captured from the real tools.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from lab.benches.vpn.tunnel import Tunnel
from lab.core.errors import unknown
from lab.results.reading import Reading


@dataclass(frozen=True)
class Options:
    """What the user chose for all measures: seconds of a timed load, TCP streams, directions, bytes of a transfer."""

    duration: int = 5
    streams: tuple[int, ...] = (1,)
    directions: tuple[str, ...] = ("up",)
    size: int = 10_000_000


class Measure(Protocol):
    """A module of this package. TITLE and UNIT describe its first figure."""

    TITLE: str
    UNIT: str

    def conditions(self, options: Options) -> list[str]:
        """The conditions under which it is taken, as `key=value` words; each is a cell of its own."""

    def run(self, tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
        """Take one sample, every load of it by `tunnel.load`, which has it watched.

        A load that moved data stands under `load`: the ledger is taken from there. Beside it `direction` says which way
        its payload went (`lab.benches.vpn.proof.WAYS`).
        """

    def parse(self, raw: Mapping[str, Any]) -> list[Reading]:
        """The figures in what `run` returned; where it has a load, `payload` (bytes through the tunnel) is one."""


def every() -> dict[str, Measure]:
    """Every measure by name."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    return {name: cast(Measure, importlib.import_module(f"{__name__}.{name}")) for name in names}


def choose(names: Sequence[str]) -> dict[str, Measure]:
    """The measures named, in that order."""
    known = every()
    for name in names:
        if name not in known:
            raise unknown("measure", name, known)
    return {name: known[name] for name in names}
