# SPDX-License-Identifier: MIT
"""matrix --tunnels: what is measured of three clients of one server, and what one that floods leaves the others."""

from __future__ import annotations

from typing import Any

import pytest

from .command import Lab, samples

pytestmark = pytest.mark.docker

THREE = "loads=3 tunnels=3"
STREAMS = "direction=up loads=3 streams=1 tunnels=3"


@pytest.fixture(scope="module")
def taken(shared: Lab) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The samples of a run, by VPN, measure and conditions."""
    words = ("--vpns", "openvpn", "--variants", "udp", "--ciphers", "aes-128-gcm", "--blocks", "1", "--duration", "1")
    shared.ok("matrix", *words, "--measures", "throughput,setup,flood", "--tunnels", "1,3", "--no-report")
    return {(each["vpn"], each["measure"], each["conditions"]): each for each in samples(shared.run())}


def figures(sample: dict[str, Any]) -> dict[tuple[str, str], float]:
    return {(each["metric"], each["end"]): each["value"] for each in sample["readings"]}


def test_all_that_can_be_is_measured(taken: dict[tuple[str, str, str], dict[str, Any]]) -> None:
    conditions = {
        "throughput": ("direction=up streams=1", STREAMS),
        "setup": ("tunnels=1", "tunnels=3"),
        "flood": (THREE,),
    }
    found = {(vpn, measure, given) for (vpn, measure, given), each in taken.items() if each["outcome"] == "ok"}
    assert found == {
        (vpn, measure, given) for vpn in ("openvpn", "plain") for measure, each in conditions.items() for given in each
    }


def test_each_tunnel_is_proved(taken: dict[tuple[str, str, str], dict[str, Any]]) -> None:
    for measure, given in (("throughput", STREAMS), ("flood", THREE)):
        sample = taken["openvpn", measure, given]
        assert sample["proof"]["wire"]["tunnels"] == 3
        assert len(sample["raw"]["shares"]) == 3
        assert all(sample["raw"]["shares"])


def test_a_flood_of_one_takes_from_the_others(taken: dict[tuple[str, str, str], dict[str, Any]]) -> None:
    """The server of OpenVPN is one process: a client's datagrams are in its one queue before the others' packets."""
    told = figures(taken["openvpn", "flood", THREE])
    assert told["kept", "server"] == pytest.approx(told["beside", "server"] / told["calm", "server"])
    assert told["kept", "server"] < 0.8
    assert told["flood", "server"] > 0


def test_one_tunnel_has_no_others(taken: dict[tuple[str, str, str], dict[str, Any]]) -> None:
    sample = taken["openvpn", "flood", "tunnels=1"]
    assert (sample["outcome"], "a flood takes a second tunnel" in sample["reason"]) == ("unsupported", True)
