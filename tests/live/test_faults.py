"""A data path that breaks under a load ends as `invalid` or `failed`, whatever the ends say afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.engine import Engine

from . import faults
from .conftest import CATALOG, suite_of

pytestmark = pytest.mark.docker

FAULTS = [
    faults.bypass, faults.outside, faults.comes_back, faults.another_suite,
    faults.no_udp, faults.no_udp_for_a_moment,
]  # fmt: skip
UDP = (faults.no_udp, faults.no_udp_for_a_moment)
"""What breaks data paths over UDP only."""
TUNNELS = [(vpn, variant) for vpn in CATALOG.vpns.values() if not vpn.file.control for variant in vpn.file.variants]
PATHS = [pytest.param(vpn, variant, id=f"{vpn.name}-{variant}") for vpn, variant in TUNNELS]
CASES = [
    pytest.param(vpn, variant, fault, id=f"{vpn.name}-{variant}-{fault.__name__}")
    for vpn, variant in TUNNELS
    for fault in FAULTS
    if "udp" in vpn.file.variants[variant].wire or fault not in UDP
]


@pytest.mark.parametrize(("vpn", "variant", "fault"), CASES)
def test_a_data_path_that_breaks_is_no_sample(
    engine: Engine, lacks: dict[tuple[str, str], str], tmp_path: Path, vpn: Any, variant: str, fault: faults.Break
) -> None:
    if (vpn.name, variant) in lacks:
        pytest.skip(lacks[vpn.name, variant])
    result = faults.broken(engine, tmp_path, vpn, variant, suite_of(vpn, variant), fault)
    assert result["outcome"] in ("invalid", "failed"), result["proof"]
    assert result["reason"]


@pytest.mark.parametrize(("vpn", "variant"), PATHS)
def test_a_data_path_that_holds_is_one(
    engine: Engine, lacks: dict[tuple[str, str], str], tmp_path: Path, vpn: Any, variant: str
) -> None:
    """The same, and nothing is done to it: nothing is on the wire that its data path does not explain."""
    if (vpn.name, variant) in lacks:
        pytest.skip(lacks[vpn.name, variant])
    result = faults.broken(engine, tmp_path, vpn, variant, suite_of(vpn, variant), lambda ends: None)
    assert (result["outcome"], result["reason"]) == ("ok", "")
    assert all(seen == {"packets": 0, "bytes": 0, "lost": 0} for seen in result["raw"]["load"]["wire"].values())
