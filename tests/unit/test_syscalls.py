from collections.abc import Callable

from lab.syscalls import _lines, parse

Captured = Callable[[str], str]


def test_counts_by_end_and_name(captured: Captured) -> None:
    """50 echoes through a daemon: at each end one read and one write of the tunnel, one of the socket, for each."""
    counts = parse(captured("syscalls/tunnel.txt"), {"4026532186": "server", "4026532333": "client"})
    server = {"getpid": 1, "poll": 200, "read": 50, "recvfrom": 50, "rt_sigtimedwait": 1, "sendto": 50, "wait4": 1}
    assert counts["server"] == server | {"write": 50}
    assert {name: counts["client"][name] for name in ("sendto", "recvfrom", "write", "read")} == {
        "sendto": 50, "recvfrom": 50, "write": 55, "read": 81,
    }  # fmt: skip
    assert list(counts["client"]) == sorted(counts["client"])


def test_an_end_without_calls_is_there_all_the_same() -> None:
    assert parse("ready\n1 read 5\n", {"1": "server", "2": "client"}) == {"server": {"read": 5}, "client": {}}


def test_complaints_of_the_tracer_are_no_counts(captured: Captured) -> None:
    text = captured("syscalls/idle.txt")
    assert text.startswith("WARNING")
    counts = parse(text, {"4026532791": "server", "4026532864": "client"})
    assert counts["server"] == {"rt_sigtimedwait": 1, "wait4": 1}
    assert set(counts) == {"server", "client"}


def test_lines_are_put_together_from_pieces_of_either_stream() -> None:
    pieces = [(b"rea", None), (None, None), (b"dy\n1 read ", None), (b"5\n1 wri", b""), (b"te 6", None)]
    assert list(_lines(iter(pieces))) == ["ready", "1 read 5", "1 write 6"]
    assert list(_lines(iter([(None, b"no\n")]))) == ["no"]
