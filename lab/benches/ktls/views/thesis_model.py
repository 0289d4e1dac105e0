# SPDX-License-Identifier: MIT
"""The thesis's figures of chapter 5 and appendix C, from this folder's `thesis.yaml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lab.core.documents import NAME, Document, read
from lab.report.reference import Erratum

FILE = Path(__file__).with_name("thesis.yaml")


class Column(Document):
    """MB/s by bytes of payload. `path` and `way` are the lab's counterpart."""

    label: str
    path: NAME
    way: NAME
    values: dict[int, float]


class Payloads(Document):
    """A table by payload, and the figure drawn from it. The other columns are compared with the first."""

    source: str
    figure: str
    title: str
    scenario: NAME
    protocol: NAME
    columns: list[Column]


class Way(Document):
    """One way to send a file, MB/s."""

    label: str
    path: NAME
    way: NAME
    value: float


class Files(Document):
    """A row of a table of files; `percent` is the table `shares`: each row's rate as per cent of each column's."""

    source: str
    shares: str
    figure: str
    title: str
    protocol: NAME
    payload: int
    columns: list[Way]
    percent: list[list[float | None]]


class Share(Document):
    """A share of the time, per cent, of one endpoint or (empty) both. `symbols`: a pattern for those counted."""

    label: str
    path: NAME
    way: NAME
    end: str
    category: NAME
    symbols: str = ".*"
    percent: float


class Profile(Document):
    """The profile of one load, by `perf`."""

    source: str
    title: str
    scenario: NAME
    protocol: NAME
    payload: int
    rows: list[Share]


class Chapter(Document):
    """All of `thesis.yaml`."""

    title: str
    hardware: str
    suite: NAME
    payloads: list[Payloads]
    files: list[Files]
    profiles: list[Profile]
    errata: list[Erratum]


@cache
def load() -> Chapter:
    """The figures of the chapter."""
    return read(FILE, Chapter)
