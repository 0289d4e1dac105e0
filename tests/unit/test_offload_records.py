# SPDX-License-Identifier: MIT
"""DTLS records of the patched OpenConnect that are opened beside GnuTLS: each once at most, whoever opens it.

The records here are GnuTLS's own, or the sealer's, in a session of two ends over the loopback; what is forged is cut
and put together here.
"""

from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_offload import OFFLOAD, SANITIZERS, WARNINGS

from lab.core.paths import ROOT

HARNESS = ROOT / "tests" / "offload" / "records.c"
KEEPS_WINDOW = "-DGNUTLS_RECORD_SET_STATE_KEEPS_WINDOW=1"
"""The distribution's GnuTLS does not, which is the same to a client that receives nothing."""
HEADER = 13
WINDOW = 15 * 64
FIRST = 1
"""The least number that is the opener's, where GnuTLS was given the handshake's last record alone, number 0."""
FAR = 65
"""So far above the number that GnuTLS took last is it where GnuTLS may have been given anything."""
AGAIN = -28
AEAD = ["AES-128-GCM", "AES-256-GCM", "AES-128-CCM", "AES-128-CCM-8", "CHACHA20-POLY1305"]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    headers = ["gcc", "-E", "-include", "gnutls/gnutls.h", "-x", "c", "/dev/null"]
    if subprocess.run(headers, capture_output=True, check=False).returncode:
        pytest.skip("no headers of GnuTLS (libgnutls28-dev)")
    made = tmp_path_factory.mktemp("records") / "records"
    sources = [str(OFFLOAD / f"{name}.c") for name in ("opener", "sealer", "record", "train")]
    flags = [*WARNINGS, *SANITIZERS, KEEPS_WINDOW, f"-I{OFFLOAD}"]
    subprocess.run(["gcc", *flags, "-o", str(made), str(HARNESS), *sources, "-lgnutls"], check=True)
    return made


class Session:
    """Both ends, and what can be asked of them."""

    def __init__(self, program: Path, suite: str) -> None:
        self.process = subprocess.Popen([str(program), suite], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def close(self) -> None:
        """The sanitizer speaks at the end."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait() == 0

    def answer(self) -> bytes:
        assert self.process.stdout is not None
        (size,) = struct.unpack("=I", self.process.stdout.read(4))
        return self.process.stdout.read(size)

    def ask(self, how: str, what: bytes = b"") -> bytes:
        assert self.process.stdin is not None
        self.process.stdin.write(struct.pack("=I", 1 + len(what)) + how.encode() + what)
        self.process.stdin.flush()
        return self.answer()

    def record(self, number: int, data: bytes = b"data", how: str = "s") -> bytes:
        return self.ask(how, struct.pack("!Q", number) + data)

    def closing(self, number: int) -> bytes:
        return self.ask("c", struct.pack("!Q", number))

    def open(self, datagram: bytes) -> bytes | str:
        """The plaintext, or "left" or "dropped"."""
        said = self.ask("o", datagram)
        if said[:1] == b"o":
            return said[5:]
        return {b"l": "left", b"d": "dropped"}[said[:1]]

    def takes(self, datagram: bytes) -> int:
        return int.from_bytes(self.ask("o", datagram)[1:5], "little")

    def leaves(self, datagram: bytes) -> int:
        return int.from_bytes(self.ask("l", datagram), "little")

    def gnutls(self, datagram: bytes) -> bytes | int:
        """What gnutls_record_recv gives where it is given a datagram, whosever it is."""
        return gnutls_said(self.ask("g", datagram))

    def before(self, datagram: bytes) -> bytes | int:
        """The same of a datagram that comes as all do, before anybody asks the opener."""
        return gnutls_said(self.ask("p", datagram))

    def floor(self) -> int:
        return int.from_bytes(self.ask("w"), "big")

    def rekey(self) -> None:
        self.ask("k")

    def train(self, *datagrams: bytes) -> list[bytes | int]:
        """What the program has of them: data, or what gnutls_record_recv says where there are none."""
        said, answers = self.ask("t", b"".join(struct.pack("=I", len(one)) + one for one in datagrams)), []
        while said:
            answers.append(said[5:] if said[:1] == b"o" and len(said) > 4 else gnutls_said(said))
            said = self.answer()
        return [one for one in answers if one != AGAIN]


def gnutls_said(said: bytes) -> bytes | int:
    (code,) = struct.unpack_from("=i", said)
    return said[4:] if code > 0 else int(code)


def session_of(program: Path, suite: str) -> Iterator[Session]:
    kind = "+SHA1" if "CBC" in suite else "+AEAD"
    made = Session(program, f"+{suite}:{kind}")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def session(program: Path) -> Iterator[Session]:
    yield from session_of(program, "AES-128-GCM")


@pytest.fixture(params=AEAD)
def each(program: Path, request: pytest.FixtureRequest) -> Iterator[Session]:
    yield from session_of(program, request.param)


class TestOpens:
    @pytest.mark.parametrize("how", ["s", "m"], ids=["sealed beside GnuTLS", "by GnuTLS"])
    def test_what_was_sealed_in_its_place(self, each: Session, how: str) -> None:
        rng = random.Random(4)
        for number, size in enumerate([1, 2, 15, 16, 17, 95, 96, 97, 300, 1000, 1300], FIRST):
            data = rng.randbytes(size)
            assert each.open(each.record(number, data, how)) == data

    def test_in_any_order_each_once(self, each: Session) -> None:
        records = [each.record(number, b"%d" % number) for number in range(FIRST, FIRST + 200)]
        order = [*range(200)] * 2
        random.Random(5).shuffle(order)
        seen = set()
        for at in order:
            assert each.open(records[at]) == ("dropped" if at in seen else b"%d" % (FIRST + at))
            seen.add(at)

    def test_no_empty_one(self, session: Session) -> None:
        """None is no packet, and it is not the end either; but its number is used."""
        empty = session.record(FIRST, b"")
        assert session.open(empty) == "dropped"
        assert session.open(session.record(FIRST, b"x")) == "dropped"
        assert session.open(session.record(FIRST + 1, b"x")) == b"x"

    def test_the_longest(self, session: Session) -> None:
        assert session.open(session.record(FIRST, bytes(16384))) == bytes(16384)
        assert session.open(session.record(FIRST + 1, bytes(16385))) == "dropped"


class TestRefuses:
    def test_what_was_forged_anywhere_and_stays_as_it_was(self, each: Session) -> None:
        """Also the version, which stands in clear and is no part of what the tag covers."""
        datagram = each.record(FIRST + 2000, b"some data")
        for at in range(len(datagram)):
            for bit in range(8):
                forged = bytearray(datagram)
                forged[at] ^= 1 << bit
                assert each.open(bytes(forged)) in ("dropped", "left")
        # None of those, with numbers above and below, has moved the window.
        assert each.open(each.record(FIRST, b"first")) == b"first"
        assert each.open(datagram) == b"some data"

    def test_another_version(self, session: Session) -> None:
        datagram = session.record(FIRST)
        assert session.open(datagram[:1] + b"\xfe\xff" + datagram[3:]) == "dropped"
        assert session.open(datagram) == b"data"

    def test_what_is_cut_short(self, each: Session) -> None:
        datagram = each.record(FIRST, b"x" * 40)
        for size in range(len(datagram)):
            assert each.open(datagram[:size]) == "dropped"
            # Also where the header admits it.
            if size >= HEADER:
                assert each.open(datagram[:11] + struct.pack("!H", size - HEADER) + datagram[HEADER:size]) == "dropped"
        assert each.open(datagram) == b"x" * 40

    def test_what_has_bytes_more(self, session: Session) -> None:
        datagram = session.record(FIRST, b"x" * 40)
        longer = datagram[:11] + struct.pack("!H", len(datagram) - HEADER + 1) + datagram[HEADER:] + b"\0"
        assert session.open(longer) == "dropped"
        assert session.takes(datagram + b"\0" * 20) == len(datagram)

    def test_nothing_is_read_beyond_its_end(self, each: Session) -> None:
        rng = random.Random(6)
        whole = each.record(FIRST + 1, bytes(60))
        for _ in range(500):
            datagram = bytearray(whole[: rng.randrange(len(whole) + 1)])
            for _ in range(rng.randint(0, 3)):
                if datagram:
                    datagram[rng.randrange(min(len(datagram), HEADER + 8))] = rng.randrange(256)
            if bytes(datagram) != whole:
                assert each.open(bytes(datagram)) in ("dropped", "left")


class TestWindow:
    @pytest.mark.parametrize("base", [5000, 5056, 5119, 5120, 5121])
    def test_edges(self, session: Session, base: int) -> None:
        oldest, older = session.record(base - WINDOW + 1, b"oldest"), session.record(base - WINDOW, b"older")
        assert session.open(session.record(base)) == b"data"
        assert session.open(older) == "dropped"
        assert session.open(oldest) == b"oldest"
        assert session.open(oldest) == "dropped"
        assert session.open(session.record(base + 1, b"next")) == b"next"
        assert session.open(session.record(base, b"again")) == "dropped"

    @pytest.mark.parametrize("jump", [1, 2, 63, 64, 65, 127, 128, 959, 960, 961, 1023, 1024, 1025, 2048, 2**40])
    def test_a_jump_forgets_nothing_and_invents_nothing(self, session: Session, jump: int) -> None:
        """Every number of the window was taken, or can be, whatever was there a turn of the ring ago."""
        taken = set(range(FIRST, FIRST + 1100, 3)) | {FIRST + 1099}
        for number in sorted(taken):
            assert session.open(session.record(number)) == b"data"
        top = max(taken) + jump
        assert session.open(session.record(top)) == b"data"
        taken.add(top)
        for number in range(max(FIRST, top - WINDOW - 5), top + 1):
            expected: bytes | str = "dropped" if number in taken or top - number >= WINDOW else b"data"
            assert session.open(session.record(number)) == expected, number

    @pytest.mark.parametrize("next_one", [200, 255, 256, 1000, 5000])
    def test_what_another_took_meanwhile_is_taken(self, session: Session, next_one: int) -> None:
        assert session.open(session.record(100)) == b"data"
        assert struct.unpack("!Q", session.ask("n")) == (101,)
        session.ask("r", struct.pack("!Q", 50))  # less than what it took itself: nothing new
        assert session.open(session.record(60)) == b"data"
        assert session.open(session.record(100)) == "dropped"
        session.ask("r", struct.pack("!Q", next_one))
        for below in (100, 101, next_one - 64, next_one - 1):
            assert session.open(session.record(below)) == "dropped"
        for number in (next_one, next_one + 2, next_one + 900, next_one + 1):
            assert session.open(session.record(number)) == b"data"
            assert session.open(session.record(number)) == "dropped"
        assert session.open(session.record(next_one - 1)) == "dropped"

    def test_the_last_numbers_of_an_epoch(self, session: Session) -> None:
        last = 2**48 - 2
        assert session.open(session.record(last)) == b"data"
        assert session.open(session.record(last)) == "dropped"
        assert session.open(session.record(last - 1)) == b"data"


class TestBesideGnuTls:
    def test_numbers_below_the_floor_remain_its_own(self, session: Session) -> None:
        assert session.gnutls(session.record(10)) == b"data"
        assert session.floor() == 10 + FAR
        early = session.record(10 + FAR - 1, b"early")
        assert session.open(early) == "left"
        assert session.gnutls(early) == b"early"
        assert session.gnutls(early) == AGAIN
        assert session.open(early) == "left"

    def test_it_begins_above_what_gnutls_was_given(self, session: Session) -> None:
        assert session.before(session.record(5, b"five")) == b"five"
        assert session.floor() == 6
        assert session.open(session.record(6)) == b"data"
        assert session.open(session.record(5)) == "left"

    @pytest.mark.parametrize(("number", "floor"), [(40, 41), (64, 65), (65, 65), (100_000, 65)])
    def test_what_was_forged_moves_its_beginning_no_further_than_gnutls_goes(
        self, session: Session, number: int, floor: int
    ) -> None:
        forged = bytearray(session.record(number))
        forged[-1] ^= 1
        assert session.before(bytes(forged)) == AGAIN
        assert session.floor() == floor

    def test_what_it_took_out_of_order_before(self, session: Session) -> None:
        """The session tells the number that was taken last, which is not the highest one."""
        high, low = session.record(200, b"high"), session.record(140, b"low")
        assert session.gnutls(high) == b"high"
        assert session.gnutls(low) == b"low"
        assert session.floor() == 140 + 65
        for record in (high, low):
            assert session.open(record) == "left"
            assert session.gnutls(record) == AGAIN

    @pytest.mark.parametrize("below", [0, 1, 2, 63, 64, 65, 66])
    def test_the_floor_is_above_all_that_it_took(self, session: Session, below: int) -> None:
        assert session.gnutls(session.record(1000)) == b"data"
        session.gnutls(session.record(1000 - below))
        assert session.floor() > 1000

    def test_what_is_not_application_data_is_left(self, session: Session) -> None:
        closing = session.closing(FIRST + 5)
        assert session.open(closing) == "left"
        assert session.leaves(closing) == len(closing)
        assert session.gnutls(closing) == 0

    def test_other_epochs_are_left(self, session: Session) -> None:
        datagram = session.record(FIRST)
        for epoch in (0, 2, 257):
            assert session.open(datagram[:3] + struct.pack("!H", epoch) + datagram[5:]) == "left"

    @pytest.mark.parametrize("far", [900, 5000])
    def test_new_keys_begin_a_new_window(self, session: Session, far: int) -> None:
        old, late = session.record(FIRST, b"old"), session.record(FIRST + 1, b"late")
        assert session.open(old) == b"old"
        for number in (*range(FIRST + 2, FIRST + 9), FIRST + far):
            assert session.open(session.record(number)) == b"data"
        session.rekey()
        for number in (FIRST + 9, *range(FIRST + 1, FIRST + 9)):
            assert session.open(session.record(number)) == b"data"
        assert session.open(session.record(FIRST, b"new")) == b"new"
        for record in (old, late):  # as GnuTLS would
            assert session.open(record) == "left"
            assert session.gnutls(record) == AGAIN
        # The old number with the new epoch before it is not authentic.
        assert session.open(late[:4] + b"\2" + late[5:]) == "dropped"
        assert session.open(session.record(FIRST, b"again")) == "dropped"

    def test_a_suite_of_no_aead_is_left(self, program: Path) -> None:
        for session in session_of(program, "AES-128-CBC"):
            datagram = session.record(FIRST, b"data", "m")
            assert session.open(datagram) == "left"
            assert session.open(datagram[:3] + b"\0\0" + datagram[5:]) == "left"
            assert session.leaves(datagram) == len(datagram)
            assert session.train(datagram, datagram) == [b"data"]


class TestTrain:
    def test_packets_of_both_in_the_order_they_came(self, each: Session) -> None:
        """Below the floor and above, and nothing twice."""
        records = [each.record(number, b"%05d" % number) for number in range(1, 150)]
        expected = [b"%05d" % number for number in range(1, 150)]
        got: list[bytes | int] = []
        for at in range(0, 149, 50):
            got += each.train(*records[at : at + 50])
        assert got == expected
        assert each.train(*records[:60]) == []
        assert each.train(*records[60:120]) == []
        assert each.train(*records[90:]) == []

    def test_a_forged_one_costs_itself_alone(self, session: Session) -> None:
        records = [session.record(number, b"%05d" % number) for number in range(FIRST, FIRST + 5)]
        forged = bytearray(records[2])
        forged[-1] ^= 1
        assert session.train(*records[:2], bytes(forged), *records[3:]) == [b"00001", b"00002", b"00004", b"00005"]
        assert session.train(records[2]) == [b"00003"]

    def test_only_forged_ones(self, session: Session) -> None:
        record = bytearray(session.record(FIRST))
        record[-1] ^= 1
        assert session.train(*[bytes(record)] * 5) == []

    def test_a_flood_of_forged_ones_costs_none_behind_it(self, session: Session) -> None:
        """Several calls receive them, since each longer one begins a train of its own."""
        forged = bytearray(session.record(FIRST, bytes(30)))
        forged[-1] ^= 1
        records = [session.record(number, b"%05d" % number) for number in range(FIRST, FIRST + 200)]
        floods = [one for record in records for one in (record, bytes(forged))]
        assert session.train(*floods) == [b"%05d" % number for number in range(FIRST, FIRST + 200)]
        # Where a whole call receives nothing else, the next one is still the opener's.
        only = [bytes(forged), session.record(FIRST, b"x")] * 64
        assert session.train(*only, session.record(FIRST + 500)) == [b"data"]

    def test_nothing_is_put_together_from_two_datagrams(self, session: Session) -> None:
        one, two = session.record(FIRST, b"one"), session.record(FIRST + 1, b"x" * 30)
        first = one + two[:20]
        second = (two[20:] + bytes(100))[: len(first)]
        assert session.train(first, second, session.record(FIRST + 2)) == [b"one", b"data"]

    def test_close_notify_ends_it_for_what_follows(self, session: Session) -> None:
        before, after = session.record(FIRST, b"xx"), session.record(FIRST + 2, b"yy")
        closing = session.closing(FIRST + 1)
        assert len(closing) == len(before)
        assert session.train(before, closing, after) == [b"xx", 0, 0]
        assert session.train(session.record(FIRST + 3)) == [0]
        assert session.open(session.record(FIRST + 4)) == "dropped"

    def test_records_that_share_a_datagram(self, session: Session) -> None:
        assert session.gnutls(session.record(1)) == b"data"
        records = [session.record(number, b"%d" % number) for number in (3, 1 + FAR, 4, 2 + FAR, 3 + FAR)]
        assert session.train(b"".join(records)) == [b"3", b"66", b"4", b"67", b"68"]
        assert session.train(b"".join(records)) == []

    @pytest.mark.parametrize("kind", [20, 21, 22, 23, 24, 99])
    def test_no_forged_neighbour_gets_a_replay_past_the_opener(self, session: Session, kind: int) -> None:
        """GnuTLS would go on behind a record that it refuses, and has not seen what the opener took."""
        taken = session.record(FIRST, b"taken")
        assert session.train(taken) == [b"taken"]
        for epoch in (0, 1, 2):
            forged = struct.pack("!BHHHIH", kind, 0xFEFD, epoch, 0, 5, 30) + bytes(30)
            assert session.train(forged + taken) == []
            assert session.train(forged, taken) == []
            assert session.train(taken + forged, taken) == []
        # In two pieces, which GnuTLS would join.
        for size in (1, HEADER - 1, HEADER, HEADER + 1, HEADER + 9, len(taken) - 1):
            assert session.train(taken[:size]) == []
            assert session.train(taken[size:]) == []
            assert session.train(struct.pack("!BHHHIH", kind, 0xFEFD, 1, 0, 5, len(taken) + 5) + bytes(5)) == []
            assert session.train(taken) == []
        assert session.train(session.record(FIRST + 1, b"next")) == [b"next"]

    def test_what_comes_while_keys_are_made_anew_is_lost_or_taken_once(self, session: Session) -> None:
        taken = session.record(FIRST, b"taken")
        assert session.train(taken) == [b"taken"]
        session.rekey()
        assert session.train(taken) == []
        assert session.train(session.record(1, b"one"), session.record(2, b"two")) == [b"one", b"two"]

    def test_gnutls_keeps_nothing_for_later(self, session: Session) -> None:
        """What stands behind a record that it was given before the opener began, and arrives once more."""
        one, far = session.record(1, b"one"), session.record(200, b"far")
        assert session.before(one + far) == b"one"
        later = [session.record(number, b"%d" % number) for number in (2, 150, 400)]
        got = session.train(far) + session.train(*later, far)
        assert sorted(map(str, got)) == sorted(map(str, (b"150", b"400", b"far")))

    def test_an_empty_datagram(self, session: Session) -> None:
        assert session.train(b"") == []
        assert session.train(session.record(FIRST)) == [b"data"]
        assert session.train(b"") == []
        assert session.train(session.record(FIRST + 1)) == [b"data"]
