# SPDX-License-Identifier: MIT
"""Two guests on a cable: a run between them, what each machine tells, and engines that are named by their sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from e2e.command import samples

from lab.core.errors import LabError
from lab.engines.choice import Choice
from lab.engines.engine import Engine
from lab.engines.opening import opened
from lab.testbed import link, testbed
from lab.testbed.testbed import Testbed

from .guests import Patient, run

pytestmark = [pytest.mark.docker, pytest.mark.vm, pytest.mark.timeout(1500)]

WORDS = (
    "matrix", "--server", "vm", "--client", "vm", "--vpns", "plain,openvpn,wireguard", "--variants", "udp",
    "--ciphers", "chacha20-poly1305", "--measures", "throughput,transfer,latency,handshake", "--blocks", "1",
    "--duration", "1", "--size", "100KB",
)  # fmt: skip


@pytest.fixture(scope="module")
def taken(shared: Patient) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """A run between two guests: its `meta.json`, its samples, and what the command said."""
    done = shared(*WORDS)
    folder = shared.run()
    assert done.status == 0, done.text
    return json.loads((folder / "meta.json").read_text()), samples(folder), done.text


Taken = tuple[dict[str, Any], list[dict[str, Any]], str]


def figures(sample: dict[str, Any]) -> dict[tuple[str, str], float]:
    return {(each["metric"], each["end"]): float(each["value"]) for each in sample["readings"]}


def test_every_sample_is_proved_and_says_where_it_was_taken(taken: Taken) -> None:
    meta, found, text = taken
    assert len(found) == 15
    assert {(each["outcome"], each["engine"], each["clock"]) for each in found} == {("ok", "cable", "wall")}, text
    assert {each["vpn"] for each in found} == {"plain", "openvpn", "wireguard"}
    assert all(each["proof"]["wire"] for each in found)
    assert all(each["clocks"]["within"] >= 0 for each in found)
    assert meta["engine"]["name"] == "cable"


def test_both_machines_have_a_ledger(taken: Taken) -> None:
    for sample in taken[1]:
        if sample["measure"] not in ("throughput", "transfer"):
            continue
        found = figures(sample)
        both = found["cost", "client-machine"] + found["cost", "server-machine"]
        assert found["cost", "machine"] == pytest.approx(both)
        for end in ("server", "client"):
            assert found["cpu_system", f"{end}-machine"] > 0
            assert ("cost", end) in found or sample["vpn"] != "openvpn"


def test_both_machines_are_described(taken: Taken) -> None:
    meta = taken[0]
    assert {each["driver"] for each in meta["cable"].values()} == {"virtio_net"}
    assert {each["mtu"] for each in meta["cable"].values()} == {"1500"}
    for offload in ("tcp-segmentation-offload", "tx-checksumming"):
        assert {each[offload] for each in meta["cable"].values()} == {"off"}, "the cable would carry what no cable does"
    assert meta["server"]["machine"]["kernel"] == meta["machine"]["kernel"]
    assert meta["processors"] == 2


@pytest.fixture(scope="module")
def pair() -> Iterator[Engine]:
    """The client's engine of two guests; the server's is its far one."""
    with opened(Choice(name="cable"), print) as engine:
        yield engine


def named(engine: Engine, interface: str = "") -> str:
    return f"{engine.address}%{interface or engine.interface}"


@pytest.fixture(scope="module")
def far(pair: Engine) -> Engine:
    assert pair.far is not None
    return pair.far


class TestNamedEngines:
    """Machines that answer at a socket, as those do that SSH reaches: here, two guests."""

    def test_their_ends_meet_on_the_cable(self, pair: Engine, far: Engine) -> None:
        choice = Choice(server=named(far), client=named(pair))
        with opened(choice, print) as engine, testbed.opened(engine, "by-name") as bed:
            assert [each.name for each in engine.every] == ["cable", "cable"]
            self.meet(bed)

    def meet(self, bed: Testbed) -> None:
        """Containers of both machines reach one another, and see nothing else."""
        plan = bed.compose.resolve(bed.variables)
        ends = {end: bed.start(end, plan) for end in ("server", "client")}
        try:
            there = bed.at("client").engine.execute(ends["client"], ["ping", "-c1", "-W9", bed.variables["LAB_SERVER"]])
            assert there.status == 0, there.complaint
            route = bed.engine.execute(ends["client"], ["ip", "route", "get", "192.0.2.1"])
            assert route.status, "there is no way out of the cable"
            assert set(link.clocks(bed, ends)) == {"ahead", "within"}
            for end, other in (("server", "client"), ("client", "server")):
                listing = ["ls", "/run/credentials"]
                assert "end.key" in bed.at(end).engine.ask(ends[end], listing).stdout
                volume = {f"lab-{bed.name}-{other}-credentials": {"bind": "/there", "mode": "ro"}}
                assert bed.at(end).engine.once("lab/base:latest", ["ls", "/there"], volumes=volume).stdout == "", (
                    f"the {end}'s machine has the {other}'s secrets"
                )
        finally:
            bed.remove(ends)

    @pytest.mark.parametrize(
        ("interface", "said"),
        [("eth9", "the client's machine cannot use the cable: it has no interface eth9: there are .*eth1"),
         ("dummy9", "the client's machine cannot use the cable: its interface dummy9 is down, or has no cable")],
    )  # fmt: skip
    def test_an_interface_that_is_of_no_use(self, pair: Engine, far: Engine, interface: str, said: str) -> None:
        made = run(pair, "ip link add dummy9 type dummy || :", network_mode="host", cap_add=["NET_ADMIN"])
        assert made.status == 0
        choice = Choice(server=named(far), client=named(pair, interface))
        with pytest.raises(LabError, match=said), opened(choice, print):
            pass

    def test_both_ends_on_one_machine_are_no_cable(self, pair: Engine) -> None:
        with (
            pytest.raises(LabError, match="both ends have the same Docker engine"),
            opened(Choice(server=named(pair), client=named(pair)), print),
        ):
            pass

    def test_an_engine_that_does_not_answer_is_named(self, pair: Engine) -> None:
        choice = Choice(server="unix:///nowhere/docker.sock%eth1", client=named(pair))
        with (
            pytest.raises(LabError, match=r"the server's Docker engine does not answer at unix:///nowhere"),
            opened(choice, print),
        ):
            pass

    def test_a_machine_that_ssh_does_not_reach_is_named(self, pair: Engine) -> None:
        choice = Choice(server="ssh://127.0.0.1:9%eth1", client=named(pair))
        with pytest.raises(LabError, match=r"ssh://127.0.0.1:9 cannot be reached: .*refused"), opened(choice, print):
            pass


def test_a_subnet_that_one_machine_has_is_not_taken(pair: Engine, far: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing of the attempt stays on the other."""
    monkeypatch.setattr("secrets.randbelow", lambda _: 7)
    with testbed.opened(replace(far, interface=""), "first") as first:
        taken = first.variables["LAB_SUBNET"]
        with testbed.opened(replace(pair, far=far), "second") as second:
            assert second.variables["LAB_SUBNET"] != taken
            names = [str(network.name) for network in pair.client.networks.list(names=["second"])]
            assert len(names) == 1


def test_one_lab_at_a_time_has_an_interface(pair: Engine) -> None:
    said = pytest.raises(LabError, match="already using parent interface")
    with testbed.opened(pair, "first"), said as caught, testbed.opened(pair, "second"):
        pass
    assert "docker network ls" in caught.value.hint
