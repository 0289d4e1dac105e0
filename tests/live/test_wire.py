# SPDX-License-Identifier: MIT
"""The tunnel: it is up, traffic crosses it, and the wire shows ciphertext and nothing else.

Looked at with captures of this test's own, not with the lab's proof.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass

import pytest

from .conftest import ENDS, Lab, said

pytestmark = [pytest.mark.docker]

REPEATS = 1000
CROSS = r"""
set -euo pipefail
inside=$1 address=$2 marker=$3 filter=$4 repeats=$5
capture() {
    tcpdump -i "$1" -n -s 65535 -B 16384 -U --immediate-mode -Z root -w "/run/$2.pcap" 2>"/run/$2.log" &
    wait-until 20 grep -q '^tcpdump: listening on' "/run/$2.log"
}
trap 'rm -f /run/wire.* /run/tunnel.*' EXIT
capture eth0 wire; outer=$!
capture "$inside" tunnel; inner=$!
eval "printf '$marker%.0s' {1..$repeats}" | nc -N -w 20 "$address" 5202
least=$((repeats * ${#marker}))
for file in wire tunnel; do wait-until 20 bash -c "((\$(stat -c %s /run/$file.pcap) > $least))"; done
kill -INT "$outer" "$inner"
wait
base64 -w 0 /run/wire.pcap; echo
base64 -w 0 /run/tunnel.pcap; echo
tcpdump -n -Z root -r /run/wire.pcap "not ($filter) and not arp and not icmp6" 2>/dev/null
"""


@dataclass(frozen=True)
class Crossing:
    """What was seen while a marker was sent through the tunnel many times."""

    marker: bytes
    wire: bytes
    tunnel: bytes
    stray: str


@pytest.fixture(scope="module")
def crossing(live: Lab) -> Crossing:
    """The client sends the marker by TCP to the other end of the tunnel."""
    marker = secrets.token_hex(16)
    words = [live.vpn.file.interface, live.environment("client")["TUNNEL_PEER"], marker]
    words += [live.vpn.file.variants[live.variant].wire, str(REPEATS)]
    text = said(live.host("client-load"), "bash -c %s cross %s %s %s %s %s", CROSS, *words)
    wire, tunnel, stray = text.split("\n", 2)
    return Crossing(marker.encode(), base64.b64decode(wire), base64.b64decode(tunnel), stray)


@pytest.mark.parametrize("end", ENDS)
def test_the_interface_is_up_and_has_the_address(live: Lab, end: str) -> None:
    host, name = live.host(end), live.vpn.file.interface
    interface = host.interface(name)
    assert interface.exists
    assert live.environment(end)["TUNNEL_ADDRESS"] in interface.addresses
    assert ",UP" in said(host, "ip -o link show dev %s", name)


@pytest.mark.parametrize("end", ENDS)
def test_the_other_end_is_reached_through_the_tunnel(live: Lab, end: str) -> None:
    host, name = live.host(end), live.vpn.file.interface
    peer = live.environment(end)["TUNNEL_PEER"]
    assert f" dev {name} " in said(host, "ip -o route get %s", peer)
    counters = f"cat /sys/class/net/{name}/statistics/rx_packets"
    before = int(said(host, counters))
    said(host, "ping -n -q -c 5 -i 0.05 -W 5 %s", peer)
    assert int(said(host, counters)) >= before + 5


def test_what_is_sent_crosses_the_tunnel(crossing: Crossing) -> None:
    assert crossing.tunnel.count(crossing.marker) > REPEATS / 2


def test_the_wire_shows_the_marker_only_where_nothing_is_encrypted(live: Lab, crossing: Crossing) -> None:
    assert (crossing.marker in crossing.wire) is not live.encrypts


def test_all_of_it_crosses_the_wire(crossing: Crossing) -> None:
    assert len(crossing.wire) > REPEATS * len(crossing.marker)


def test_no_packet_goes_past_the_tunnel(crossing: Crossing) -> None:
    assert not crossing.stray.strip()


def test_without_the_interface_nothing_arrives(live: Lab) -> None:
    if live.vpn.file.interface == "eth0":
        pytest.skip("the wire itself is the tunnel")
    host, name, peer = live.host("server"), live.vpn.file.interface, live.environment("server")["TUNNEL_PEER"]
    routes = said(host, "ip route show dev %s", name).splitlines()  # those that a daemon made go with the link
    said(host, "ip link set dev %s down", name)
    try:
        assert host.run("ping -n -q -c 2 -i 0.1 -W 1 %s", peer).rc != 0
    finally:
        said(host, "ip link set dev %s up", name)
        for route in routes:
            said(host, f"ip route replace {route} dev %s", name)
        said(host, "wait-until 20 ping -n -q -c 1 -W 1 %s", peer)
