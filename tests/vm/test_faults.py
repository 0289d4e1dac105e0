# SPDX-License-Identifier: MIT
"""A data path in the kernel that breaks under a load ends as `invalid` or `failed`, whatever its ends say then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from live import faults
from live.conftest import CATALOG, suite_of

from lab.catalog.vpns import Vpn

from .conftest import Kept

pytestmark = [pytest.mark.docker, pytest.mark.vm, pytest.mark.timeout(1800)]

# Not those under which a load stalls: that takes minutes here. OpenVPN is broken in every way on this machine's kernel.
FAULTS = {
    ("libreswan", "esp"): [faults.outside, faults.another_suite],
    ("wireguard", "udp"): [faults.outside, faults.comes_back],
    ("openvpn", "udp-kernel"): [faults.outside],
}
CASES = [
    pytest.param(CATALOG.vpns[name], variant, fault, id=f"{name}-{variant}-{fault.__name__}")
    for (name, variant), chosen in FAULTS.items()
    for fault in chosen
]


@pytest.mark.parametrize(("vpn", "variant", "fault"), CASES)
def test_a_data_path_that_breaks_is_no_sample(
    kept: Kept, tmp_path: Path, vpn: Vpn, variant: str, fault: faults.Break
) -> None:
    # A load that stalls would be waited for ten times as long as on this machine.
    engine = replace(kept.engine, patience=3)
    result = faults.broken(engine, vpn, variant, suite_of(vpn, variant), fault)
    assert result["outcome"] in ("invalid", "failed"), result["proof"]
    assert result["reason"]
