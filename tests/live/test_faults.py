# SPDX-License-Identifier: MIT
"""A data path that breaks under a load ends as `invalid` or `failed`, whatever the ends say afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.catalog.vpns import Vpn
from lab.engines.engine import Engine

from . import faults
from .conftest import CATALOG, suite_of

pytestmark = pytest.mark.docker

HERE = {"openconnect": ("dtls", "tls"), "openvpn": ("udp", "tcp")}
"""Data paths that need no more than this machine's own kernel."""
ANEW = {"strongswan": ("esp-in-udp-user",), "tinc": ("udp",), "wireguard": ("udp-go",)}
"""The same; only their tunnels begin anew. Packets past a tunnel are seen on the wire, whoever's tunnel it is."""
CASES = [
    pytest.param(*case, id=f"{case[0].name}-{case[1]}-{case[2].__name__}")
    for kinds, paths in ((faults.ANY, HERE), (faults.NEW, ANEW))
    for name, variants in paths.items()
    for case in faults.cases(CATALOG.vpns[name], variants, kinds, falls_back=["dtls"])
]
PATHS = [(CATALOG.vpns[name], variant) for name, variants in (HERE | ANEW).items() for variant in variants]


@pytest.mark.parametrize(("vpn", "variant", "fault"), CASES)
def test_a_data_path_that_breaks_is_no_sample(
    engine: Engine, lacks: dict[tuple[str, str], str], tmp_path: Path, vpn: Vpn, variant: str, fault: faults.Break
) -> None:
    if (vpn.name, variant) in lacks:
        pytest.skip(lacks[vpn.name, variant])
    result = faults.broken(engine, vpn, variant, suite_of(vpn, variant), fault)
    assert result["outcome"] in ("invalid", "failed"), result["proof"]
    assert result["reason"]


@pytest.mark.parametrize(("vpn", "variant"), PATHS, ids=lambda value: getattr(value, "name", value))
def test_a_data_path_that_holds_is_one(
    engine: Engine, lacks: dict[tuple[str, str], str], tmp_path: Path, vpn: Vpn, variant: str
) -> None:
    """The same, and nothing is done to it: nothing is on the wire that its data path does not explain."""
    if (vpn.name, variant) in lacks:
        pytest.skip(lacks[vpn.name, variant])
    result = faults.broken(engine, vpn, variant, suite_of(vpn, variant), lambda ends: None)
    assert (result["outcome"], result["reason"]) == ("ok", "")
    assert all(seen == {"packets": 0, "bytes": 0, "lost": 0} for seen in result["raw"]["load"]["wire"].values())
