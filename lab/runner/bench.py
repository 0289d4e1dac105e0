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
    """What the samples of one group share: a tunnel, or nothing."""

    def sample(self, attempt: Attempt) -> None:
        """Take one sample. Put what is known of it into the attempt, at least `raw` and `readings`.

        Raises:
            Unsupported, InvalidSample, LabError: the outcome of the sample, and the reason.
        """


class Share(Protocol):
    """The place on one engine where its share of a run is taken."""

    def completed(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        """`meta` with the facts that are known only when a lab is up. The first engine is asked, once."""

    def session(self, attempt: Attempt) -> AbstractContextManager[Session]:
        """The session of a group. It is opened for the first sample, and again after a sample that went wrong.

        Raises:
            Unsupported: no sample of the group can be taken here.
        """


class Site(Protocol):
    """A plan that fits its engines, and those engines."""

    @property
    def engines(self) -> Sequence[Engine]:
        """The engines. Each takes its share of the samples."""

    @property
    def plan(self) -> Plan:
        """The cells to measure."""

    def announced(self) -> str:
        """The size of the plan, in words."""

    def meta(self) -> dict[str, Any]:
        """What `meta.json` records about a run of this plan."""

    def about(self, step: Step) -> dict[str, Any]:
        """The `records`, `engine` and `clock` of a sample."""

    def share(self, number: int, run: str) -> AbstractContextManager[Share]:
        """The place where engine `number` takes its share of the run of that name. It is removed afterwards."""


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
