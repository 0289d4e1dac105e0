# SPDX-License-Identifier: MIT
"""A plan carried out, with a tunnel that is not there: what is skipped, and what each fault makes of a sample."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from docker.errors import APIError
from faked import SHARING, Lab, without_tunnels
from requests.exceptions import RequestException
from urllib3.exceptions import ProtocolError

from lab.catalog.catalog import Catalog
from lab.core.errors import EngineGone, InvalidSample, LabError, Unsupported
from lab.results.cell import Cell
from lab.results.reading import Reading
from lab.results.store import cell_of
from lab.runner.attempt import Attempt
from lab.runner.group import attempts
from lab.runner.outcome import outcomes
from lab.runner.plan import Plan, Step, offset


@pytest.fixture
def lab(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return without_tunnels(catalog, tmp_path, monkeypatch)


def test_every_sample_of_the_plan_is_taken_and_kept(lab: Lab) -> None:
    assert lab.execute() == lab.plan.steps()
    kept = list(lab.store.read())
    assert outcomes(kept) == {"unsupported": 2, "ok": 6}
    for sample, step in zip(kept[2:], lab.plan.steps(), strict=True):
        assert (sample["block"], sample["position"], sample["vpn"]) == (step.block, step.position, step.cell.vpn)


def test_a_sample_holds_what_a_reader_needs(lab: Lab) -> None:
    lab.execute()
    sample = next(each for each in lab.store.read() if each["vpn"] == "alpha" and each["outcome"] == "ok")
    assert sample["readings"] == [{"metric": "fake", "unit": "s", "end": "client", "value": 1.5}]
    assert (sample["run"], sample["engine"], sample["clock"], sample["records"]) == ("r1", "host", "wall", "user")
    assert (sample["raw"], sample["handshake"], sample["reason"]) == ({"seconds": 1.5}, 0.25, "")
    assert sample["proof"]["suite"] == "STRONG"
    assert {"open", "sample", "measure", "prove", "close"} == set(sample["phases"])


def test_what_is_unsupported_is_kept_once_with_its_reason(lab: Lab) -> None:
    lab.execute()
    lab.execute()
    kept = [sample for sample in lab.store.read() if sample["outcome"] == "unsupported"]
    assert [(each["variant"], each["suite"]) for each in kept] == [("udp", "odd"), ("tcp", "odd")]
    assert [each["position"] for each in kept] == [-1, -1]
    assert kept[0]["reason"] == "the greek dialect has no name for odd"


def test_resuming_takes_only_what_is_missing(lab: Lab) -> None:
    steps = lab.plan.steps()
    lab.fake.error = KeyboardInterrupt("SIGTERM")  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        lab.execute()
    assert lab.fake.samples == 1
    lab.fake.error = None
    assert lab.take([[steps[0]], [steps[4]]]) == [steps[0], steps[4]]
    assert lab.execute() == [steps[1], steps[2], steps[3], steps[5]]
    assert lab.execute() == []
    assert outcomes(list(lab.store.read())) == {"unsupported": 2, "ok": 6}


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (Unsupported("cannot do it"), "unsupported", "cannot do it"),
        (InvalidSample("another suite"), "invalid", "another suite"),
        (LabError("iperf3: refused"), "failed", "iperf3: refused"),
        (ValueError("no number"), "failed", "the output could not be understood: ValueError('no number')"),
        (KeyError("end"), "failed", "the output could not be understood: KeyError('end')"),
        (APIError("no such container"), "failed", "the engine refused: no such container"),
    ],
)
@pytest.mark.parametrize("when", ["opening", "proving", "error"])
def test_whatever_goes_wrong_is_the_outcome_of_that_sample(
    lab: Lab, when: str, error: Exception, outcome: str, reason: str
) -> None:
    setattr(lab.fake, when, error)
    sample = lab.sample()
    assert (sample["outcome"], sample["reason"], sample["readings"]) == (outcome, reason, [])


def test_logs_are_kept_with_a_failure(lab: Lab) -> None:
    lab.fake.error = LabError("failed")
    lab.fake.error.logs = {"server": "what the daemon said"}
    assert lab.sample()["logs"] == {"server": "what the daemon said"}


@pytest.mark.parametrize(
    "error",
    [APIError("connection refused"), RequestException("reset"), ProtocolError("cut"), ConnectionResetError("reset")],
    ids=lambda error: type(error).__name__,
)
def test_an_engine_that_is_gone_ends_the_run_and_is_no_samples_outcome(lab: Lab, error: Exception) -> None:
    lab.alive = False
    lab.fake.error, lab.fake.at = error, 2
    with pytest.raises(EngineGone, match="the host engine no longer answers"):
        lab.execute()
    assert lab.pinged == ["ping"]
    assert outcomes(list(lab.store.read())) == {"unsupported": 2, "ok": 1}
    lab.alive, lab.fake.error = True, None
    lab.execute()
    assert outcomes(lab.store.last()) == {"unsupported": 2, "ok": 6}
    assert all("attempt" not in sample for sample in lab.store.read())


def test_a_machine_of_its_own_that_ends_under_a_sample_is_its_outcome(lab: Lab) -> None:
    """Maybe it ended because of it: what is known stays, and it is taken again."""
    lab.alive = False
    lab.engine.kill = lambda: None
    lab.engine.last_words = lambda: "Kernel panic - not syncing"
    lab.fake.error = APIError("connection refused")
    with pytest.raises(EngineGone, match=r"no longer answers: .*\nlast output of its machine:\nKernel panic"):
        lab.execute()
    *_, last = lab.store.read()
    assert last["outcome"] == "failed"
    assert last["reason"].startswith("the host engine no longer answers: connection refused")
    assert outcomes(list(lab.store.read())) == {"unsupported": 2, "failed": 1}
    lab.fake.error = None
    lab.execute()
    assert outcomes(lab.store.last()) == {"unsupported": 2, "ok": 6}


@pytest.mark.parametrize("outcome", ["failed", "invalid"])
def test_going_on_takes_once_more_what_went_wrong_and_keeps_every_attempt(lab: Lab, outcome: str) -> None:
    lab.fake.error = LabError("refused") if outcome == "failed" else InvalidSample("another suite")
    lab.fake.at = 3
    lab.execute()
    wrong = lab.plan.steps()[2]
    assert outcomes(list(lab.store.read())) == {"unsupported": 2, "ok": 5, outcome: 1}
    lab.fake.at = 7
    assert lab.execute() == [wrong], "once, whatever comes of it"
    lab.fake.at = 0
    lab.fake.error = None
    assert lab.execute() == [wrong]
    assert lab.execute() == []
    attempts = [each for each in lab.store.read() if (each["block"], cell_of(each)) == (wrong.block, wrong.cell)]
    assert [(each.get("attempt", 1), each["outcome"]) for each in attempts] == [(1, outcome), (2, outcome), (3, "ok")]
    assert outcomes(lab.store.last()) == {"unsupported": 2, "ok": 6}


def test_what_is_unsupported_is_not_taken_again(lab: Lab) -> None:
    lab.fake.opening = Unsupported("cannot do it")
    lab.execute()
    assert lab.execute() == []


@pytest.mark.parametrize(("before", "now"), [("odd", "strong"), ("strong", "odd")])
def test_a_run_does_not_go_on_where_the_engine_can_more_or_less_than_it_could(lab: Lab, before: str, now: str) -> None:
    def of(able: str, unable: str) -> Plan:
        return Plan((Cell("alpha", "udp", able, "fake"),), {Cell("alpha", "udp", unable, "fake"): "no module"}, 2, 0)

    lab.plan = of(before, now)
    lab.execute()
    whole = lab.store.samples.read_bytes()
    lab.plan = of(now, before)
    with pytest.raises(
        LabError,
        match=rf"r1 cannot be resumed: alpha udp {now} fake can run now, but could not when it started: no module",
    ):
        lab.execute()
    lab.plan = Plan((), {Cell("alpha", "udp", before, "fake"): "no module"}, 2, 0)
    with pytest.raises(LabError, match=rf"r1 cannot be resumed: alpha udp {before} fake can no longer run: no module"):
        lab.execute()
    assert lab.store.samples.read_bytes() == whole


def test_the_meter_is_looked_after_before_each_sample_and_what_was_wrong_is_told(lab: Lab) -> None:
    asked: list[int] = []

    def revived() -> str:
        asked.append(lab.fake.samples)
        return "the meter stopped (exit 137)" if len(asked) == 3 else ""

    lab.fake.meter.revived = revived
    lab.take([SHARING])
    assert asked == [0, 1, 2, 3]
    noted = [sample.get("meter") for sample in lab.store.read()]
    assert noted == [None, None, "started anew before this sample: the meter stopped (exit 137)", None]


def test_a_meter_that_does_not_start_is_what_failed(lab: Lab) -> None:
    def revived() -> str:
        raise LabError("the meter is not at the gate after 20 s: no module named snapshot")

    lab.fake.meter.revived = revived
    lab.take([SHARING])
    assert {sample["outcome"] for sample in lab.store.read()} == {"failed"}
    assert all(sample["reason"].startswith("the meter is not at the gate") for sample in lab.store.read())
    assert lab.fake.samples == 0


def test_a_load_without_its_payload_is_a_failed_sample(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be proved of it; the run goes on."""
    lab.fake.raw = {"load": {}, "direction": "up"}
    monkeypatch.setattr(lab.fake, "parse", lambda raw: [Reading("fake", "s", "client", 1.0)])
    monkeypatch.setattr("lab.benches.vpn.sample.proof.kept_to", lambda load, interface: None)
    lab.execute()
    kept = [sample for sample in lab.store.read() if sample["position"] >= 0]
    assert {sample["outcome"] for sample in kept} == {"failed"}
    assert all("no `payload`" in sample["reason"] for sample in kept)


def test_a_figure_that_is_no_number_makes_a_sample_fail(lab: Lab) -> None:
    """JSON would keep it, and the run could not be read again."""
    lab.fake.raw = {"seconds": float("nan")}
    sample = lab.sample()
    assert (sample["outcome"], sample["readings"]) == ("failed", [])
    assert "fake of client is nan" in sample["reason"]


def test_samples_that_share_a_tunnel_are_taken_in_one(lab: Lab) -> None:
    assert lab.take([SHARING]) == SHARING
    assert (lab.fake.opened, lab.fake.closed) == ([0], [4])
    kept = list(lab.store.read())
    assert [sample["conditions"] for sample in kept] == ["n=0", "n=1", "n=2", "n=3"]
    assert {sample["outcome"] for sample in kept} == {"ok"}
    assert {sample["handshake"] for sample in kept} == {0.25}
    assert lab.fake.proofs == 1, "the wire is looked at once for a tunnel"
    assert lab.fake.asked == 1 + 4, "and the ends are asked before the first sample and after each"
    assert all(set(sample["proof"]) == {"suite", "wire"} for sample in kept)
    assert all({"prove", "measure"} <= set(sample["phases"]) for sample in kept)


def test_a_sample_is_on_the_disk_before_the_next_begins(lab: Lab) -> None:
    begun: list[int] = []
    given: list[int] = []

    def begin(step: Step) -> Attempt:
        begun.append(len(given))
        return Attempt(step)

    for _ in attempts(lab.engine, lab.bed, SHARING, begin):
        given += [lab.fake.samples]
    assert (begun, given) == ([0, 1, 2, 3], [1, 2, 3, 4])


@pytest.mark.parametrize("when", ["error", "proving"])
def test_after_a_sample_that_went_wrong_the_tunnel_is_brought_up_anew(
    lab: Lab, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if when == "error":
        lab.fake.error, lab.fake.at = LabError("iperf3: refused"), 2
    else:
        prove_suite = lab.fake.prove_suite

        def fails_once() -> None:
            if lab.fake.asked == 2:
                lab.fake.asked += 1
                raise InvalidSample("fell back under way")
            prove_suite()

        monkeypatch.setattr(lab.fake, "prove_suite", fails_once)
    assert lab.take([SHARING]) == SHARING
    outcome = "failed" if when == "error" else "invalid"
    assert [sample["outcome"] for sample in lab.store.read()] == ["ok", outcome, "ok", "ok"]
    assert len(lab.fake.opened) == len(lab.fake.closed) == 2
    assert lab.fake.proofs == 2, "the wire is looked at anew in each tunnel"


def test_a_tunnel_that_does_not_come_up_is_tried_again_for_each_sample(lab: Lab) -> None:
    lab.fake.opening = LabError("the server did not come up")
    assert lab.take([SHARING]) == SHARING
    assert [sample["outcome"] for sample in lab.store.read()] == ["failed"] * 4
    assert (lab.fake.samples, lab.fake.opened) == (0, [])


def test_what_is_unsupported_is_so_for_the_rest_of_its_tunnel(lab: Lab) -> None:
    lab.fake.opening = Unsupported("cannot do it")
    assert lab.take([SHARING]) == SHARING
    kept = list(lab.store.read())
    told = [(sample["outcome"], sample["reason"], sample["readings"]) for sample in kept]
    assert told == [("unsupported", "cannot do it", [])] * 4
    assert (lab.fake.samples, lab.fake.opened) == (0, [])


def test_what_one_measure_cannot_do_others_may(lab: Lab) -> None:
    lab.fake.error, lab.fake.at = Unsupported("cannot do it"), 2
    assert lab.take([SHARING]) == SHARING
    assert [sample["outcome"] for sample in lab.store.read()] == ["ok", "unsupported", "ok", "ok"]


def test_the_samples_of_a_shared_tunnel_that_are_kept_are_not_taken_again(lab: Lab) -> None:
    assert lab.take([[SHARING[1]], [SHARING[3]]]) == [SHARING[1], SHARING[3]]
    assert lab.take([SHARING]) == [SHARING[0], SHARING[2]]
    assert len(lab.fake.opened) == 3
    assert lab.take([SHARING]) == []
    assert len(lab.fake.opened) == 3, "a tunnel was brought up for nothing"


def test_a_load_starts_at_the_offset_of_its_sample(lab: Lab) -> None:
    lab.take([SHARING], seed=7)
    assert lab.fake.offsets == [offset(7, step) for step in SHARING]


def test_offsets_are_drawn_by_seed_block_and_cell() -> None:
    steps = [replace(step, block=block) for block in range(50) for step in SHARING]
    drawn = [offset(2016, step) for step in steps]
    assert drawn == [offset(2016, step) for step in steps]
    assert len(set(drawn)) == len(drawn)
    assert 0 <= min(drawn) < 0.01
    assert 0.04 < max(drawn) < 0.05
    assert sum(drawn) / len(drawn) == pytest.approx(0.025, abs=0.005)
    assert not set(drawn) & {offset(2017, step) for step in steps}
    first = SHARING[0]
    assert offset(1, first) == offset(1, replace(first, position=9)), "the place in the block does not matter"


def test_nothing_is_measured_in_a_tunnel_that_is_not_proved(lab: Lab) -> None:
    lab.fake.proving = InvalidSample("another suite")
    assert lab.sample()["outcome"] == "invalid"
    assert lab.fake.samples == 0


def test_phases_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 11.0, 20.0, 22.5])
    monkeypatch.setattr("lab.runner.attempt.time.monotonic", lambda: next(clock))
    attempt = Attempt(SHARING[0])
    with attempt.phase("prove"):
        pass
    with pytest.raises(ValueError, match="x"), attempt.phase("prove"):
        raise ValueError("x")
    assert attempt.known["phases"] == {"prove": 3.5}
