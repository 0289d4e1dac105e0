# SPDX-License-Identifier: MIT
"""An end takes nobody but its peer: credentials of another lab bring no tunnel up, and the failure says why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.engines.engine import Engine, archive
from lab.testbed import credentials

from .conftest import CATALOG, Lab, said, up

pytestmark = pytest.mark.docker

STRANGER = credentials.make()["client"]
PEERS = ("ca.crt", "peer.crt", "peer-x25519.pub")


@pytest.fixture(
    scope="module", params=[vpn for vpn in CATALOG.vpns.values() if vpn.file.encrypts], ids=lambda vpn: vpn.name
)
def fresh(request: pytest.FixtureRequest, engine: Engine, lacks: dict[tuple[str, str], str]) -> Iterator[Lab]:
    """A lab of its own for each VPN, by the first variant that this kernel can run: its tunnel is lost here."""
    vpn = request.param
    first = min(vpn.file.variants, key=lambda variant: (vpn.name, variant) in lacks)
    with up(engine, lacks, f"live-refusal-{vpn.name}", vpn, first) as bed:
        yield bed


def hand_over(bed: Lab, files: dict[str, bytes]) -> None:
    """Put files into the client's volume, which the client itself can only read."""
    volume = f"lab-{bed.name}-client-credentials:/client"
    carrier = bed.engine.client.containers.create("lab/base:latest", "true", volumes=[volume])
    try:
        carrier.put_archive("/client", archive(files))
    finally:
        carrier.remove(force=True)


@pytest.mark.parametrize("swapped", [PEERS, tuple(STRANGER)], ids=["wrong-server", "wrong-client"])
def test_a_wrong_certificate_brings_no_tunnel_up(fresh: Lab, swapped: tuple[str, ...]) -> None:
    host = fresh.host("client")
    own = {name: host.file(f"/run/credentials/{name}").content for name in STRANGER}
    hand_over(fresh, {name: STRANGER[name] for name in swapped})
    try:
        result = host.run("timeout 60 up")
    finally:
        hand_over(fresh, own)
    assert result.rc not in (0, 124, 127), result
    assert result.stderr.strip(), "a failure without a reason"


def test_with_its_own_the_client_is_let_in_again(fresh: Lab) -> None:
    """The other half of the tests above: it was the certificate that made the difference."""
    host = fresh.host("client")
    for daemon in {process.pid for process in host.process.filter() if process.comm not in ("docker-init", "sleep")}:
        host.run("kill %s", str(daemon))
    said(host, "wait-until 20 sh -c %s", f"! ip link show dev {fresh.vpn.file.interface}")
    said(host, "timeout 60 up")
