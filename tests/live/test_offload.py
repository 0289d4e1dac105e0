# SPDX-License-Identifier: MIT
"""OpenConnect with segmentation offloads: beside a peer without them, over TLS, and with other messages in between.

The wire is looked at with captures of this test's own: each record has its number and, with AES-GCM, its nonce.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator

import pytest

from lab.engines.engine import Engine

from .conftest import CATALOG, Lab, said, up

pytestmark = pytest.mark.docker

OFFLOADED, STOCK, TLS = "dtls-gso", "dtls", "tls"
STOP = """
daemons() { pgrep -v -x 'docker-init|tini|sleep|sh|bash|pgrep|wait-until'; }
export -f daemons
kill -KILL $(daemons)
wait-until 10 bash -c '! daemons'
rm -rf /run/vpn
"""
"""All but the container's own processes are the VPN's."""
KEEPALIVE = "sed -i /^keepalive/d $0; printf 'keepalive = 1\\n' >>$0"
"""A message of the client's own after each second without a packet."""


@pytest.fixture(scope="module")
def bed(engine: Engine, lacks: dict[tuple[str, str], str]) -> Iterator[Lab]:
    """A lab whose image has the patched programs and Debian's."""
    with up(engine, lacks, "live-offload", CATALOG.vpns["openconnect"], OFFLOADED) as brought_up:
        said(brought_up.host("server"), "sh -c %s /usr/local/share/ocserv.conf", KEEPALIVE)
        yield brought_up


def start(bed: Lab, *, server: str, client: str, suite: str = "AES-128-GCM") -> None:
    """Bring both ends up anew, each in a variant of its own."""
    for end in ("server", "client"):
        said(bed.host(end), "bash -c %s", STOP)
    for end, variant in (("server", server), ("client", client)):
        said(bed.host(end), "env %s %s up", f"VARIANT={variant}", f"SUITE={suite}")


def carried(bed: Lab, *words: str, seconds: int = 1) -> int:
    """Bytes that a TCP stream carried through the tunnel."""
    peer = bed.environment("client")["TUNNEL_PEER"]
    command = " ".join(["iperf3 --json --time %s --client %s", *words])
    report = json.loads(said(bed.host("client-load"), command, str(seconds), peer))
    return int(report["end"]["sum_received"]["bytes"])


@pytest.mark.parametrize(
    ("server", "client"),
    [(OFFLOADED, STOCK), (STOCK, OFFLOADED), (OFFLOADED, TLS), (OFFLOADED, OFFLOADED)],
    ids=lambda variant: variant,
)
def test_either_end_may_be_without(bed: Lab, server: str, client: str) -> None:
    start(bed, server=server, client=client)
    for words in ([], ["--reverse"]):
        assert carried(bed, *words) > 1_000_000
    peer = bed.environment("client")["TUNNEL_PEER"]
    # Larger than the MTU, so in fragments, and small; UDP in trains, and more than one flow.
    for size in (8, 1000, 5000):
        said(bed.host("client-load"), "ping -n -q -c 3 -i 0.05 -W 5 -s %s %s", str(size), peer)
    udp = json.loads(
        said(bed.host("client-load"), "iperf3 --json --udp --bitrate 50M --time 1 --length 1200 --client %s", peer)
    )
    # A busy machine drops some; of trains that are not taken apart next to nothing would come.
    assert udp["end"]["sum"]["lost_percent"] < 50
    assert carried(bed, "--parallel", "4") > 1_000_000


@pytest.mark.parametrize(
    "suite", ["AES-128-GCM", "AES-256-GCM", "AES-128-CCM", "CHACHA20-POLY1305", "AES-128-CBC+SHA1"]
)
def test_every_kind_of_suite(bed: Lab, suite: str) -> None:
    """Those that are sealed beside GnuTLS, with and without a nonce on the wire, and one that GnuTLS seals itself."""
    start(bed, server=OFFLOADED, client=OFFLOADED, suite=suite)
    for words in ([], ["--reverse"]):
        assert carried(bed, *words) > 1_000_000


CAPTURE = r"""
set -euo pipefail
address=$1
tcpdump -i eth0 -n -s 0 -B 65536 -U --immediate-mode -Z root -w /run/records.pcap udp port 443 2>/run/tcpdump.log &
capture=$!
trap 'rm -f /run/records.pcap' EXIT
kept_alive() {  # how many times: a record of one byte to the server
    local seen=$(tcpdump -n -Z root -r /run/records.pcap 'udp dst port 443 and udp[4:2] = 46' 2>/dev/null | wc -l)
    ((seen >= $1))
}
export -f kept_alive
wait-until 20 grep -q '^tcpdump: listening on' /run/tcpdump.log
for turn in 1 2 3 4; do
    # Between two tests its server listens anew: whoever comes just then is reset.
    wait-until 20 iperf3 --bytes 400K --client "$address"
    wait-until 20 bash -c "kept_alive $turn"
done
kill -INT "$capture"
wait
base64 -w 0 /run/records.pcap
"""


def records(capture: bytes) -> Iterator[tuple[bytes, int, bytes, bytes]]:
    """The DTLS records of a capture of UDP over IPv4: sender, type, number and, if it is one of AES-GCM, nonce."""
    at = 24
    while at + 16 <= len(capture):
        (size,) = struct.unpack_from("=I", capture, at + 8)
        packet = capture[at + 16 + 14 : at + 16 + size]
        at += 16 + size
        payload = packet[(packet[0] & 15) * 4 + 8 :]
        while len(payload) >= 13:  # a train is captured as the one packet that it passes as
            (length,) = struct.unpack_from("!H", payload, 11)
            yield packet[12:16], payload[0], payload[3:11], payload[13:21]
            payload = payload[13 + length :]


def test_no_number_is_used_twice(bed: Lab) -> None:
    """With packets sealed beside GnuTLS, and in between messages that GnuTLS seals itself."""
    start(bed, server=OFFLOADED, client=OFFLOADED)
    text = said(bed.host("client-load"), "bash -c %s capture %s", CAPTURE, bed.environment("client")["TUNNEL_PEER"])
    seen: dict[bytes, list[bytes]] = {}
    for sender, kind, number, nonce in records(base64.b64decode(text)):
        if kind == 23 and number[:2] != b"\0\0":
            assert nonce == number
            seen.setdefault(sender, []).append(number)
    assert len(seen) == 2
    for numbers in seen.values():
        assert len(numbers) > 100
        assert len(set(numbers)) == len(numbers)
        # All of one sequence: nothing is left out either, but for what the capture may have lost.
        steps = sorted(int.from_bytes(number, "big") for number in numbers)
        assert steps[-1] - steps[0] < len(steps) * 1.05
    said(bed.host("client"), "grep -q %s /run/vpn/openconnect.log", "takes superpackets")


REPLAY = r"""
set -euo pipefail
tunnel=$1 wire=$2 early=$3
failed() { echo "$1" >&2; exit 1; }
pinged() { ping -n -q -W 5 "$@" "$tunnel" >/dev/null || failed "no answer to ping $*, after $sent alone"; }
sent=0
((early == 0)) || pinged -c "$early" -i 0.005
tcpdump -i eth0 -n -s 0 -c 1 -U --immediate-mode -Z root -w /run/one.pcap \
    "udp port 443 and dst $wire and udp[4:2] = 174" 2>/run/tcpdump.log &
trap 'rm -f /run/one.pcap' EXIT
capture=$!
wait-until 20 grep -q '^tcpdump: listening on' /run/tcpdump.log
end=$((SECONDS + 30))  # one that leaves beside another is not what the filter looks for
while kill -0 "$capture" 2>/dev/null; do
    ((SECONDS < end)) || failed "none of $sent pings left alone"
    pinged -c 1 -s 100
    ((++sent))
done
wait
perl -MSocket -e '
    open my $file, "<:raw", $ARGV[0] or die "$ARGV[0]: $!\n";
    my $packet = substr do { local $/; <$file> }, 24 + 16 + 14;
    substr($packet, 26, 2) = "\0\0";  # the device would have computed the checksum: none
    socket my $raw, AF_INET, SOCK_RAW, 255 or die "socket: $!\n";
    my $behind = $packet;  # a forged alert of the same epoch before it, which would be refused alone
    substr($behind, 28, 0) = pack("CnnNnn", 21, 0xfefd, 1, 0, 9, 30) . "\0" x 30;
    substr($behind, 24, 2) = pack "n", 174 + 13 + 30;
    for my $one (($packet) x 20, ($behind) x 20) {
        send $raw, $one, 0, pack_sockaddr_in 0, inet_aton $ARGV[1] or die "send: $!\n";
    }
' /run/one.pcap "$wire"
pinged -c 1
echo "$sent"
"""
"""A ping of 100 bytes makes a datagram of 174 (20 + 8 of IP and ICMP, 1 + 13 + 8 + 16 of the record, 8 of UDP)."""


def echoes(bed: Lab, end: str) -> int:
    """How many echo requests an end has received."""
    names, values = (line.split() for line in said(bed.host(end), "grep ^Icmp: /proc/net/snmp").splitlines())
    return int(values[names.index("InEchos")])


@pytest.mark.parametrize("early", [0, 200], ids=["by GnuTLS", "by the opener"])
@pytest.mark.parametrize(("attacker", "victim"), [("client", "server"), ("server", "client")])
def test_a_record_is_taken_once(bed: Lab, attacker: str, victim: str, early: int) -> None:
    """Also by an end that has sealed records itself in between: its answers to the ping.

    The first records of a session are GnuTLS's. A replay comes alone, and behind a record that is none.
    """
    start(bed, server=OFFLOADED, client=OFFLOADED)
    before, environment = echoes(bed, victim), bed.environment(attacker)
    where = bed.host(f"{attacker}-load")
    peers = environment["TUNNEL_PEER"], environment["PEER"]
    sent = int(said(where, "bash -c %s replay %s %s %s", REPLAY, *peers, str(early)))
    assert echoes(bed, victim) == before + early + sent + 1
