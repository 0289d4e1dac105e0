# SPDX-License-Identifier: MIT
"""The ends of data paths that this machine's kernel may lack, in a guest that has all: the tests of `tests/live`."""

# ruff: noqa: F403 -- the tests of these modules, collected here with this module's fixtures

from __future__ import annotations

from collections.abc import Iterator

import pytest
from live.conftest import CATALOG, TUNNELS, Lab, up
from live.test_ends import *
from live.test_network import *
from live.test_wire import *

from lab.engines.engine import Engine

from .conftest import Kept

pytestmark = [pytest.mark.docker, pytest.mark.vm, pytest.mark.timeout(600)]

PATHS = list(
    {
        (vpn.name, *sorted(each.feature for each in vpn.needs(variant).kernel)): (vpn, variant)
        for vpn, variant in reversed(TUNNELS)
        if vpn.needs(variant).kernel
    }.values()
)
"""Of each VPN the first data path that takes something of the kernel, and of each something else."""


@pytest.fixture(scope="module")
def engine(kept: Kept) -> Engine:
    return kept.engine


@pytest.fixture(scope="module")
def images() -> None:
    """The guest has them."""


@pytest.fixture(scope="module", params=PATHS, ids=lambda path: f"{path[0].name}-{path[1]}")
def live(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Lab]:
    vpn, variant = request.param
    with up(engine, {}, f"live-{vpn.name}-{variant}", vpn, variant) as bed:
        yield bed


@pytest.fixture(scope="module")
def beside(engine: Engine) -> Iterator[Lab]:
    vpn = CATALOG.vpns["wireguard"]
    with up(engine, {}, "live-beside", vpn, "udp") as bed:
        yield bed
