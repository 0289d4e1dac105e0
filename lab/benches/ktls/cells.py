# SPDX-License-Identifier: MIT
"""What can be run (`cells.yaml`): scenarios, who makes the records, how the data is handed over. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path as File
from typing import Annotated, Literal

from pydantic import Field

from lab.core.documents import NAME, Document, read
from lab.results.cell import Cell, conditions_text, parse_conditions

FILE = File(__file__).with_name("cells.yaml")
COLUMNS = {"vpn": "protocol", "variant": "path", "measure": "scenario"}
"""What the subject of a sample is called, on the disk and in tables."""
PROGRAM = "ktls-bench"
FOLDER = "/file"
"""The folder of a transfer's file, on a tmpfs."""
RAW = "raw"
"""The bench's word for an endpoint without records."""
NONE = "none"
"""The suite of a protocol without records."""
PROFILE = "profile"
"""The measure of a sample taken under `perf`."""


class Protocol(Document):
    """A protocol by the lab's name; `words` are the bench's arguments for it."""

    protocol: NAME
    title: str
    words: list[str]
    loses: bool = False
    raw: bool = False


class Path(Document):
    """Who makes the records: `tx` at the sender, `rx` at the receiver."""

    path: NAME
    title: str
    tx: str
    rx: str
    records: str
    protocols: Annotated[list[NAME], Field(min_length=1)]


class Scenario(Document):
    """What moves; `ways` maps each way to hand over data to the paths that can use it. `word` is the bench's."""

    scenario: NAME
    title: str
    word: NAME
    plain: Literal["", "tx", "rx"] = ""
    size: bool = False
    payload: bool = True
    ways: dict[NAME, list[NAME]]


class Rung(Document):
    """A step of a ladder, and what it changes."""

    path: NAME
    way: NAME
    by: str


class Ladder(Document):
    """From the library to everything that the kernel can do, one change per step."""

    scenario: NAME
    steps: list[Rung]


class Paths(Document):
    """All of `cells.yaml`."""

    protocols: list[Protocol]
    paths: list[Path]
    scenarios: list[Scenario]
    ladders: list[Ladder]

    @property
    def protocol(self) -> dict[str, Protocol]:
        """The protocols by name."""
        return {row.protocol: row for row in self.protocols}

    @property
    def path(self) -> dict[str, Path]:
        """The paths by name."""
        return {row.path: row for row in self.paths}

    @property
    def scenario(self) -> dict[str, Scenario]:
        """The scenarios by name."""
        return {row.scenario: row for row in self.scenarios}


@cache
def load() -> Paths:
    """Everything that can be run."""
    return read(FILE, Paths)


def cell(scenario: str, protocol: str, path: str, suite: str, *, way: str, payload: int | None) -> Cell:
    """A cell of this bench: its VPN is the protocol, its variant is the path."""
    conditions: dict[str, object] = {"way": way} | ({"payload": payload} if payload else {})
    return Cell(protocol, path, suite, scenario, conditions_text(conditions))


def cells(
    scenarios: Sequence[str], protocols: Sequence[str], paths: Sequence[str], suites: Sequence[str],
    payloads: Sequence[int], file_payloads: Sequence[int],
) -> list[Cell]:  # fmt: skip
    """Every cell of these; a protocol without records has only the suite `none`."""
    known = load()
    combinations: list[Cell] = []
    for scenario in (known.scenario[name] for name in scenarios):
        sizes: Sequence[int | None] = file_payloads if scenario.size else payloads if scenario.payload else [None]
        for protocol in (known.protocol[name] for name in protocols):
            for way, path_names in scenario.ways.items():
                for path in (known.path[name] for name in path_names if name in paths):
                    if protocol.protocol in path.protocols:
                        combinations += [
                            cell(scenario.scenario, protocol.protocol, path.path, suite, way=way, payload=size)
                            for suite in ([NONE] if protocol.raw else suites)
                            for size in sizes
                        ]
    return combinations


def profiled(cell: Cell) -> Cell:
    """The same cell under `perf`."""
    return Cell(cell.vpn, cell.variant, cell.suite, PROFILE, f"{cell.conditions} scenario={cell.measure}")


def scenario_of(cell: Cell) -> str:
    """The scenario of a cell, profiled or not."""
    return parse_conditions(cell.conditions).get("scenario", cell.measure)


def ends(cell: Cell) -> tuple[str, str]:
    """How records are sent and received (`tx`, `rx`), in the bench's words."""
    path, plain = load().path[cell.variant], load().scenario[scenario_of(cell)].plain
    return (RAW if plain == "tx" else path.tx), (RAW if plain == "rx" else path.rx)


def arguments(cell: Cell, peer: str, *, seconds: float, count: int | None, size: int) -> list[str]:
    """The bench's command for one sample of `cell` against the peer at that address."""
    known, conditions = load(), parse_conditions(cell.conditions)
    scenario, (tx, rx) = known.scenario[scenario_of(cell)], ends(cell)
    words = [PROGRAM, "run", "--peer", peer, "--scenario", scenario.word, *known.protocol[cell.vpn].words]
    words += [] if cell.suite == NONE else ["--cipher", cell.suite]
    words += ["--tx", tx, "--rx", rx, "--way", conditions["way"]]
    if not scenario.payload:
        return words
    words += ["--payload", conditions["payload"]]
    if scenario.size:
        return [*words, "--bytes", str(size), "--directory", FOLDER]
    return [*words, "--count", str(count)] if count else [*words, "--seconds", f"{seconds:g}"]
