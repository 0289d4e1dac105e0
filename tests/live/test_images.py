# SPDX-License-Identifier: MIT
"""Every image answers what it cannot do with exit 127 and a line that says why, before anything starts.

Also those of VPNs that this kernel cannot run: nothing of the kernel is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import testinfra
from testinfra.host import Host

from lab.catalog.vpns import Vpn
from lab.engines import ownership
from lab.engines.engine import Engine

from .conftest import CATALOG, ENDS, TUNNELS, suite_of

pytestmark = pytest.mark.docker


@pytest.fixture(scope="session", params=CATALOG.vpns.values(), ids=lambda vpn: vpn.name)
def image(request: pytest.FixtureRequest) -> Vpn:
    vpn: Vpn = request.param
    return vpn


@pytest.fixture(scope="session")
def bare(image: Vpn, engine: Engine, images: None) -> Iterator[Host]:
    """A container of the image that may do nothing."""
    name = f"live-image-{image.name}"
    container = engine.client.containers.run(
        f"lab/{image.name}:latest",
        ["sleep", "infinity"],
        detach=True,
        init=True,
        network_mode="none",
        cap_drop=["ALL"],
        tmpfs={"/run": ""},
        name=ownership.called(name, "one"),
        labels=ownership.labels(name),
    )
    try:
        yield testinfra.get_host(f"docker://{container.name}")
    finally:
        container.remove(force=True)


def asked(host: Host, role: str, variant: str, suite: str) -> tuple[int, str]:
    """The exit status of `up`, and all that it said."""
    environment = f"ROLE={role} PEER=198.18.0.9 TUNNEL_ADDRESS=198.19.0.1 TUNNEL_PEER=198.19.0.2"
    result = host.run(f"timeout 60 env {environment} VARIANT=%s SUITE=%s up", variant, suite)
    return result.rc, f"{result.stdout}{result.stderr}"


def refused(answer: tuple[int, str], word: str) -> bool:
    """One line that names what was asked for, and the agreed status."""
    status, text = answer
    return status == 127 and len(text.strip().splitlines()) == 1 and word.lower() in text.lower()


@pytest.mark.parametrize("role", ENDS)
@pytest.mark.parametrize("suite", ["NONSENSE-512-XYZ", "nonsense+nonsense"])
def test_a_suite_that_nobody_has_is_unsupported(image: Vpn, bare: Host, role: str, suite: str) -> None:
    for variant in image.file.variants:
        answer = asked(bare, role, variant, suite)
        assert refused(answer, "nonsense"), answer


@pytest.mark.parametrize("role", ENDS)
def test_a_variant_that_nobody_has_is_unsupported(image: Vpn, bare: Host, role: str) -> None:
    answer = asked(
        bare, role, "carrier-pigeon", suite_of(image, next(iter(image.file.variants))).native[image.file.dialect]
    )
    assert refused(answer, "carrier-pigeon"), answer


def test_nothing_was_started(image: Vpn, bare: Host) -> None:
    for vpn, variant in TUNNELS:
        if vpn is image:
            asked(bare, "server", variant, "NONSENSE-512-XYZ")
    assert {process.comm for process in bare.process.filter()} <= {"docker-init", "sleep", "ps", "sh"}
