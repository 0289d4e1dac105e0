# SPDX-License-Identifier: MIT
"""A VPN is a folder: nothing in `lab` knows one by name."""

import ast
import re
from pathlib import Path

import pytest

from lab.catalog.catalog import Catalog
from lab.core.paths import ROOT

REAL = Catalog()
SOURCES = sorted((ROOT / "lab").rglob("*.py"))
DAEMONS = "ocserv openconnect openvpn strongswan swanctl charon pluto libreswan wg wireguard"
NAMES = sorted({*DAEMONS.split(), *(name for name, vpn in REAL.vpns.items() if not vpn.file.control)})
CONTROLS = [name for name, vpn in REAL.vpns.items() if vpn.file.control]
WORD = re.compile(rf"\b({'|'.join(map(re.escape, NAMES))})\b", re.IGNORECASE)


@pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in SOURCES])
def test_no_vpn_is_named(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert not [f"{number}: {line}" for number, line in enumerate(lines, start=1) if WORD.search(line)]


@pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in SOURCES])
def test_no_control_is_named(path: Path) -> None:
    """A control's name may be an English word: only a text that is just that name counts."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value in CONTROLS]


def test_there_is_something_to_look_for() -> None:
    assert CONTROLS
    assert len(REAL.vpns) > len(CONTROLS)
    assert len(SOURCES) > 20
