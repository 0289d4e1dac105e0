# SPDX-License-Identifier: MIT
"""The protocols of a bench. A bench is a folder of `lab/benches`.

settings.py  KIND, TITLE and Settings: the command's name and help, its options and their defaults
bench.py     the protocol `Bench` of this module
views/       what a report of its runs shows: `lab.report.views`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from lab.engines.engine import Engine
from lab.results.cell import Cell
from lab.runner.attempt import Attempt
from lab.runner.forecast import Load
from lab.runner.plan import Plan, Step

Choice = TypeVar("Choice")
Say = Callable[[str], None]


class Session(Protocol):
    """Whatever the samples of one group share: a tunnel, or nothing."""

    def sample(self, attempt: Attempt) -> None:
        """Take one sample, and put what is known of it into the attempt: `raw` and `readings` at the least.

        Raises:
            Unsupported, InvalidSample, LabError: what becomes of the sample, and why.
        """


class Share(Protocol):
    """Where one engine's share of a run is taken."""

    def completed(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """What `meta.json` says, with what only a lab that is up can tell. Asked of the first engine, once."""

    def session(self, attempt: Attempt) -> AbstractContextManager[Session]:
        """What the samples of a group share; it is opened for the first of them, and again after one that went wrong.

        Raises:
            Unsupported: none of the group can be measured here.
        """


class Site(Protocol):
    """A plan that is known to fit, and the engines that carry it out."""

    @property
    def engines(self) -> Sequence[Engine]:
        """Each takes its share of the samples."""

    @property
    def plan(self) -> Plan:
        """What is measured."""

    def announced(self) -> str:
        """What is to come, in a few words."""

    def meta(self) -> dict[str, Any]:
        """What `meta.json` says of a run of this plan."""

    def about(self, step: Step) -> dict[str, Any]:
        """What a sample says of where it was taken: `records`, `engine`, `clock`."""

    def share(self, number: int, run: str) -> AbstractContextManager[Share]:
        """Where engine `number` takes its share of the run of that name; gone afterwards."""


class Bench(Protocol[Choice]):
    """A module `lab.benches.<folder>.bench`."""

    KEPT: Sequence[str]
    """The keys of `meta.json` that must be unchanged to resume a run."""

    COLUMNS: Mapping[str, str]
    """The subject's own column names, by a VPN's; empty if they are the same."""

    def choose(self, settings: Any) -> Choice:
        """Look up everything that the settings name. This needs no engine.

        Raises:
            UsageError: there is no such thing; lists the valid ones.
        """

    def planned(self, choice: Choice, engine: Engine | None = None) -> Plan:
        """The plan of a choice. It knows what an engine lacks only if one is given. Nothing stays on the engine.

        Raises:
            LabError: an image that is needed to ask the engine is missing or out of date.
        """

    def loads(self, settings: Any) -> Callable[[Cell], Load]:
        """The load of one sample, by its cell."""

    def opened(self, choice: Choice, say: Say) -> AbstractContextManager[Site]:
        """Open the engines of the settings, and make the plan that fits them. They are closed afterwards.

        Raises:
            LabError: there is no engine, or an image is missing or out of date.
        """
