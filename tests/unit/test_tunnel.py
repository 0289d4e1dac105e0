# SPDX-License-Identifier: MIT
"""What a tunnel makes of the answers of its containers: snapshots by end, system calls by end, and each complaint."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import pytest
from docker.errors import NotFound

from lab.benches.vpn import questions
from lab.benches.vpn.around import snapshots
from lab.benches.vpn.tunnel import ENDS, METER_FAILED, SETTLED, Tunnel, tunnel
from lab.catalog.catalog import Catalog
from lab.catalog.wires import Wire
from lab.core.command import Result
from lab.core.errors import InvalidSample, LabError, Unsupported
from lab.testbed import topology

Captured = Callable[[str], str]
SPACES = {"server": "4026532330", "client": "4026532404"}
"""The process namespaces of the ends, where `counted/tunnel.txt` was captured."""


def roles(text: str) -> dict[str, str]:
    """The ends by their containers' numbers, as they stand in a capture."""
    snapshots = text.partition("snapshot ")[2]
    return dict(zip(dict.fromkeys(re.findall(r'"([0-9a-f]{64})"', snapshots)), ENDS, strict=True))


TOOK = "100.5 102.75 3000 4000\n"


class Containers:
    """Answers every command with one result; remembers the commands by their end."""

    patience = 10.0

    def __init__(self, result: Result) -> None:
        self.result = result
        self.asked: list[tuple[str, list[str], float]] = []
        self.clock = "wall"

    def execute(self, container: Any, argv: Sequence[str], *, timeout: float = 30) -> Result:
        self.asked.append((container.role, list(argv), timeout))
        return self.result

    def ask(self, container: Any, argv: Sequence[str]) -> Result:
        known = {"readlink": f"pid:[{SPACES[container.role]}]\n", "cat": TOOK}
        return Result(0, known[argv[0]], "") if argv[0] in known else self.result


Made = Callable[..., tuple[Tunnel, Containers]]


@pytest.fixture
def made(catalog: Catalog) -> Made:
    """A tunnel whose containers answer with that, and some of which have these numbers."""

    def make(result: Result, numbers: Mapping[str, str] = MappingProxyType({})) -> tuple[Tunnel, Containers]:
        engine = Containers(result)
        variables = {"LAB_SERVER": "198.18.9.2", "LAB_CLIENT": "198.18.9.3"}
        bed = SimpleNamespace(engine=engine, compose=topology.load(), variables=variables, far=None)
        bed.at, bed.on_wire = lambda end: bed, lambda end, ip: variables[f"LAB_{end.upper()}"]
        vpn, suite = catalog.vpns["beta"], catalog.suites["strong"]
        running = {"status": "running", "attrs": {"State": {"ExitCode": 0}}, "reload": lambda: None}
        meter = SimpleNamespace(containers={"meter": SimpleNamespace(**running)}, answers=lambda: True)
        tunnel = Tunnel(cast(Any, bed), cast(Any, meter), vpn, "udp", suite, catalog.wires["whole"])
        ids = {end: number for number, end in numbers.items()}
        ends = {end: SimpleNamespace(id=ids.get(end, end), role=end, **running) for end in ENDS}
        tunnel.containers = cast(Any, ends)
        return tunnel, engine

    return make


def test_snapshots_are_by_end(captured: Captured) -> None:
    text = captured("bracket/failed.txt")
    before, after = snapshots(text, roles(text))
    for reading in (before, after):
        assert list(reading["ends"]) == list(ENDS)
        assert reading["ends"]["server"]["interfaces"]["tun0"]["rx_packets"] == 6
        assert min(reading["kernel_threads"].values()) >= 0.001
    spent = [reading["ends"]["client-load"]["cpu"] for reading in (before, after)]
    assert 0 < spent[0] < spent[1], "the command itself ran there"


def test_the_last_two_snapshots_are_the_meters(captured: Captured) -> None:
    """A load that prints such lines itself cannot pass them off as the meter's."""
    text = captured("bracket/failed.txt")
    forged = 'snapshot {"kernel_threads": {}, "ends": {}}\n'
    assert snapshots(forged + text, roles(text)) == snapshots(text, roles(text))
    assert snapshots("", {}) == []


def test_on_a_wire_with_a_small_mtu_later_fragments_are_the_paths_own(made: Made, captured: Captured) -> None:
    """They have no port that would say whose they are."""
    text = captured("bracket/failed.txt")
    tunnel, engine = made(Result(0, "sent", text), roles(text))
    tunnel.wire = Wire(wire="narrow", title="narrow", mtu=1280)
    tunnel.load(["nc"], timeout=25)
    ((_, bracket, _),) = engine.asked
    assert bracket[2] == "(udp port 2) or (udp and ip[6:2] & 0x1fff != 0) or (ip6 and ip6[6] = 44)"


@pytest.mark.parametrize(("clock", "later"), [("wall", "0.012500"), ("instructions", "0.512500")])
def test_a_load_is_what_it_printed_between_two_snapshots(
    made: Made, captured: Captured, clock: str, later: str
) -> None:
    text = captured("bracket/failed.txt")
    numbers = roles(text)
    tunnel, engine = made(Result(0, "sent", text), numbers)
    tunnel.offset, engine.clock = 0.0125, clock
    load = tunnel.load(["nc", "-N", "198.19.0.1"], timeout=25)
    watched = [number for number, end in numbers.items() if end.endswith("-load")]
    bracket = ["bracket", later, "udp port 2", *watched, "--", *numbers, "--", "nc", "-N", "198.19.0.1"]
    assert engine.asked == [("client-load", bracket, 25)]
    assert (load["argv"], load["stdout"]) == (["nc", "-N", "198.19.0.1"], "sent")
    assert [load["before"], load["after"]] == snapshots(text, numbers)
    assert "snapshot" not in load["stderr"]
    assert load["stderr"].count("bracket ") == 2
    assert load["counters"] == {"before": {}, "after": {}}  # this VPN has none of its own
    assert load["wire"] == {end: {"packets": 0, "bytes": 0, "lost": 0} for end in ("server", "client")}
    assert tunnel.loads == [load]


def test_a_tunnel_settles_before_its_load(made: Made, captured: Captured) -> None:
    text = captured("bracket/failed.txt")
    tunnel, engine = made(Result(0, "sent", text), roles(text))
    variants = tunnel.vpn.file.variants
    variants["udp"] = variants["udp"].model_copy(update={"settle": 2.5})
    tunnel.load(["nc"], timeout=25)
    ((_, command, limit),) = engine.asked
    assert command[: len(SETTLED) + 2] == [*SETTLED, "2.5", "bracket"]
    assert limit == 27.5
    waited = subprocess.run([*SETTLED, "0.01", "echo", "two words"], capture_output=True, check=True, text=True)
    assert waited.stdout == "two words\n"


ENDED: dict[str, tuple[dict[str, Any], str]] = {
    "killed": ({"status": "exited", "attrs": {"State": {"ExitCode": 137}}}, "stopped (exit 137)"),
    "out of memory": (
        {"status": "exited", "attrs": {"State": {"ExitCode": 137, "OOMKilled": True}}},
        "stopped (exit 137, out of memory)",
    ),
    "paused": ({"status": "paused"}, "is paused"),
}


@pytest.mark.parametrize("how", ENDED)
@pytest.mark.parametrize("which", [*ENDS, "meter"])
@pytest.mark.parametrize(
    ("error", "then"),
    [
        (InvalidSample("the far end did not answer"), "the far end did not answer"),
        (LabError("iperf3 failed: exit 1"), "iperf3 failed: exit 1"), (Unsupported("no such suite"), "no such suite"),
        (KeyError("end"), "the output could not be understood: KeyError('end')"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_whatever_goes_wrong_while_a_part_has_stopped_is_its_fault(
    made: Made, monkeypatch: pytest.MonkeyPatch, error: Exception, then: str, which: str, how: str
) -> None:
    this, _ = made(Result(0, "the last words of a daemon", ""))
    vars(this.bed)["remove"] = lambda containers: None
    monkeypatch.setattr("lab.benches.vpn.tunnel.Tunnel", lambda *_: this)
    state, said = ENDED[how]
    container = this.meter.containers["meter"] if which == "meter" else this.containers[which]
    monkeypatch.setattr(this, "bring_up", lambda: vars(container).update(state))
    with pytest.raises(LabError) as caught, tunnel(this.bed, *cast(Any, [None] * 5)):
        raise error
    assert type(caught.value) is LabError, "an end that has stopped is a failure, whatever it looks like"
    assert caught.value.message == f"the {which} {said}: {then}"
    assert caught.value.logs["server"] == "the last words of a daemon"


def test_a_container_that_was_removed_has_stopped_too(made: Made) -> None:
    def gone() -> None:
        raise NotFound("no such container")

    this, _ = made(Result(0, "", ""))
    assert this.stopped() == ""
    vars(this.containers["client"])["reload"] = gone
    vars(this.containers["server"]).update(ENDED["killed"][0])
    assert this.stopped() == "the server stopped (exit 137), the client was removed"


def test_where_all_run_an_error_is_what_it_is(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    this, _ = made(Result(0, "", ""))
    vars(this.bed)["remove"] = lambda containers: None
    monkeypatch.setattr("lab.benches.vpn.tunnel.Tunnel", lambda *_: this)
    monkeypatch.setattr(this, "bring_up", lambda: None)
    for error in (InvalidSample("another suite"), KeyError("end")):
        with pytest.raises(type(error)) as caught, tunnel(this.bed, *cast(Any, [None] * 5)):
            raise error
        assert caught.value is error


@pytest.mark.parametrize("status", [124, 137])
@pytest.mark.parametrize("answers", [True, False])
def test_a_load_that_was_not_done_in_time_names_the_part_that_hung(made: Made, status: int, answers: bool) -> None:
    this, _ = made(Result(status, "", ""))
    this.meter.answers = lambda: answers  # type: ignore[method-assign]
    said = "nc was not done after 50 s" if answers else "the meter did not answer: nc and what it says around it"
    with pytest.raises(LabError, match=rf"^{said}"):
        this.load(["nc"], timeout=5)


def test_a_load_that_was_killed_itself_had_time_enough(made: Made, captured: Captured) -> None:
    text = captured("bracket/failed.txt")
    this, _ = made(Result(137, "", text), roles(text))
    with pytest.raises(LabError, match=r"^nc failed: "):
        this.load(["nc"], timeout=5)


def test_a_load_that_failed_says_so_in_its_own_words(made: Made, captured: Captured) -> None:
    text = captured("bracket/failed.txt")
    tunnel, _ = made(Result(3, "", text), roles(text))
    with pytest.raises(LabError) as caught:
        tunnel.load(["sh", "-c", "exit 3"], timeout=5)
    assert caught.value.message == "sh failed: oh dear"


def test_an_end_that_is_gone_is_named(made: Made, captured: Captured) -> None:
    """The meter knows containers by their numbers; a reader knows ends."""
    text = captured("bracket/gone.txt")
    (number,) = re.findall(r"[0-9a-f]{64}", text)
    tunnel, _ = made(Result(METER_FAILED, "", text), {number: "server"})
    with pytest.raises(LabError) as caught:
        tunnel.load(["iperf3"], timeout=5)
    assert caught.value.message.startswith("the meter could not read the ends: ")
    assert "no process is left in the container of the server: it has stopped" in caught.value.message
    assert number not in caught.value.message


def test_system_calls_are_by_end_and_name(made: Made, captured: Captured) -> None:
    """Of 50 echoes through a VPN in user space: each is read and written once at each end, both ways."""
    text = captured("counted/tunnel.txt")
    tunnel, engine = made(Result(0, "", text), roles(text))
    calls = tunnel.count_syscalls(["ping", "-c", "50"], timeout=9)
    ((end, argv, timeout),) = engine.asked
    assert (end, argv[-7:], timeout) == ("client-load", ["counted", *SPACES.values(), "--", "ping", "-c", "50"], 9)
    assert list(calls) == ["server", "client"]
    for end, echoes in calls.items():
        assert list(echoes) == sorted(echoes)
        assert {echoes[name] for name in ("read", "write", "sendto", "recvfrom")} == {50}, end
    assert tunnel.loads, "it is watched as any load is"


def test_an_end_that_made_no_call_made_none(made: Made, captured: Captured) -> None:
    text = re.sub(
        r'^\{"\d+": .*\n', '{"4026532404": {"read": 1}}\n', captured("counted/tunnel.txt"), flags=re.MULTILINE
    )
    tunnel, _ = made(Result(0, "", text), roles(text))
    assert tunnel.count_syscalls(["true"], timeout=9) == {"server": {}, "client": {"read": 1}}


@pytest.mark.parametrize(
    ("file", "status", "said"),
    [
        ("counted/refused", METER_FAILED, r"^the meter could not read the ends: invalid literal for int.*: 'x'$"),
        ("counted/failed", 3, "^nc failed: oh dear"),
        (
            "bracket/no-filter",
            METER_FAILED,
            "^the meter could not read the ends: tcpdump: can't parse filter expression",
        ),
    ],
)
def test_what_went_wrong_while_a_load_was_watched(
    made: Made, captured: Captured, file: str, status: int, said: str
) -> None:
    tunnel, _ = made(Result(status, "", captured(f"{file}.txt")))
    with pytest.raises(LabError, match=said):
        tunnel.count_syscalls(["nc"], timeout=9)


COUNTERS = r"in (?P<rx>\d+) out (?P<tx>\d+)"


def answering(monkeypatch: pytest.MonkeyPatch, pattern: str, server: Result, client: Result) -> None:
    """Both ends answer every question of the proof so."""
    monkeypatch.setattr(questions, "answers", lambda *_: {"server": (pattern, server), "client": (pattern, client)})


@pytest.mark.parametrize("printed", ["a warning\n100.5 102.75 3000 4000\n", None])
def test_how_long_an_end_took_is_known_though_its_output_was_lost(made: Made, printed: str | None) -> None:
    tunnel, _ = made(Result(0, printed, None))
    took = tunnel._up("client")
    assert (took.seconds, took.received, took.sent) == (2.25, 3000, 4000)


def test_counters(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    tunnel, _ = made(Result(0, "", ""))
    # What a pipe's status says does not matter where the answer is there.
    answering(monkeypatch, COUNTERS, Result(0, "in 1 out 2", ""), Result(141, "in 3 out 4", ""))
    assert questions.counters(tunnel) == {"server": {"rx": 1, "tx": 2}, "client": {"rx": 3, "tx": 4}}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Result(1, "", "counters: nobody there"), "status 1: counters: nobody there"),
        (Result(124, "", ""), "status 124: exit 124"),
        (Result(0, "no such words", ""), "status 0: no such words"),
    ],
)
def test_counters_that_are_not_told_say_why(
    made: Made, monkeypatch: pytest.MonkeyPatch, answer: Result, said: str
) -> None:
    """Nothing is wrong with the data path: the end failed."""
    tunnel, _ = made(Result(0, "", ""))
    answering(monkeypatch, COUNTERS, Result(0, "in 1 out 2", ""), answer)
    with pytest.raises(LabError, match=rf"^the client's own counters were not found: {said}$") as caught:
        questions.counters(tunnel)
    assert type(caught.value) is LabError


def test_another_session_is_no_proof(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tunnel died and came back, with the suite that it had."""
    tunnel, _ = made(Result(0, "", ""))
    pattern = r"session (?P<session>\d+) cipher (.*)$"
    same, other = (Result(0, f"session {number} cipher {tunnel.native}", "") for number in (1, 2))
    answering(monkeypatch, pattern, same, same)
    tunnel.prove_suite()
    tunnel.prove_suite()
    answering(monkeypatch, pattern, same, other)
    with pytest.raises(InvalidSample, match=r"^the client is in session 2, before the load it was 1$"):
        tunnel.prove_suite()


def test_a_suite_that_is_not_told_says_why(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    tunnel, _ = made(Result(0, "", ""))
    answering(monkeypatch, "cipher (.*)$", Result(0, f"cipher {tunnel.native}", ""), Result(137, "", "killed"))
    with pytest.raises(
        InvalidSample, match=r"the client negotiated nothing that it tells \(status 137: killed\), not"
    ) as caught:
        tunnel.prove_suite()
    assert caught.value.hint == "`lab capture beta --variant udp` keeps what both ends tell"
    assert tunnel.evidence["told"] == {"server": f"cipher {tunnel.native}", "client": ""}
    answering(monkeypatch, "cipher (.*)$", Result(0, f"cipher {tunnel.native}", ""), Result(0, "cipher ROT13", ""))
    with pytest.raises(InvalidSample, match=f"the client negotiated ROT13, not {tunnel.native}"):
        tunnel.prove_suite()
