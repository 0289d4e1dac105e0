# SPDX-License-Identifier: MIT
"""Three clients of one server, of every VPN that can have them here: what each has of its own, and what it may do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from lab.benches.vpn import requirements
from lab.engines.engine import connect
from lab.testbed import testbed

from .conftest import CATALOG, Lab, lab, said, suite_of
from .test_ends import capabilities

pytestmark = pytest.mark.docker

NAME = "three"
COUNT = 3
MANY = [vpn for vpn in CATALOG.vpns.values() if vpn.file.many]


@pytest.fixture(scope="module", params=MANY, ids=lambda vpn: vpn.name)
def three(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A lab with three tunnels of a VPN, which `lab up` has proved: the suite at both ends, and the wire."""
    vpn, engine = request.param, connect()
    lacks = requirements.lacks(engine, [vpn])
    possible = [name for name in vpn.file.variants if not vpn.why_single(name) and (vpn.name, name) not in lacks]
    if not possible:
        pytest.skip(f"{vpn.name} cannot run here: {next(iter(lacks.values()))}")
    variant = possible[0]
    suite = suite_of(vpn, variant)
    words = ("--variant", variant, "--cipher", suite.suite, "--tunnels", str(COUNT), "--name", NAME)
    try:
        assert f"It has {COUNT} tunnels" in lab("up", vpn.name, *words)
        yield Lab(engine, NAME, vpn, variant, suite)
    finally:
        lab("down", "--name", NAME)
        assert not testbed.things(engine, NAME)


def test_each_has_an_address_and_a_network_of_its_own(three: Lab) -> None:
    client = three.host("client")
    places, tunnels, networks = set(), set(), set()
    for number in range(1, COUNT + 1):
        shown = said(client, f"as-client {number} ip -4 -oneline address show")
        found = dict(re.findall(r"^\d+: (\S+) .*inet ([\d.]+)", shown.replace("\\", ""), re.MULTILINE))
        places.add(found["eth0"])
        tunnels.add(found[three.vpn.file.interface])
        networks.add(said(client, f"as-client {number} readlink /proc/self/ns/net"))
    assert len(places) == len(tunnels) == len(networks) == COUNT


def test_each_reaches_the_server_through_its_tunnel(three: Lab) -> None:
    client, server = three.host("client"), three.environment("client")["TUNNEL_PEER"]
    for number in range(1, COUNT + 1):
        said(client, f"as-client {number} ping -n -q -c 1 -W 5 -I {three.vpn.file.interface} {server}")


def test_each_has_keys_of_its_own(three: Lab) -> None:
    client = three.host("client")
    keys = {said(client, f"as-client {number} sha256sum /run/credentials/end.key") for number in range(1, COUNT + 1)}
    assert len(keys) == COUNT


def test_what_runs_as_a_client_may_do_no_more_than_with_one(three: Lab) -> None:
    host, needs = three.host("client"), {*three.vpn.needs(three.variant).capabilities, "NET_ADMIN"}
    for number in range(1, COUNT + 1):
        told = said(host, f"as-client {number} cat /proc/self/status")
        status = dict(re.findall(r"^(\w+):\s+(\w+)", told, re.MULTILINE))
        assert capabilities(status["CapEff"]) == capabilities(status["CapBnd"]) == needs
        assert status["NoNewPrivs"] == "1"


def test_what_runs_as_a_client_may_not_change_the_machine(three: Lab) -> None:
    """Neither by itself, nor through the process that holds a network, nor what the lab runs there next."""
    client = three.container("client")
    for number in range(1, COUNT + 1):
        for path in ("", "/proc/$(cat /run/clients/2.holder)/root"):
            switch = f"{path}/proc/sys/kernel/core_pattern"
            status, _ = client.exec_run(["as-client", str(number), "bash", "-c", f'cat "{switch}" >"{switch}"'])
            assert status, path
        status, _ = client.exec_run(["as-client", str(number), "touch", "/usr/local/bin/each"])
        assert status


def test_what_holds_a_network_may_do_nothing(three: Lab) -> None:
    host = three.host("client")
    for number in range(2, COUNT + 1):
        status = said(host, f"cat /proc/$(cat /run/clients/{number}.holder)/status")
        assert re.search(r"^CapPrm:\s+0+$", status, re.MULTILINE)
        assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)


def test_what_the_server_tells_is_of_each_clients_own_device() -> None:
    """With dtls-gso the proof asks the device of a tunnel, of which the server has three."""
    name = f"{NAME}-devices"
    words = ("--variant", "dtls-gso", "--cipher", "aes-128-gcm", "--tunnels", str(COUNT), "--name", name)
    try:
        assert f"It has {COUNT} tunnels" in lab("up", "openconnect", *words)
        server = testbed.containers_of(connect(), name, role="server")[0]
        devices = {server.exec_run(["env", f"CLIENT={client}", "device"]).output for client in ("client", "client-3")}
        assert len(devices) == 2
    finally:
        lab("down", "--name", name)
