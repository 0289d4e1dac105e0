# SPDX-License-Identifier: MIT
"""What can be measured, one file each: `run` returns raw text and counters, `parse` turns them into figures.

A measure is named after its file. `run` uses the tunnel and nothing else. `parse` is pure: a figure can be computed
again from `samples.jsonl`, and tests use output captured from the real tools. The command line is made of the options
of all measures, so a file here loads nothing heavy. What a measure declares of its figures
makes tables, ranks, pictures, the screen and comparisons of runs: no other file needs to name it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, cast

from pydantic import Field

from lab.benches.vpn import cpu_ledger
from lab.core.documents import Document
from lab.core.errors import unknown
from lab.results.cell import LOADS, TUNNELS
from lab.results.quantity import Quantity
from lab.results.reading import Reading
from lab.runner.forecast import Load

if TYPE_CHECKING:
    from lab.benches.vpn.tunnel import Tunnel


class Options(Document):
    """What a user can choose of a measure: each field, with default, bounds and `description`, is one of `lab matrix`.

    A measure without any has these, which are none.
    """


class Timed(Options):
    """Options of a measure that loads the tunnel for a given time."""

    duration: Annotated[int, Field(ge=1, le=600, description="Seconds of a timed load.")] = 5


class Many(Options):
    """Options of a measure that takes a server with many clients."""

    tunnels: Annotated[
        list[Annotated[int, Field(ge=1, le=1000)]],
        Field(
            min_length=1,
            description="Numbers of tunnels: `1,10,100`. So many clients on one server, each with its own keys and "
            "address.",
        ),
    ] = [1]


class Loaded(Many):
    """Options of a measure that loads many tunnels."""

    loads: Annotated[
        int, Field(ge=1, le=1000, description="The most tunnels that carry a load at once; the others are idle.")
    ] = 16

    def of(self, tunnels: int) -> dict[str, int]:
        """The conditions that say how many tunnels there are and how many are loaded; nothing of a single one."""
        return {LOADS: min(tunnels, self.loads), TUNNELS: tunnels} if tunnels > 1 else {}


class Directed(Options):
    """Options of a measure that sends one way."""

    directions: Annotated[
        list[Literal["up", "down"]],
        Field(min_length=1, description="Directions: `up` (client to server), `down`, or `up,down`."),
    ] = ["up"]


class Sized(Options):
    """Options of a measure that sends packets of given sizes."""

    sizes: Annotated[
        list[Annotated[int, Field(ge=64, le=1400)]],
        Field(
            min_length=1,
            description="Bytes of an IP packet in the tunnel. 1400 is the most that every data path carries in one "
            "piece: a packet of 1428 becomes two fragments if a tunnel takes 1420, and two TCP segments as a TLS "
            "record.",
        ),
    ] = [64, 1400]


class Measure(Protocol):
    """A module of this package."""

    TITLE: str
    FIGURES: Sequence[Quantity]
    """What cells and runs are compared by, the main figure first. What else `parse` gives stands in the CSV alone."""

    Options: type[Options]
    """Its own options, or those of this package. An option that several measures have is one and the same."""

    def conditions(self, options: Any) -> list[str]:
        """The sets of conditions to measure under, as `key=value` words; each set is a cell."""

    def load(self, options: Any) -> Load:
        """The load of a sample, for a forecast of its time."""

    def run(self, tunnel: Tunnel, conditions: Mapping[str, str], options: Any) -> dict[str, Any]:
        """Take one sample. Every load must use `tunnel.load`, which watches the wire.

        `load` is the load that moved data: the CPU ledger is computed from it. `direction` is the way of its payload
        (`lab.benches.vpn.proof.WAYS`).
        """

    def parse(self, raw: Mapping[str, Any]) -> list[Reading]:
        """The figures in what `run` returned; with a `load`, `payload` (bytes through the tunnel) is one of them."""


def headers(tunnel: Tunnel) -> int:
    """Bytes of IP and of UDP or ICMP before the payload of a packet in a tunnel (RFC 791, 8200, 768, 792)."""
    return (40 if ":" in tunnel.address("server") else 20) + 8


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
