# SPDX-License-Identifier: MIT
"""build, up, status, down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from docker.errors import APIError
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool

from lab.engines.engine import Engine
from lab.engines.ownership import NAME

from .command import Lab, left_behind

pytestmark = pytest.mark.docker


def state(lab: Lab, name: str) -> dict[str, str] | None:
    """A lab's row in `lab status`."""
    rows = [row for row in lab.ok("status", "--json").json() if row["lab"] == name]
    return rows[0] if rows else None


def test_build_leaves_alone_what_has_not_changed(lab: Lab) -> None:
    lines = [line for line in lab.ok("build").text.splitlines() if line.startswith("image ") and ", root: " not in line]
    assert len(lines) > 4
    assert all(": unchanged" in line for line in lines)
    assert lab.ok("build", "plain").text.splitlines()[-1].endswith(", plain: unchanged")


def test_a_build_that_fails_says_why_and_leaves_no_container(toy: Lab, root: Path) -> None:
    with (root / "images" / "toy" / "Dockerfile").open("a") as file:
        file.write("RUN echo no such luck; exit 7\n")
    before = {container.id for container in toy.engine.client.containers.list(all=True, ignore_removed=True)}
    done = toy("build", "toy")
    assert done.status == 1
    assert "lab/toy:latest could not be built" in done.text
    assert "no such luck" in done.text
    now = toy.engine.client.containers.list(all=True, ignore_removed=True)
    left = [each for each in now if each.id not in before and "no such luck" in str(each.attrs["Config"]["Cmd"])]
    names = [each.name for each in left]
    for each in left:
        each.remove(force=True)
    assert not names


def test_a_lab_goes_up_is_seen_and_goes_down(lab: Lab) -> None:
    text = lab.ok("up", "openvpn", "--variant", "tcp", "--cipher", "aes-256-gcm", "--name", "e2e-one").text
    assert "lab 'e2e-one' is up: OpenVPN, tcp" in text
    row = state(lab, "e2e-one")
    assert row == {
        "lab": "e2e-one",
        "vpn": "openvpn",
        "variant": "tcp",
        "suite": "AES-256-GCM",
        "containers": 5,
        "state": "up",
    }
    assert "e2e-one" in lab.ok("status").text

    # The commands that it tells work.
    told = re.search(r"docker exec -it (\S+) iperf3 --client (\S+)", text)
    assert told
    container = lab.engine.client.containers.get(told[1])
    status, output = container.exec_run(["iperf3", "--client", told[2], "--time", "1"])
    assert status == 0, output

    # A name in use: refused, and the lab of that name is unharmed.
    before = {
        each.id for each in lab.engine.client.containers.list(filters={"label": f"{NAME}=e2e-one"}, ignore_removed=True)
    }
    again = lab("up", "--name", "e2e-one")
    assert again.status == 1
    assert "a lab named 'e2e-one' is up already" in again.text
    assert "lab down --name e2e-one" in again.text
    assert {
        each.id for each in lab.engine.client.containers.list(filters={"label": f"{NAME}=e2e-one"}, ignore_removed=True)
    } == before

    assert "10 containers, networks and volumes removed" in lab.ok("down", "--name", "e2e-one").text
    assert state(lab, "e2e-one") is None
    assert not list(left_behind(lab.engine, lambda labels: labels[NAME] == "e2e-one"))
    gone = lab("down", "--name", "e2e-one")
    assert gone.status == 2
    assert "no lab named 'e2e-one' is up" in gone.text


def test_a_container_of_that_name_is_somebody_elses(lab: Lab) -> None:
    other = lab.engine.client.containers.create("lab/base:latest", "true", name="lab-e2e-taken-client")
    try:
        done = lab("up", "--name", "e2e-taken")
        assert done.status == 1
        assert "client: the engine refused to start it" in done.text
        assert "already in use" in done.text
        other.reload()
    finally:
        other.remove(force=True)


class Occupied:
    """Networks over the benchmarking range, wherever it is free, but for one /24."""

    def __init__(self, engine: Engine, spare: IPv4Network) -> None:
        self.engine = engine
        self.networks: list[Network] = []
        self.spare = self._take(spare)
        self._fill(IPv4Network("198.18.0.0/16"))

    def _take(self, subnet: IPv4Network) -> Network:
        pool = IPAMConfig(pool_configs=[IPAMPool(subnet=str(subnet))])
        name = f"e2e-occupied-{subnet.network_address}-{subnet.prefixlen}"
        network = self.engine.client.networks.create(name, driver="bridge", internal=True, ipam=pool)
        self.networks.append(network)
        return network

    def _fill(self, subnet: IPv4Network) -> None:
        try:
            self._take(subnet)
        except APIError:
            if subnet.prefixlen < 24:
                for half in subnet.subnets():
                    self._fill(half)

    def remove(self) -> None:
        for network in self.networks:
            network.remove()


def free(engine: Engine) -> IPv4Network:
    """A /24 of the benchmarking range that no network has."""
    used = [
        IPv4Network(pool["Subnet"])
        for network in engine.client.networks.list()
        for pool in network.attrs["IPAM"]["Config"] or []
    ]
    return next(net for net in IPv4Network("198.18.0.0/16").subnets(new_prefix=24)
                if not any(net.overlaps(other) for other in used))  # fmt: skip


@pytest.fixture
def occupied(engine: Engine) -> Iterator[Occupied]:
    """The whole range in use."""
    networks = Occupied(engine, free(engine))
    try:
        yield networks
    finally:
        networks.remove()


def test_a_wire_is_found_where_there_is_room_and_only_there(lab: Lab, occupied: Occupied) -> None:
    full = lab("up", "--name", "e2e-full")
    assert full.status == 1
    assert "no free /24 is left in 198.18.0.0/16" in full.text
    assert not list(left_behind(lab.engine, lambda labels: labels[NAME] == "e2e-full"))

    subnet = occupied.spare.attrs["IPAM"]["Config"][0]["Subnet"]
    occupied.networks.remove(occupied.spare)
    occupied.spare.remove()
    lab.ok("up", "--name", "e2e-room")
    assert lab.engine.client.networks.get("lab-e2e-room-wire").attrs["IPAM"]["Config"][0]["Subnet"] == subnet
    lab.ok("down", "--name", "e2e-room")
