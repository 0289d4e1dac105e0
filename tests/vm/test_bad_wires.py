# SPDX-License-Identifier: MIT
"""A wire that delays, loses and has a small MTU: seen in the echoes and the counters, and no more on the next wire."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from lab.benches.vpn import proof, requirements
from lab.benches.vpn.tunnel import Tunnel, tunnel
from lab.catalog.catalog import Catalog
from lab.engines.choice import Choice
from lab.engines.opening import opened
from lab.testbed import testbed
from lab.testbed.meter import Meter

pytestmark = [pytest.mark.docker, pytest.mark.vm, pytest.mark.timeout(1200)]

FAR = """\
- wire: far
  title: far away, and leaky on the way back
  delay: 20ms
  mtu: 1400
  down: {loss: 10%}
"""
VPN, VARIANT, SUITE = "openvpn", "udp", "chacha20-poly1305"
"""A data path that sends full packets in fragments over such a wire: they are its own."""
SIZE = 300_000
ETHERNET = 14
"""Bytes of the header that the kernel counts with each packet."""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    own = tmp_path_factory.mktemp("wires") / "wires.yaml"
    own.write_text(FAR)
    return Catalog(cables=(Catalog().cables[0], own))


@pytest.fixture(scope="module")
def bed(catalog: Catalog) -> Iterator[tuple[testbed.Testbed, Meter]]:
    with opened(Choice(name="vm", clock="instructions"), print) as engine:
        assert requirements.lacks_wires(engine, list(catalog.wires.values())) == {}
        with testbed.opened(engine, "bad-wires") as lab:
            yield lab, Meter(lab)


def echoes(through: Tunnel, count: int) -> tuple[float, int]:
    """The median round trip of echoes through a tunnel in ms, and how many were lost."""
    text = through.load(["ping", "-n", "-i", "0.01", "-c", str(count), through.address("server")], timeout=30)["stdout"]
    times = sorted(float(value) for value in re.findall(r" time=([\d.]+) ms$", text, re.MULTILINE))
    return times[len(times) // 2], count - len(times)


def send(through: Tunnel) -> None:
    """Send a file, with the proof that it kept to its data path."""
    path = through.bed.payload(SIZE)
    argv = ["sh", "-c", 'exec nc -N "$1" 5202 <"$2"', "sh", through.address("server"), path]
    load = through.load(argv, timeout=60)
    proof.kept_to(load, through.vpn.file.interface)
    proof.explained(load, SIZE, "up")


def test_a_bad_wire_and_then_a_whole_one(catalog: Catalog, bed: tuple[testbed.Testbed, Meter]) -> None:
    vpn, suite = catalog.vpns[VPN], catalog.suites[SUITE]
    with tunnel(*bed, vpn, VARIANT, suite, catalog.wires["far"]) as far:
        far.prove()
        drawn: list[tuple[int, int]] = []
        for _ in range(2):
            with far.laid.shaping(7) as seen:
                middle, lost = echoes(far, 300)
            assert 40 <= middle < 42
            assert seen["up"]["drops"] == 0
            assert seen["down"]["drops"] >= lost > 0
            assert lost < 60
            assert (seen["down"]["options"]["seed"], seen["up"]["options"]["seed"]) == (8, 7)
            drops = seen["down"]["drops"]
            drawn.append((drops + seen["down"]["packets"], drops))
        # The n-th packet has one fate: what was sent beyond, a message of the VPN's own, may have had any.
        (fewer, lost_of_fewer), (more, lost_of_more) = sorted(drawn)
        assert 0 <= lost_of_more - lost_of_fewer <= more - fewer, drawn
        with far.laid.shaping(7) as seen:
            send(far)
        assert seen["mtu"] == {"server": 1400, "client": 1400}
        assert seen["up"]["options"]["delay"]["delay"] == pytest.approx(0.02)
        # Each packet by itself, and full ones in two fragments.
        assert seen["up"]["packets"] > 2 * SIZE / 1400
        assert seen["up"]["bytes"] / seen["up"]["packets"] < 1400 + ETHERNET
        middle, lost = echoes(far, 20)
        assert (middle < 5, lost) == (True, 0), "it does nothing to packets between samples"
    with tunnel(*bed, vpn, VARIANT, suite, catalog.wires["whole"]) as whole:
        whole.prove()
        with whole.laid.shaping(7) as seen:
            middle, lost = echoes(whole, 100)
        assert (middle < 5, lost, seen) == (True, 0, {})
