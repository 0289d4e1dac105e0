# SPDX-License-Identifier: MIT
"""Superpackets and trains of the patched OpenConnect: the C files of its image, under sanitizers.

The packets here are made, and looked at, by code of their own: nothing is compared with what the C files compute.
"""

from __future__ import annotations

import random
import struct
import subprocess
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from lab.core.paths import ROOT

OFFLOAD = ROOT / "images" / "openconnect-patched" / "offload"
HARNESS = ROOT / "tests" / "offload" / "harness.c"
WARNINGS = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-static-libasan", "-static-libubsan"]

# linux/virtio_net.h
NEEDS_CSUM, TCPV4, TCPV6, UDP_L4, ECN = 1, 1, 4, 5, 0x80
HEADER = struct.Struct("=BBHHHH")
FIN, SYN, PSH, ACK, CWR = 1, 2, 8, 16, 128
TCP, UDP = 6, 17


def checksum(data: bytes) -> int:
    """The sum that RFC 1071 means: 0xffff over what has a right checksum in it."""
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@dataclass(frozen=True)
class Packet:
    """A packet as its fields: what a run may differ in, and what it may not."""

    payload: bytes
    sequence: int = 1000
    flags: int = ACK
    identification: int = 7
    protocol: int = TCP
    version: int = 4
    options: bytes = bytes((1, 1, 8, 10)) + b"timestam"
    window: int = 500
    tos: int = 0
    ttl: int = 64
    port: int = 5201
    reserved: int = 0
    fragment: int = 0x4000
    broken: bool = False

    def transport(self) -> bytes:
        if self.protocol == UDP:
            return struct.pack("!HHHH", 4000, self.port, 8 + len(self.payload), 0)
        offset = (20 + len(self.options)) // 4 << 4 | self.reserved
        fields = (4000, self.port, self.sequence % 2**32, 77, offset, self.flags, self.window, 0, 0)
        return struct.pack("!HHIIBBHHH", *fields) + self.options

    def addresses(self) -> bytes:
        ends = ("198.19.0.1", "198.19.0.2") if self.version == 4 else ("2001:db8::1", "2001:db8::2")
        return b"".join(ip_address(end).packed for end in ends)

    def pseudo(self, size: int) -> bytes:
        return self.addresses() + struct.pack("!HH", self.protocol, size)

    def network(self, size: int) -> bytes:
        if self.version == 6:
            return struct.pack("!IHBB", 6 << 28 | self.tos << 20, size, self.protocol, self.ttl) + self.addresses()
        head = struct.pack(
            "!BBHHHBBH", 0x45, self.tos, 20 + size, self.identification, self.fragment, self.ttl, self.protocol, 0
        )
        right = 0xFFFF - checksum(head + self.addresses())
        return head[:10] + struct.pack("!H", right) + self.addresses()

    def raw(self, partial: bool = False) -> bytes:
        """The packet. `partial`: with the pseudo header's sum alone, for a device that computes the rest."""
        head = self.transport()
        size = len(head) + len(self.payload)
        said = checksum(self.pseudo(size))
        if not partial:
            said = 0xFFFF - checksum(self.pseudo(size) + head + self.payload) or (0xFFFF if self.protocol == UDP else 0)
        at = 16 if self.protocol == TCP else 6
        head = head[:at] + struct.pack("!H", said ^ self.broken) + head[at + 2 :]
        return self.network(size) + head + self.payload

    def frame(self, each: int) -> bytes:
        """The packet as a superpacket that stands for packets of `each` bytes of payload."""
        raw = self.raw(partial=True)
        start = 20 if self.version == 4 else 40
        kind = UDP_L4 if self.protocol == UDP else TCPV4 if self.version == 4 else TCPV6
        return HEADER.pack(NEEDS_CSUM, kind, start, each, start, 16 if self.protocol == TCP else 6) + raw


def run_of(packets: int, each: int = 100, last: int = 100, **fields: int) -> list[Packet]:
    """Packets that follow each other."""
    sizes = [each] * (packets - 1) + [last]
    one = replace(Packet(b""), **fields)  # type: ignore[arg-type]
    return [
        replace(
            one,
            payload=random.Random(at).randbytes(size),
            sequence=one.sequence + at * each,
            identification=(one.identification + at) % 65536,
        )
        for at, size in enumerate(sizes)
    ]


def superpacket_of(packets: list[Packet]) -> Packet:
    """The one packet that stands for a run."""
    return replace(packets[0], payload=b"".join(one.payload for one in packets))


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("offload") / "harness"
    sources = [str(HARNESS), *(str(OFFLOAD / f"{name}.c") for name in ("superpacket", "checksum", "train"))]
    subprocess.run(["gcc", *WARNINGS, *SANITIZERS, f"-I{OFFLOAD}", "-o", str(made), *sources], check=True)
    return made


def ask(harness: Path, *words: str, messages: list[bytes] | None = None) -> list[bytes]:
    given = b"".join(struct.pack("=I", len(one)) + one for one in messages or [])
    done = subprocess.run([str(harness), *words], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    answers, at = [], 0
    while at < len(done.stdout):
        (size,) = struct.unpack_from("=I", done.stdout, at)
        answers.append(done.stdout[at + 4 : at + 4 + size])
        at += 4 + size
    return answers


KINDS = [
    pytest.param({"protocol": TCP, "version": 4}, id="tcp4"),
    pytest.param({"protocol": TCP, "version": 6}, id="tcp6"),
    pytest.param({"protocol": UDP, "version": 4}, id="udp4"),
    pytest.param({"protocol": UDP, "version": 6}, id="udp6"),
]


class TestCut:
    @pytest.mark.parametrize("fields", KINDS)
    @pytest.mark.parametrize(("packets", "each", "last"), [(2, 1, 1), (3, 100, 7), (47, 1382, 1382), (5, 1381, 13)])
    def test_into_the_packets_that_it_stands_for(
        self, harness: Path, fields: dict[str, int], packets: int, each: int, last: int
    ) -> None:
        run = run_of(packets, each, last, sequence=2**32 - 150, identification=65534, **fields)
        frame = superpacket_of(run).frame(each)
        assert ask(harness, "cut", "1500", messages=[frame]) == [one.raw() for one in run] + [b""]

    def test_flags_are_where_the_sender_would_have_put_them(self, harness: Path) -> None:
        frame = replace(superpacket_of(run_of(3)), flags=ACK | PSH | FIN | CWR).frame(100)
        flags = [packet[33] for packet in ask(harness, "cut", "1500", messages=[frame])[:-1]]
        assert flags == [ACK | CWR, ACK, ACK | PSH | FIN]

    def test_ecn_does_not_hide_what_kind_it_is(self, harness: Path) -> None:
        frame = bytearray(superpacket_of(run_of(2)).frame(100))
        frame[1] |= ECN
        assert len(ask(harness, "cut", "1500", messages=[bytes(frame)])) == 3

    @pytest.mark.parametrize("fields", KINDS)
    def test_a_single_packet_gets_its_checksum(self, harness: Path, fields: dict[str, int]) -> None:
        (one,) = run_of(1, last=99, **fields)
        start = 20 if one.version == 4 else 40
        left = HEADER.pack(NEEDS_CSUM, 0, 0, 0, start, 16 if one.protocol == TCP else 6) + one.raw(partial=True)
        complete = HEADER.pack(0, 0, 0, 0, 0, 0) + one.raw()
        assert ask(harness, "cut", "1500", messages=[left, complete]) == [one.raw(), b"", one.raw(), b""]

    def test_what_is_longer_than_the_mtu_is_lost_alone(self, harness: Path) -> None:
        long, short = superpacket_of(run_of(3, 1400, 1400)).frame(1400), superpacket_of(run_of(2)).frame(100)
        assert ask(harness, "cut", "1000", messages=[long, short])[:2] == [b"", run_of(2)[0].raw()]

    def test_a_checksum_beyond_the_end_is_refused(self, harness: Path) -> None:
        raw = run_of(1)[0].raw()
        frames = [HEADER.pack(NEEDS_CSUM, 0, 0, 0, start, 16) + raw for start in (20, len(raw) - 17, 65535)]
        assert ask(harness, "cut", "1500", messages=frames)[1:] == [b"", b"", b""]

    def test_nothing_malformed_is_read_beyond_its_end(self, harness: Path) -> None:
        rng = random.Random(1)
        whole = [superpacket_of(run_of(3, **fields)).frame(100) for fields in ({}, {"version": 6}, {"protocol": UDP})]
        frames = [one[:size] for one in whole for size in range(100)]
        for _ in range(2000):
            frame = bytearray(rng.choice(whole))
            for _ in range(rng.randint(1, 4)):
                frame[rng.randrange(0, 60)] = rng.randrange(256)
            frames.append(bytes(frame[: rng.randrange(0, len(frame) + 1)]))
        # The sanitizer is what looks; each frame is answered, at least by the empty message that ends it.
        assert ask(harness, "cut", "1500", messages=frames).count(b"") == len(frames)


class TestJoin:
    @pytest.mark.parametrize("fields", KINDS)
    @pytest.mark.parametrize(("packets", "each", "last"), [(2, 1, 1), (3, 100, 7), (47, 1382, 1382), (5, 1381, 13)])
    def test_packets_that_follow_each_other(
        self, harness: Path, fields: dict[str, int], packets: int, each: int, last: int
    ) -> None:
        run = run_of(packets, each, last, sequence=2**32 - 150, identification=65534, **fields)
        (frame,) = ask(harness, "join", "udp", messages=[one.raw() for one in run])
        expected = superpacket_of(run).frame(each)
        assert frame[10:] == expected[10:]
        flags, kind, header, gso, start, offset = HEADER.unpack(frame[:10])
        network, transport = (20, 40)[run[0].version == 6], (32, 8)[run[0].protocol == UDP]
        assert (flags, kind, header, gso, start, offset) == (
            NEEDS_CSUM, expected[1], network + transport, each, network, 16 if run[0].protocol == TCP else 6
        )  # fmt: skip

    def test_what_is_joined_is_cut_into_the_same_again(self, harness: Path) -> None:
        rng = random.Random(2)
        packets = []
        for _ in range(60):
            each = rng.randint(1, 1400)
            run = run_of(rng.randint(1, 70), each, rng.randint(1, each), sequence=rng.randrange(2**32))
            run[-1] = replace(run[-1], flags=ACK | rng.choice((0, PSH)))
            packets += [one.raw() for one in run]
        frames = ask(harness, "join", messages=packets)
        assert len(frames) < len(packets) / 10
        assert [one for one in ask(harness, "cut", "1500", messages=frames) if one] == packets

    @pytest.mark.parametrize(
        "changed",
        [
            {"sequence": 1}, {"identification": 100}, {"window": 501}, {"tos": 2}, {"ttl": 63}, {"port": 1},
            {"options": bytes((1, 1, 8, 10)) + b"otherone"}, {"options": b""}, {"flags": ACK | FIN},
            {"flags": ACK | SYN}, {"flags": ACK | CWR}, {"payload": b"x" * 101}, {"payload": b""}, {"broken": True},
            {"protocol": UDP}, {"version": 6}, {"reserved": 1},
        ],
        ids=str,
    )  # fmt: skip
    def test_what_differs_stays_apart(self, harness: Path, changed: dict[str, object]) -> None:
        first, second = run_of(2)
        other = replace(second, **changed)  # type: ignore[arg-type]
        frames = ask(harness, "join", "udp", messages=[first.raw(), other.raw()])
        assert frames == [bytes(10) + first.raw(), bytes(10) + other.raw()]

    def test_no_more_than_a_packet_can_hold(self, harness: Path) -> None:
        frames = ask(harness, "join", messages=[one.raw() for one in run_of(64, 1400, 1400)])
        assert [len(frame) - 10 for frame in frames] == [52 + 46 * 1400, 52 + 18 * 1400]
        assert [
            len(frame) - 10 for frame in ask(harness, "join", messages=[one.raw() for one in run_of(65, 10, 10)])
        ] == [
            52 + 640,
            52 + 10,
        ]

    def test_a_broken_first_packet_stays_broken(self, harness: Path) -> None:
        first, second, third = run_of(3)
        broken = replace(first, broken=True)
        frames = ask(harness, "join", messages=[broken.raw(), second.raw(), third.raw()])
        assert frames[0] == bytes(10) + broken.raw()
        assert len(frames) == 2

    def test_push_and_a_shorter_one_end_a_run(self, harness: Path) -> None:
        run = run_of(6)
        run[2] = replace(run[2], flags=ACK | PSH)
        frames = ask(harness, "join", messages=[one.raw() for one in run])
        assert [len(frame) for frame in frames] == [10 + 52 + 300, 10 + 52 + 300]
        assert [frame[10 + 33] for frame in frames] == [ACK | PSH, ACK]
        short = run_of(3)
        short[1] = replace(short[1], payload=b"x" * 99)
        assert len(ask(harness, "join", messages=[one.raw() for one in short])) == 2

    def test_udp_is_left_alone_where_the_device_does_not_take_it(self, harness: Path) -> None:
        packets = [one.raw() for one in run_of(3, protocol=UDP)]
        assert ask(harness, "join", messages=packets) == [bytes(10) + one for one in packets]

    def test_udp_without_checksum_and_fragments_are_left_alone(self, harness: Path) -> None:
        one, two = (bytearray(packet.raw()) for packet in run_of(2, protocol=UDP))
        one[26:28] = two[26:28] = b"\0\0"
        assert len(ask(harness, "join", "udp", messages=[bytes(one), bytes(two)])) == 2
        for fragment in (0x2000, 0x0001):  # more of them, and not the first
            assert len(ask(harness, "join", "udp", messages=[one.raw() for one in run_of(2, fragment=fragment)])) == 2

    def test_a_broken_header_stays_broken(self, harness: Path) -> None:
        one, two = (bytearray(packet.raw()) for packet in run_of(2))
        two[10] ^= 1
        frames = ask(harness, "join", messages=[bytes(one), bytes(two)])
        assert frames == [bytes(10) + bytes(one), bytes(10) + bytes(two)]

    def test_anything_passes(self, harness: Path) -> None:
        rng = random.Random(3)
        packets = [rng.randbytes(rng.randint(1, 90)) for _ in range(300)]
        for packet in list(run_of(40)):
            raw = bytearray(packet.raw())
            raw[rng.randrange(52)] ^= 1 << rng.randrange(8)
            packets += [bytes(raw), packet.raw()[: rng.randint(1, 60)]]
        frames = ask(harness, "join", "udp", messages=packets)
        assert sum(len(frame) - 10 for frame in frames) <= sum(map(len, packets))


class TestTrain:
    @pytest.mark.parametrize(
        "sizes",
        [
            [1], [100] * 5, [1000] * 44 + [7], [1472] * 200, [10, 20, 30], [30, 20, 10, 10, 10, 9, 9], [65507, 1, 1],
            [300] * 65, [10] * 300,
        ],
        ids=lambda sizes: f"{len(sizes)} of {sizes[0]}",
    )  # fmt: skip
    def test_every_datagram_arrives_as_it_was_sent(self, harness: Path, sizes: list[int]) -> None:
        arrived = ask(harness, "train", *map(str, sizes))
        assert [(len(one), set(one)) for one in arrived] == [(size, {at % 256}) for at, size in enumerate(sizes)]
