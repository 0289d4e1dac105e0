# SPDX-License-Identifier: MIT
"""The network of the ends: what listens, which addresses there are, and that no way leads out."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import pytest
from docker.models.containers import Container

from lab.engines import ownership
from lab.engines.engine import Engine

from .conftest import ENDS, Lab, said

pytestmark = [pytest.mark.docker]

BENCHMARKING = ipaddress.IPv4Network("198.18.0.0/15")
"""Reserved for measurements (RFC 2544): nothing outside a lab has such an address."""

LOAD_PORTS = {"5000", "5201", "5202"}

PEERS = {"tinc"}
"""VPNs whose ends are peers: the one that calls listens as well."""


@pytest.fixture(scope="module")
def outsider(engine: Engine, images: None) -> Iterator[Container]:
    """A container on Docker's ordinary network that listens on port 9."""
    argv = ["nc", "-l", "-k", "-p", "9"]
    labels = ownership.labels("live-outsider")
    container = engine.client.containers.run(
        "lab/base:latest", argv, name="lab-live-outsider-nc", labels=labels, detach=True, init=True
    )
    try:
        container.reload()
        yield container
    finally:
        container.remove(force=True)


def ports(live: Lab) -> set[tuple[str, str]]:
    """Protocol and port of what the VPN's server waits at."""
    return {(protocol, port) for protocol, port in (each.split("/") for each in live.vpn.listens(live.variant))}


def listeners(live: Lab, end: str) -> set[tuple[str, str]]:
    """Protocol and port of whatever listens on more than the loopback interface."""
    rows = [line.split() for line in said(live.host(end), "ss -Hlntu").splitlines()]
    places = [(row[0], *row[4].rsplit(":", 1)) for row in rows]
    return {(protocol, port) for protocol, address, port in places if not address.startswith(("127.", "[::1]"))}


def test_the_server_listens_for_its_vpn_and_for_the_load(live: Lab) -> None:
    assert listeners(live, "server") == ports(live) | {("tcp", port) for port in LOAD_PORTS}


def test_the_client_waits_for_nobody(live: Lab) -> None:
    found = listeners(live, "client")
    if live.vpn.name in PEERS:
        found -= ports(live)
    assert not {place for place in found if place[0] == "tcp"}
    # A UDP socket that is not connected counts as listening: the client's own, on a port that the kernel drew.
    assert not {place for place in found - ports(live) if int(place[1]) < 32768}
    assert len(found) <= 2


@pytest.mark.parametrize("end", ENDS)
def test_an_end_has_no_address_outside_the_lab(live: Lab, end: str) -> None:
    lines = said(live.host(end), "ip -o -4 address show").splitlines()
    addresses = {line.split()[1]: ipaddress.IPv4Interface(line.split()[3]) for line in lines}
    assert set(addresses) == {"lo", "eth0", live.vpn.file.interface}
    assert all(address in BENCHMARKING for name, address in addresses.items() if name != "lo")
    assert not said(live.host(end), "ip -o -6 address show scope global").strip()


@pytest.mark.parametrize("end", ENDS)
def test_no_way_leads_out_of_the_lab(live: Lab, end: str, outsider: Container) -> None:
    address = outsider.attrs["NetworkSettings"]["IPAddress"]
    # It can be reached from where it is: so the refusal below means something.
    status, output = outsider.exec_run(["wait-until", "20", "nc", "-z", "-w", "2", address, "9"])
    assert status == 0, output
    assert live.host(end).run("nc -z -w 2 %s 9", address).rc != 0
    networks = live.container(end).attrs["NetworkSettings"]["Networks"]
    assert set(networks) == {f"lab-{live.name}-wire"}
    assert live.engine.client.networks.get(f"lab-{live.name}-wire").attrs["Internal"]


@pytest.mark.parametrize("end", ENDS)
def test_an_end_forwards_nothing(live: Lab, end: str) -> None:
    assert live.host(end).sysctl("net.ipv4.ip_forward") == 0


def test_two_labs_are_on_wires_of_their_own(live: Lab, beside: Lab) -> None:
    wires = {bed.engine.client.networks.get(f"lab-{bed.name}-wire").attrs["IPAM"]["Config"][0]["Subnet"]
             for bed in (live, beside)}  # fmt: skip
    assert len(wires) == 2
    other = beside.environment("client")["PEER"]
    assert live.host("client").run("nc -z -w 2 %s 5201", other).rc != 0
