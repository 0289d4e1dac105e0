# SPDX-License-Identifier: MIT
"""OpenConnect whose packets the kernel carries: beside peers without it, across what ends a session or moves it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest
from docker.models.containers import Container
from e2e.command import wait_for

from lab.benches.vpn import requirements
from lab.benches.vpn.tunnel import Tunnel
from lab.catalog.catalog import Catalog
from lab.engines.choice import Choice
from lab.engines.engine import Engine
from lab.engines.opening import opened
from lab.testbed import testbed
from lab.testbed.meter import Meter

pytestmark = [pytest.mark.docker, pytest.mark.vm, pytest.mark.timeout(1800)]

KERNEL, OFFLOADED, STOCK = "dtls-kernel", "dtls-gso", "dtls"
VPN = Catalog().vpns["openconnect"]
SUITE = "AES-128-GCM"
STOP = """
daemons() { pgrep -v -x 'docker-init|tini|sleep|sh|bash|pgrep|wait-until|timeout'; }
export -f daemons
kill -KILL $(daemons)
wait-until 20 bash -c '! daemons'
rm -rf /run/vpn
"""
"""All but the container's own processes are the VPN's."""
SETTINGS = "/usr/local/share/ocserv.conf"
CARRIED = re.compile(r"^kernel tunnel: DTLS1\.2 AES-128-GCM tun0 rx=(\d+) tx=(\d+)$", re.MULTILINE)


class Ends:
    """Both ends in a guest, brought up anew as often as one likes, each in a variant of its own."""

    def __init__(self, bed: testbed.Testbed, tunnel: Tunnel) -> None:
        self.bed, self.tunnel = bed, tunnel
        self.peer = tunnel.address("server")

    def container(self, role: str) -> Container:
        return testbed.containers_of(self.bed.engine, self.bed.name, role=role)[0]

    def run(self, role: str, *argv: str, timeout: float = 60) -> str:
        """What a command prints at an end; it must succeed."""
        result = self.bed.engine.execute(self.container(role), list(argv), timeout=timeout)
        assert result.status == 0, result.stdout + result.stderr
        return result.stdout

    def start(self, server: str, client: str) -> None:
        for end in ("server", "client"):
            self.run(end, "bash", "-c", STOP)
        for end, variant in (("server", server), ("client", client)):
            self.run(end, "env", f"VARIANT={variant}", f"SUITE={SUITE}", "up")

    def carried(self, end: str) -> tuple[int, int]:
        """Bytes of packets that the kernel gave to the tunnel's device and took from it; none: the daemon does."""
        found = CARRIED.search(self.run(end, "kernel-tunnel"))
        return (int(found[1]), int(found[2])) if found else (0, 0)

    def counters(self, end: str) -> dict[str, int]:
        """What the kernel has counted of the session whose packets it carries; empty when the daemon does."""
        return {
            name: int(value)
            for session in self.sessions(end)
            if session["tunnel"] == "tun0"
            for name, value in session.items()
            if value.isdigit()
        }

    def sessions(self, end: str) -> list[dict[str, str]]:
        """What the kernel says of each session that it has."""
        names, *lines = (line.split() for line in self.run(end, "cat", "/proc/net/ktls").splitlines())
        return [dict(zip(names, line, strict=True)) for line in lines]

    @contextmanager
    def configured(self, **settings: str) -> Iterator[None]:
        """Servers that start meanwhile have these settings in place of the lab's own."""
        kept = self.run("server", "cat", SETTINGS)
        other = "|".join(name.replace("_", "-") for name in settings)
        lines = [line for line in kept.splitlines() if not re.match(rf"({other}) =", line)]
        lines += [f"{name.replace('_', '-')} = {value}" for name, value in settings.items()]
        self.write(SETTINGS, "\n".join(lines) + "\n")
        try:
            yield
        finally:
            self.write(SETTINGS, kept)

    def write(self, path: str, text: str) -> None:
        self.run("server", "bash", "-c", 'printf %s "$1" >"$2"', "write", text, path)

    def stream(self, *words: str) -> int:
        """Bytes that TCP carried: some megabytes, however long it takes."""
        argv = ("iperf3", "--json", "--bytes", "4M", "--client", self.peer, *words)
        return int(json.loads(self.run("client-load", *argv))["end"]["sum_received"]["bytes"])

    def ping(self, *words: str) -> None:
        self.run("client-load", "ping", "-n", "-q", "-c", "3", "-i", "0.05", "-W", "10", *words, self.peer)

    def log(self, end: str) -> str:
        return self.run(end, "cat", "/run/vpn/openconnect.log")


@pytest.fixture(scope="module")
def ends() -> Iterator[Ends]:
    with opened(Choice(name="vm", processors=2), print) as engine:
        assert not requirements.lacks(engine, [VPN]).get(("openconnect", KERNEL))
        yield from brought_up(engine)


def brought_up(engine: Engine) -> Iterator[Ends]:
    suite = next(row for row in Catalog().suites.values() if row.native.get(VPN.file.dialect) == SUITE)
    with testbed.opened(engine, "kernel-tunnel") as bed:
        tunnel = Tunnel(bed, Meter(bed), VPN, KERNEL, suite, Catalog().wires["whole"])
        tunnel.bring_up()
        yield Ends(bed, tunnel)


def idle(ends: Ends, end: str) -> bool:
    return ends.carried(end) == (0, 0)


def taken(ends: Ends, end: str) -> bool:
    return min(ends.carried(end)) > 0


@pytest.mark.parametrize(
    ("server", "client"),
    [(KERNEL, STOCK), (STOCK, KERNEL), (KERNEL, OFFLOADED), (OFFLOADED, KERNEL), (KERNEL, KERNEL)],
    ids=lambda variant: variant,
)
def test_either_end_may_be_without(ends: Ends, server: str, client: str) -> None:
    ends.start(server, client)
    for words in ([], ["--reverse"], ["--parallel", "4"]):
        assert ends.stream(*words) > 1_000_000
    for size in ("8", "1000", "5000"):
        ends.ping("-s", size)
    for end, variant in (("server", server), ("client", client)):
        received, sent = ends.carried(end)
        assert (received > 1_000_000 and sent > 1_000_000) == (variant == KERNEL)


def test_the_daemons_say_what_passed_without_them(ends: Ends) -> None:
    ends.start(KERNEL, KERNEL)
    ends.stream()
    ends.stream("--reverse")
    totals = re.search(r"^RX: .* \((\d+) B\); TX: .* \((\d+) B\)$", ends.run("client", "session"), re.MULTILINE)
    assert totals is not None
    for told, counted in zip(map(int, totals.groups()), ends.carried("client"), strict=True):
        assert counted <= told <= counted + 10_000


def test_a_client_that_connects_anew_is_carried_again(ends: Ends) -> None:
    ends.start(KERNEL, KERNEL)
    ends.stream()
    before = ends.carried("client")
    ends.run("client", "bash", "-c", "kill -USR2 $(</run/vpn/pid)")
    wait_for(lambda: ends.log("client").count("Established DTLS connection") == 2, "a new session", 60)
    ends.ping()
    wait_for(lambda: 0 < ends.carried("client")[1] < before[1], "the kernel to have it", 60)
    assert ends.stream() > 1_000_000
    assert ends.carried("server")[0] > 1_000_000


def test_peers_that_ask_are_answered_by_the_daemons(ends: Ends) -> None:
    """Dead peer detection, both ways, is not the kernel's. Nobody is given up for silence."""
    with ends.configured(dpd="5"):
        ends.start(KERNEL, KERNEL)
    ends.stream()
    before = {end: ends.counters(end) for end in ("client", "server")}

    def asked(end: str) -> bool:
        now = ends.counters(end)
        return all(
            now[control] - before[end][control] - (now[packets] - before[end][packets]) >= 2
            for control, packets in (("rx_records", "tunnel_rx_packets"), ("tx_records", "tunnel_tx_packets"))
        )

    for end in ("client", "server"):
        wait_for(partial(asked, end), "questions and answers", 60)
    assert ends.log("client").count("Established DTLS connection") == 1
    assert ends.stream() > 1_000_000


def test_new_keys_by_another_handshake(ends: Ends) -> None:
    """The session is the daemons' for it, and the kernel's again afterwards, under traffic."""
    with ends.configured(rekey_time="8", rekey_method="ssl"):
        ends.start(KERNEL, KERNEL)
    wait_for(lambda: ends.stream() > 0 and ends.log("client").count("DTLS rekey due") >= 2, "new keys, twice", 180)
    # Each handshake begins its counters anew, so that they move only while something passes.
    wait_for(lambda: ends.stream() > 0 and ends.carried("client")[1] > 0, "the kernel to have it again", 60)
    assert ends.stream() > 1_000_000


@pytest.mark.parametrize("variant", [KERNEL, OFFLOADED])
def test_a_path_becomes_narrower(ends: Ends, variant: str) -> None:
    ends.start(variant, variant)
    ends.stream()
    try:
        for end in ("server", "client"):
            ends.run(end, "ip", "link", "set", "eth0", "mtu", "1300")
        ends.ping("-s", "1300")
        for words in ([], ["--reverse"]):
            assert ends.stream(*words) > 1_000_000
    finally:
        for end in ("server", "client"):
            ends.run(end, "ip", "link", "set", "eth0", "mtu", "1500")


ANOTHER_PORT = """
set -euo pipefail
own=$(ss -Hun "dport = :443" | awk '{ sub(/.*:/, "", $3); print $3 }')
tc qdisc add dev eth0 clsact
tc filter add dev eth0 egress protocol ip flower ip_proto udp dst_port 443 \\
    action pedit ex munge udp sport set 4433
tc filter add dev eth0 ingress protocol ip flower ip_proto udp src_port 443 dst_port 4433 \\
    action pedit ex munge udp dport set "$own"
"""
"""As a router does that translates addresses and has forgotten a connection: its next packet comes from a new port."""


def test_a_client_comes_from_another_port(ends: Ends) -> None:
    """The session goes on, and the server follows it."""
    ends.start(KERNEL, KERNEL)
    ends.stream()
    before = ends.carried("client")
    ends.run("client", "bash", "-c", ANOTHER_PORT)
    try:
        for words in ([], ["--reverse"]):
            assert ends.stream(*words) > 1_000_000
        assert ":4433" in ends.run("server", "ss", "-Hun", "sport = :443")
        for end in ("client", "server"):
            wait_for(partial(taken, ends, end), "the kernel to have it", 60)
        assert ends.stream() > 1_000_000
        assert ends.carried("client")[1] > before[1]
        assert ends.log("client").count("Established DTLS connection") == 1
    finally:
        ends.run("client", "tc", "qdisc", "del", "dev", "eth0", "clsact")


MOVE = """
set -euo pipefail
old=$(ip -oneline -4 address show dev eth0 | awk '{ print $4 }')
ip address del "$old" dev eth0
ip address add "${old%.*}.$1/24" dev eth0
echo "${old##*.}"
"""
"""To another network, as it looks from here; prints where it was: the last number, with the length of the prefix."""


def test_a_client_moves(ends: Ends) -> None:
    """It is asked whether it is still there, connects anew from where it is, and is carried again."""
    with ends.configured(dpd="5"):
        ends.start(KERNEL, KERNEL)
    ends.stream()
    was = ends.run("client", "bash", "-c", MOVE, "move", "77").partition("/")[0]
    try:
        wait_for(lambda: ends.log("client").count("Established DTLS connection") == 2, "a new session", 180)
        ends.ping()
        wait_for(partial(taken, ends, "client"), "the kernel to have it", 60)
        for words in ([], ["--reverse"]):
            assert ends.stream(*words) > 1_000_000
        for end in ("client", "server"):  # the server has another device for a session that is new
            (session,) = ends.sessions(end)
            assert int(session["tunnel_rx_bytes"]) > 1_000_000
            assert int(session["tunnel_tx_bytes"]) > 1_000_000
        assert ".77:" in ends.run("server", "ss", "-Hun", "sport = :443")
    finally:
        ends.run("client", "bash", "-c", MOVE, "move", was)


RECORDS = r"""
set -euo pipefail
tcpdump -i eth0 -n -s 0 -B 65536 -U --immediate-mode -Z root -w /run/records.pcap udp port 443 2>/run/tcpdump.log &
capture=$!
trap 'rm -f /run/records.pcap' EXIT
wait-until 20 grep -q '^tcpdump: listening on' /run/tcpdump.log
iperf3 --bitrate 20M --time 8 --client "$1" >/dev/null
kill -INT "$capture"
wait
perl -e '
    open my $file, "<:raw", $ARGV[0] or die "$ARGV[0]: $!\n";
    read $file, my $head, 24;
    my (%seen, %count, %twice);
    while (read($file, $head, 16) == 16) {
        my (undef, undef, $size) = unpack "L3", $head;
        read $file, my $packet, $size;
        my $ip = substr $packet, 14;
        my $from = join ":", unpack("N", substr $ip, 12), unpack("n", substr $ip, 20), unpack("n", substr $ip, 22);
        my $payload = substr $ip, 20 + 8;
        while (length $payload >= 13) {  # a train is captured as the one packet that it passes as
            my $number = substr $payload, 3, 8;
            if ($number !~ /^\0\0/) {
                $count{$from}++;
                $twice{$from}++ if $seen{$from . $number}++;
            }
            $payload = substr $payload, 13 + unpack "n", substr $payload, 11;
        }
    }
    printf "%d %d\n", $count{$_}, $twice{$_} // 0 for sort keys %count;
' /run/records.pcap
"""
"""For each end of each session: how many records it sent, and how many of them with a number that it had used."""


def test_no_number_is_used_twice_across_hand_overs(ends: Ends) -> None:
    """With an upload on its way when a new session begins, so that packets wait for it when the kernel takes it."""
    ends.start(KERNEL, KERNEL)
    ends.ping()
    with ThreadPoolExecutor(1) as pool:
        counted = pool.submit(ends.run, "client-load", "bash", "-c", RECORDS, "records", ends.peer, timeout=120)
        wait_for(lambda: ends.carried("client")[1] > 2_000_000, "the upload", 60)
        ends.run("client", "bash", "-c", "kill -USR2 $(</run/vpn/pid)")
        lines = [tuple(map(int, line.split())) for line in counted.result().splitlines()]
    assert len(lines) == 4
    assert sum(count for count, _ in lines) > 5000
    assert [twice for _, twice in lines] == [0] * 4


def test_either_daemon_dies(ends: Ends) -> None:
    """What the kernel did for it ends with it, and the next one begins from nothing."""
    for end in ("client", "server"):
        ends.start(KERNEL, KERNEL)
        ends.stream()
        ends.run(end, "bash", "-c", STOP)
        wait_for(partial(idle, ends, end), "the end of its tunnel", 60)
        assert "tun0" not in ends.run(end, "ip", "-brief", "link")
    ends.start(KERNEL, KERNEL)
    assert ends.stream() > 1_000_000


def test_a_device_that_goes_leaves_the_session_to_the_daemon(ends: Ends) -> None:
    ends.start(KERNEL, KERNEL)
    ends.stream()
    ends.run("client", "ip", "link", "del", "tun0")
    wait_for(lambda: "carried in user space again" in ends.log("client"), "the daemon to hear of it", 60)
    assert ends.carried("client") == (0, 0)
    ends.start(KERNEL, KERNEL)
    assert ends.stream() > 1_000_000


def test_where_the_module_is_for_others_packets_stay_with_the_daemons(ends: Ends) -> None:
    engine = ends.bed.engine

    def module(*argv: str) -> None:
        result = engine.once("lab/kmod:latest", list(argv), timeout=60, cap_add=["SYS_MODULE"])
        assert result.status == 0, result.stdout + result.stderr

    for end in ("server", "client"):
        ends.run(end, "bash", "-c", STOP)
    module("bash", "-c", "until rmmod af_ktls 2>/dev/null; do sleep 0.2; done")
    try:
        ends.run("server", "env", f"VARIANT={KERNEL}", f"SUITE={SUITE}", "up")
        result = engine.execute(
            ends.container("client"), ["env", f"VARIANT={KERNEL}", f"SUITE={SUITE}", "up"], timeout=60
        )
        assert result.status == 1
        assert "the kernel does not carry the packets" in result.stderr
        assert "Kernel DTLS: off for this session: Address family not supported" in ends.log("client")
        assert ends.stream() > 1_000_000
    finally:
        module("ktls-load", "allow=all")
