# SPDX-License-Identifier: MIT
"""The instruction clock: every data path of every VPN is measured on it, and the figures come back the same."""

from __future__ import annotations

from statistics import median

import pytest
from e2e.command import samples

from lab.catalog.catalog import Catalog
from lab.engines.engine import Engine

from .guests import Patient, left

pytestmark = [pytest.mark.docker, pytest.mark.vm, pytest.mark.timeout(1800)]

CLOCK = (
    "matrix", "--engine", "vm", "--clock", "instructions", "--no-report", "--blocks", "1", "--duration", "1",
    "--measures",
)  # fmt: skip
SUITE = "chacha20-poly1305"
"""The suite that almost every data path has."""


def test_the_same_again(host: Engine, lab: Patient, shared: Patient) -> None:
    """Two runs at once, so that neither has the machine to itself: a packet costs what it costs.

    How much TCP makes of a second hangs on how its ends take turns, which begins differently in each guest. And the
    guest's engine lives in it too: its garbage collection falls into one flood or another, a few per cent of it.
    """
    words = (*CLOCK, "cost", "--vpns", "plain,wireguard", "--ciphers", SUITE, "--seed", "7")
    runs = [(command, command.start(*words, LAB_LOCK=f"{command.results}.lock")) for command in (lab, shared)]
    for command, running in runs:
        done = command.ended(running)
        assert done.status == 0, done.text
    one, other = (costs(command) for command in (lab, shared))
    assert {vpn for vpn, _ in one} == {"plain", "wireguard"}
    assert len(one) == len(other) == 4
    apart = {cell: abs(one[cell] / other[cell] - 1) for cell in one}
    assert median(apart.values()) < 0.02, apart
    assert max(apart.values()) < 0.2, apart
    for _, running in runs:
        assert not list(left(host, f"{running.pid}-"))


def costs(lab: Patient) -> dict[tuple[str, str], float]:
    """Instructions by packet of the whole machine, by VPN and size."""
    return {
        (sample["vpn"], sample["conditions"]): each["value"]
        for sample in samples(lab.run())
        for each in sample["readings"]
        if (each["metric"], each["end"]) == ("instructions_per_packet", "machine")
    }


def test_every_data_path(lab: Patient) -> None:
    suite, vpns = Catalog().suites[SUITE], Catalog().vpns.values()
    paths = {
        (vpn.name, variant): not vpn.file.control and vpn.why_not(variant, suite)
        for vpn in vpns
        for variant in vpn.file.variants
    }
    done = lab(*CLOCK, "throughput", "--ciphers", SUITE)
    taken = samples(lab.run())
    wrong = [
        f"{each['vpn']} {each['variant']}: {each['outcome']}: {each['reason']}"
        for each in taken
        if each["outcome"] != ("unsupported" if paths[each["vpn"], each["variant"]] else "ok")
    ]
    assert not wrong
    assert done.status == 0, done.text
    assert {(each["vpn"], each["variant"]) for each in taken} == set(paths)
    assert {each["clock"] for each in taken} == {"instructions"}
    assert {each["records"] for each in taken} >= {"user", "kernel", "kernel-tx"}


def test_ipv6_on_the_wire_and_in_the_tunnel(lab: Patient) -> None:
    """What the kernel carries; what runs in user space is taken on this machine's own kernel."""
    paths = {
        ("plain", "wire"), ("wireguard", "udp"), ("libreswan", "esp"), ("libreswan", "esp-in-udp"),
        ("strongswan", "esp"), ("openvpn", "udp-kernel"), ("openvpn", "udp-kernel-1440"), ("openvpn", "tcp-kernel"),
        ("openconnect", "dtls-kernel"),
    }  # fmt: skip
    wires = ("ipv6", "ipv6-inside")
    vpns, variants = ({path[number] for path in paths} for number in (0, 1))
    words = ("--vpns", ",".join(sorted(vpns)), "--variants", ",".join(sorted(variants - {"wire"})))
    done = lab(*CLOCK, "throughput", "--ciphers", SUITE, "--wires", ",".join(wires), *words)
    found = {(each["vpn"], each["variant"], each["conditions"].rpartition("wire=")[2]): each["reason"]
             for each in samples(lab.run())}  # fmt: skip
    wanted = {(*path, wire): "" for path in paths for wire in wires}
    assert {cell: found[cell] for cell in wanted} == wanted, done.text


def test_three_tunnels_of_the_kernel(lab: Patient) -> None:
    vpns, variants = "wireguard,libreswan,strongswan,openconnect", "udp,esp,dtls-kernel,tls-kernel"
    chosen = ("--vpns", vpns, "--variants", variants, "--ciphers", SUITE, "--tunnels", "3")
    done = lab(*CLOCK, "throughput,setup", *chosen)
    taken = [each for each in samples(lab.run()) if each["vpn"] != "plain"]
    assert [each["reason"] for each in taken] == [""] * 10, done.text
    found = {(each["metric"], each["end"]) for sample in taken for each in sample["readings"]}
    assert {("fairness", "server"), ("ready", "client"), ("memory", "server")} <= found
