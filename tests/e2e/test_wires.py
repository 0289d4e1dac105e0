# SPDX-License-Identifier: MIT
"""How packets pass the wire: what one of them holds, by the counters of the ends' own interfaces."""

from __future__ import annotations

import json

import pytest

from .command import Lab, samples

pytestmark = pytest.mark.docker

WORDS = (
    "matrix", "--vpns", "plain,openconnect", "--variants", "dtls-gso", "--ciphers", "aes-128-gcm", "--blocks", "1",
    "--measures", "throughput", "--directions", "up,down", "--duration", "1", "--no-report", "--wires",
)  # fmt: skip
ETHERNET = 1514
"""Bytes of the longest packet on a wire with an MTU of 1500."""


def test_packets_pass_whole_or_cut(lab: Lab) -> None:
    lab.ok(*WORDS, "whole,cut")
    sizes = {}
    for sample in samples(lab.run()):
        assert sample["outcome"] == "ok", sample["reason"]
        before, after = ({end: it["interfaces"]["eth0"] for end, it in sample["raw"]["load"][when]["ends"].items()}
                         for when in ("before", "after"))  # fmt: skip
        end = "client" if "direction=up" in sample["conditions"] else "server"
        sent = {name: after[end][f"tx_{name}"] - before[end][f"tx_{name}"] for name in ("bytes", "packets")}
        sizes[sample["vpn"], sample["conditions"]] = sent["bytes"] / sent["packets"]
    assert len(sizes) == 8
    for (vpn, conditions), size in sizes.items():
        if "wire=cut" in conditions:
            assert 1000 < size <= ETHERNET, (vpn, conditions)
        else:  # superpackets of TCP, and trains of datagrams
            assert size > 8 * ETHERNET, (vpn, conditions)


def test_ipv6_on_the_wire_and_in_the_tunnel(lab: Lab) -> None:
    """All that runs in user space, so on this machine's own kernel. Here one version of IP carries the other."""
    vpns, variants = "plain,openvpn,openconnect,tinc,wireguard", "udp,tcp,udp-busy-stable,dtls,tls,udp-go"
    suites = "chacha20-poly1305,aes-128-cbc-sha1"
    words = ("--measures", "throughput", "--duration", "1", "--blocks", "1", "--no-report")
    chosen = ("--vpns", vpns, "--variants", variants, "--ciphers", suites, "--wires", "ipv6,ipv6-inside")
    lab("matrix", *chosen, *words)
    found = [each for each in samples(lab.run()) if each["outcome"] != "unsupported"]
    assert {each["reason"] for each in found} == {""}
    assert {f"{each['vpn']}/{each['variant']}" for each in found} >= {
        "plain/wire", "openvpn/udp", "openvpn/tcp", "openvpn/udp-busy-stable", "openconnect/dtls", "openconnect/tls",
        "tinc/udp", "wireguard/udp-go",
    }  # fmt: skip
    for each in found:
        assert each["proof"]["wire"]["cleartext"] == (each["vpn"] == "plain")
        address = json.loads(each["raw"]["load"]["stdout"])["start"]["connecting_to"]["host"]
        assert (":" in address) == (each["vpn"] == "plain" or "ipv6-inside" in each["conditions"]), address


def test_every_load_takes_ipv6(lab: Lab) -> None:
    """But for `datagrams`, which finds no rate on a machine that does other things at the wrong moment."""
    measures = "throughput,transfer,nuttcp,latency"
    words = ("--duration", "1", "--blocks", "1", "--size", "1MB", "--no-report")
    lab.ok("matrix", "--vpns", "plain", "--wires", "ipv6-only", "--measures", measures, *words)
    assert {(each["measure"], each["reason"]) for each in samples(lab.run())} == {
        (measure, "") for measure in measures.split(",")
    }
