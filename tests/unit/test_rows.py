# SPDX-License-Identifier: MIT
"""Rows for a person: at any width every value is there to be read, or a note says where it is."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from rich.console import Console

from lab.benches.vpn import measures
from lab.catalog.catalog import Catalog
from lab.cli import inventory, rows

WIDE = [
    {
        "name": "one-long-name",
        "what": "a sentence of several words, which may be wrapped",
        "more": "x" * 30,
        "last": "y",
    },
    {"name": "two", "what": "short", "more": "z", "last": ""},
]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Show rows in a terminal of some width; returns the lines."""

    def shown(width: int, data: Any = WIDE, **options: Any) -> list[str]:
        monkeypatch.setattr(rows, "console", Console(width=width))
        rows.show(data, False, **options)
        return capsys.readouterr().out.splitlines()

    return shown


def test_a_wide_terminal_shows_one_line_for_each_row(at: Any) -> None:
    lines = at(200)
    assert len(lines) == 4
    assert lines[2].split() == ["one-long-name", *WIDE[0]["what"].split(), "x" * 30, "y"]


@pytest.mark.parametrize("width", range(20, 130, 7))
def test_nothing_is_cut_off_or_broken(at: Any, width: int) -> None:
    lines = at(width)
    assert all(len(line) <= width for line in lines)
    words = re.split(r"[\s;]+", " ".join(lines))
    for row in WIDE:
        for value in row.values():
            assert all(word in words for word in value.split() if len(word) <= width - 7), (width, lines)


def test_optional_columns_are_left_out_and_named(at: Any) -> None:
    lines = at(50, optional=["more", "last"])
    assert lines[0].split() == ["name", "what"]
    note = "not shown at 50 columns: more, last; `--json` and a wider terminal show them"
    assert " ".join(lines[-2:]).split() == note.split()
    assert at(55, optional=["last"])[0].split() == ["one-long-name"], "paragraphs, where that is not enough"


def test_no_rows(at: Any) -> None:
    assert at(80, [], empty="no lab is up") == ["no lab is up"]


def test_json_has_every_column(capsys: pytest.CaptureFixture[str]) -> None:
    rows.show(WIDE, True, optional=["last"])
    assert json.loads(capsys.readouterr().out) == WIDE


def test_suites_at_80_columns(at: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its name, its title and the VPNs that have it."""
    monkeypatch.setattr(rows, "console", Console(width=80))
    inventory.list_(inventory.Things.SUITES)
    text = capsys.readouterr().out
    catalog = Catalog()
    for name, suite in catalog.suites.items():
        (line,) = (line for line in text.splitlines() if line.split()[:1] == [name])
        assert suite.title in line
        first = next(vpn.name for vpn in catalog.vpns.values() if vpn.file.dialect in suite.native)
        assert first in line
    assert "not shown at 80 columns: gnutls, ike, noise, openssl" in text


def test_measures_and_vpns_at_80_columns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(rows, "console", Console(width=80))
    inventory.list_(inventory.Things.MEASURES)
    inventory.list_(inventory.Things.VPNS)
    words = capsys.readouterr().out.split()
    assert set(measures.every()) <= set(words)
    for vpn in Catalog().vpns.values():
        assert {vpn.name, *vpn.file.variants} <= set(words)


def test_guests_at_80_columns(at: Any) -> None:
    guest = {
        "guest": "a-guest-with-a-long-name", "state": "running", "clock": "instructions", "kernel": "backports",
        "processors": 2, "memory": 262144,
    }  # fmt: skip
    lines = at(80, [guest])
    assert lines[-1].split() == [str(value) for value in guest.values()]
