# SPDX-License-Identifier: MIT
"""What `ktls-bench` answers: the figures in it, and the proof that it ran what a cell asks for."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from lab.benches.ktls import cells, output
from lab.core.command import Result
from lab.core.errors import InvalidSample, LabError, Unsupported
from lab.results.cell import Cell

KNOWN = cells.load()


def cell(scenario: str, protocol: str, path: str, way: str, payload: int | None = 1400, suite: str = "") -> Cell:
    return cells.cell(scenario, protocol, path, suite or "aes-128-gcm", way=way, payload=payload)


@pytest.fixture
def answer(captured: Callable[[str], str]) -> Callable[[str], dict[str, Any]]:
    """What the bench printed, from a file under tests/data/ktls; free to be changed."""
    return lambda name: output.parse(captured(f"ktls/{name}.json"))


@pytest.fixture(params=["6.12", "7.3.4"])
def everything(request: pytest.FixtureRequest, captured: Callable[[str], str]) -> list[dict[str, Any]]:
    """What the bench answered in guests of both kernels, a line for each combination."""
    return [output.parse(line) for line in captured(f"ktls/answers-{request.param}.jsonl").splitlines()]


GCM = {"dtls": cell("transmission", "dtls", "library", "send"), "tls": cell("transmission", "tls", "library", "send")}


class TestAnswers:
    def test_sent_and_received_cpu_and_wall_are_apart(self, answer: Callable[[str], dict[str, Any]]) -> None:
        said = answer("transmission-dtls-library")
        found = {(one.metric, one.end): one for one in output.readings(said, "wall", 2)}
        for end in output.ENDS:
            one = said[end]
            assert found["throughput", end].value == pytest.approx(one["bytes"] / one["wall_s"] / 1e6)
            spent = one["user_s"] + one["system_s"]
            assert found["cpu_rate", end].value == pytest.approx(one["bytes"] / spent / 1e6)
            assert found["cost_record", end].value == pytest.approx(spent / one["records"] * 1e9)
            switches = (one["voluntary"] + one["involuntary"]) / one["records"]
            assert found["switches_record", end].value == pytest.approx(switches)
            assert (found["throughput", end].unit, found["cpu_rate", end].unit) == ("MB/s", "MB/CPU s")
        assert found["cpu_user", "sender"].value != found["cpu_user", "receiver"].value
        assert found["setup", "machine"].value == said["handshake_s"]

    def test_the_first_figure_is_what_was_received(self, answer: Callable[[str], dict[str, Any]]) -> None:
        first = output.readings(answer("transmission-dtls-library"), "wall", 2)[0]
        assert (first.metric, first.end) == ("throughput", "receiver")

    def test_what_is_lost(self, answer: Callable[[str], dict[str, Any]]) -> None:
        said = answer("transmission-dtls-library")
        said["sender"]["bytes"], said["receiver"]["bytes"] = 1000, 750
        found = {one.metric: one.value for one in output.readings(said, "wall", 2)}
        assert found["loss"] == 0.25

    def test_the_machines_cost_on_either_clock(self, answer: Callable[[str], dict[str, Any]]) -> None:
        """On the instruction clock all that was not idle; on the wall clock what the kernel accounted for."""
        said = answer("transmission-dtls-library")
        said["receiver"] |= {"records": 1000, "bytes": 1_400_000, "user_s": 0.0, "system_s": 0.1}
        said["sender"] |= {"user_s": 0.1, "system_s": 0.2}
        said["machine"] = {
            "user_s": 0.1, "nice_s": 0.05, "system_s": 0.2, "irq_s": 0.0, "softirq_s": 0.15, "steal_s": 0.3,
            "idle_s": 0.2, "iowait_s": 0.1, "wall_s": 1.0,
        }  # fmt: skip
        exact = {(one.metric, one.end): one for one in output.readings(said, "instructions", 1)}
        assert exact["cost_record", "machine"].value == pytest.approx(0.7e9 / 1000)
        assert exact["cost_byte", "machine"].value == pytest.approx(0.7e9 / 1_400_000)
        assert {exact["cost_record", end].unit for end in ("machine", *output.ENDS)} == {"instructions"}
        noisy = {(one.metric, one.end): one for one in output.readings(said, "wall", 2)}
        assert noisy["cost_record", "machine"].value == pytest.approx(0.5e9 / 1000)
        assert noisy["cost_record", "machine"].unit == "ns"
        assert noisy["cpu_user", "machine"].value == pytest.approx(0.15)

    def test_the_machine_is_busy_no_less_than_its_processes(self, answer: Callable[[str], dict[str, Any]]) -> None:
        """Idle time is told in ticks of 10 ms: of a short load it may be told too much."""
        said = answer("transmission-dtls-library")
        spent = sum(said[end]["user_s"] + said[end]["system_s"] for end in output.ENDS)
        said["machine"]["idle_s"] = said["machine"]["wall_s"] - spent + 0.01
        found = {(one.metric, one.end): one.value for one in output.readings(said, "instructions", 1)}
        assert found["cost_record", "machine"] == pytest.approx(spent * 1e9 / said["receiver"]["records"])

    def test_a_process_that_no_tick_met_has_no_rate(self, answer: Callable[[str], dict[str, Any]]) -> None:
        said = answer("transmission-dtls-library")
        said["sender"] |= {"user_s": 0.0, "system_s": 0.0}
        found = {(one.metric, one.end) for one in output.readings(said, "wall", 2)}
        assert ("cpu_rate", "sender") not in found
        assert ("cpu_rate", "receiver") in found

    @pytest.mark.parametrize(
        ("key", "value"),
        [("protocol", "tls"), ("tx", "af_ktls"), ("rx", "raw"), ("way", "splice"), ("cipher", "aes-256-gcm"),
         ("scenario", "file")],
    )  # fmt: skip
    def test_a_bench_that_ran_something_else(
        self, answer: Callable[[str], dict[str, Any]], key: str, value: str
    ) -> None:
        said = answer("transmission-dtls-library")
        output.prove(said, GCM["dtls"])
        said[key] = value
        with pytest.raises(InvalidSample, match=f"asked for {key} '.*', the bench ran '{value}'"):
            output.prove(said, GCM["dtls"])

    def test_a_stream_loses_nothing_a_datagram_may(self, answer: Callable[[str], dict[str, Any]]) -> None:
        for protocol, valid in (("dtls", True), ("tls", False)):
            said = answer(f"transmission-{protocol}-library")
            output.prove(said, GCM[protocol])
            said["receiver"]["bytes"] -= 1400
            with nullcontext() if valid else pytest.raises(InvalidSample, match="into a stream"):
                output.prove(said, GCM[protocol])
            said["receiver"]["bytes"] += 2800
            with pytest.raises(InvalidSample, match="came out"):
                output.prove(said, GCM[protocol])

    def test_nothing_at_all_is_no_sample(self, answer: Callable[[str], dict[str, Any]]) -> None:
        said = answer("transmission-dtls-library")
        said["receiver"]["bytes"] = 0
        with pytest.raises(InvalidSample, match="0 arrived"):
            output.prove(said, GCM["dtls"])

    def test_the_modules_own_counters_are_the_proof(self, answer: Callable[[str], dict[str, Any]]) -> None:
        kernel = cell("transmission", "dtls", "kernel", "send")
        said = answer("transmission-dtls-kernel")
        output.prove(said, kernel)
        for way in ("tx", "rx"):
            less = said["ktls"] | {way: said["ktls"][way] | {f"{way}_bytes": said["ktls"][way][f"{way}_bytes"] - 1}}
            for counters in (None, {**said["ktls"], way: None}, less):
                with pytest.raises(InvalidSample, match=r"[tr]x af_ktls: its counters say \d+ bytes of \d+"):
                    output.prove(said | {"ktls": counters}, kernel)

    def test_who_forwards_has_all_counters(self, answer: Callable[[str], dict[str, Any]]) -> None:
        """It receives by the socket by which it sends."""
        kernel = cell("echo", "dtls", "kernel", "splice")
        said = answer("echo-dtls-kernel-splice")
        output.prove(said, kernel)
        with pytest.raises(InvalidSample, match="rx af_ktls"):
            output.prove(said | {"ktls": {"tx": {"rx_bytes": 0}, "rx": said["ktls"]["tx"]}}, kernel)
        said["receiver"]["bytes"] = said["ktls"]["tx"]["rx_bytes"] = said["sender"]["bytes"] - 1400
        with pytest.raises(InvalidSample, match="rx af_ktls"):  # it forwarded more than it received
            output.prove(said, kernel)

    def test_streams_count_bytes_and_no_records(self, answer: Callable[[str], dict[str, Any]]) -> None:
        said = answer("echo-tls-kernel-splice")
        assert said["ktls"]["tx"]["rx_records"] == 0
        output.prove(said, cell("echo", "tls", "kernel", "splice"))

    def test_unsupported_and_failed(self) -> None:
        said = "ktls-bench: no AF_KTLS sockets: the module af_ktls is not loaded\n"
        with pytest.raises(Unsupported, match=r"^no AF_KTLS sockets: the module af_ktls is not loaded$"):
            output.check(Result(77, "", said))
        for status in (1, 2, 124, 137):
            with pytest.raises(LabError, match=f"ended with {status}: ") as caught:
                output.check(Result(status, "", "something"))
            assert not isinstance(caught.value, Unsupported)

    @pytest.mark.parametrize("text", ["", "[]", "{", "null"])
    def test_what_is_no_answer(self, text: str) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - which of its kinds does not matter
            output.parse(text)

    def test_verification(self, everything: list[dict[str, Any]]) -> None:
        handling = cell("verify", "dtls", "kernel", "handling", None)
        (said,) = (each for each in everything
                   if (each.get("verify"), each.get("protocol")) == ("handling", "dtls"))  # fmt: skip
        output.prove(said, handling)
        found = {one.metric: one.value for one in output.readings(said, "wall", 1)}
        assert found == {"checks": 38.0, "failures": 0.0}
        for key in ("verify", "protocol", "tx"):
            with pytest.raises(InvalidSample, match=f"asked for {key} "):
                output.prove(said | {key: "sendfile"}, handling)

    def test_a_verification_that_found_something(self) -> None:
        text = '{"verify":"handling","checks":38,"failures":2}\n'
        with pytest.raises(LabError, match=r"^2 of 38 checks failed: attach: EBUSY wanted$"):
            output.check(Result(1, text, "attach: EBUSY wanted\n"))

    def test_every_answer_of_the_bench_is_understood(self, everything: list[dict[str, Any]]) -> None:
        """And each that a cell of ours asks for is proved by it."""
        proved = 0
        for said in everything:
            found = output.readings(said, "instructions", 1)
            assert all(math.isfinite(one.value) and one.value >= 0 for one in found), said
            if (of := asking(said)) is None:
                continue
            if "way=sendfile" in of.conditions and said["record_size"] != said["payload"]:
                with pytest.raises(Unsupported, match="cannot limit the records that its own TLS makes of a file"):
                    output.prove(said, of)
                continue
            output.prove(said, of)
            proved += 1
        assert proved > 50

    def test_both_ends_saw_the_same_bytes_of_every_stream(self, everything: list[dict[str, Any]]) -> None:
        for said in everything:
            if "verify" not in said and said["protocol"] in ("tls", "tcp"):
                assert said["sender"]["bytes"] == said["receiver"]["bytes"] > 0

    def test_cpu_time_is_no_more_than_there_was(self, everything: list[dict[str, Any]]) -> None:
        """Of one processor; of the machine's, the ends' processes are a part, but for ticks."""
        for said in everything:
            if "verify" in said:
                continue
            for end in output.ENDS:
                assert said[end]["user_s"] + said[end]["system_s"] <= said["machine"]["wall_s"] * 1.01


def asking(said: dict[str, Any]) -> Cell | None:
    """The cell that asks for what was answered; None where none of ours does."""
    if "verify" in said:
        return None
    protocol = "tls13" if said["version"] == "1.3" else said["protocol"]
    scenario = said["scenario"]
    forwards = scenario == "echo" and said["protocol"] in ("dtls", "tls")
    plain = {"tx": "echo", "rx": "echo-out"}
    if forwards:
        sides = [name for side, name in plain.items() if said[side] == "raw"]
        scenario = sides[0] if sides else ""
    for path in KNOWN.paths:
        if scenario and protocol in path.protocols:
            one = cell(scenario, protocol, path.path, said["way"], said["payload"], said["cipher"] or cells.NONE)
            if cells.ends(one) == (said["tx"], said["rx"]):
                return one
    return None
