# SPDX-License-Identifier: MIT
"""`lab ktls`: what is asked of the bench, what it answers, and the plan of a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError
from requests.exceptions import RequestException
from test_ktls_cells import cell

from lab.benches.ktls import bench, cells, ends
from lab.benches.ktls.settings import KIND, PAYLOADS, Settings
from lab.core.command import Result
from lab.core.errors import EngineGone, LabError, UsageError
from lab.core.paths import ROOT
from lab.core.signals import Stopped
from lab.engines import images, opening
from lab.engines.choice import Choice
from lab.engines.engine import Engine
from lab.results.store import Store
from lab.runner.execute import execute
from lab.runner.interrupted import resumable
from lab.runner.plan import Step
from lab.runner.settings import settings, settings_of
from lab.runner.side_by_side import SideBySide


class Bare:
    """Ends whose bench answers what the test says."""

    peer = "198.18.0.2"
    ended = ""

    def __init__(self, answer: Callable[[Sequence[str]], Result]) -> None:
        self.answer, self.asked, self.later = answer, list[str](), list[float]()

    def run(self, argv: Sequence[str], timeout: float, *, later: float = 0.0) -> Result:
        self.asked.append(" ".join(argv))
        self.later.append(later)
        return self.answer(argv)

    def watched(self, argv: Sequence[str], timeout: float) -> tuple[Result, dict[str, Any]]:
        return self.run(argv, timeout), {"perf": "1.00%\t9\tktls-bench\t[kernel]\t[k] memcpy\n", "ciphers": {}}

    def facts(self) -> dict[str, str]:
        return {"af_ktls": "loaded"}

    def stopped(self) -> str:
        return self.ended


class Quiet:
    """Progress that nobody watches."""

    def start(self, todo: int, total: int) -> Any:
        return nullcontext()

    def before(self, step: Step) -> None:
        return

    def after(self, step: Step, sample: Any) -> None:
        return


@pytest.fixture
def answering(captured: Callable[[str], str]) -> Callable[[Sequence[str]], Result]:
    """As a machine without the module."""

    def answer(argv: Sequence[str]) -> Result:
        said = dict(pairwise(argv))
        if "af_ktls" in (said["--tx"], said["--rx"]):
            return Result(77, "", "ktls-bench: no AF_KTLS sockets\n")
        text = captured(f"ktls/transmission-{said['--protocol']}-library.json")
        return Result(0, json.dumps(json.loads(text) | {"payload": int(said["--payload"])}), "")

    return answer


def prepared(answer: Callable[[Sequence[str]], Result], **asked: Any) -> tuple[bench.Site, Bare]:
    standard = {"scenarios": ["transmission"], "protocols": ["dtls", "tls"], "paths": ["library", "kernel"],
                "payloads": [1400, 16000], "blocks": 2}  # fmt: skip
    engine = Engine(client=None, name="vm", clock="instructions", facts={"NCPU": 1})  # type: ignore[arg-type]
    where = Bare(answer)
    return bench.Site(settings(Settings, standard | asked), [(engine, where)]), where


class TestRun:
    def test_settings_that_cannot_be(self) -> None:
        with pytest.raises(UsageError) as caught:
            settings(Settings, {"payloads": [7], "blocks": 0, "seconds": 0, "size": 1, "cpuid": "x", "scenarios": []})
        named = [line.split(":")[0] for line in caught.value.message.splitlines()]
        assert sorted(named) == sorted(["--scenarios", "--payloads", "--seconds", "--size", "--cpuid", "--blocks"])

    @pytest.mark.parametrize("kind", ["scenario", "protocol", "path", "cipher"])
    def test_unknown_names(self, kind: str) -> None:
        with pytest.raises(UsageError, match=f"unknown {kind} 'nonsense'") as caught:
            bench.choose(Settings.model_validate({f"{kind}s": ["nonsense"]}))
        assert "valid names: " in caught.value.hint

    def test_the_thesis_payloads_and_scenarios_by_default(self) -> None:
        plan = bench.choose(Settings()).plan
        payloads = {each.conditions for each in plan.cells if (each.measure, each.vpn) == ("transmission", "dtls")}
        assert payloads == {f"payload={size} way=send" for size in PAYLOADS}
        assert {each.measure for each in plan.cells} == {"transmission", "file", "echo", "verify"}
        assert len(set(plan.cells)) == len(plan.cells)

    def test_every_cell_once_a_block_and_only_what_is_missing(
        self, answering: Callable[[Sequence[str]], Result], tmp_path: Path
    ) -> None:
        ready, where = prepared(answering)
        store = Store.create(tmp_path / "run", {})
        assert execute(SideBySide(ready), store, Quiet()) == {"ok": 8, "unsupported": 8}
        samples = list(store.read())
        taken = [(each["block"], each["vpn"], each["variant"], each["conditions"]) for each in samples]
        assert len(set(taken)) == len(taken) == 16
        assert {each["reason"] for each in samples if each["outcome"] == "unsupported"} == {"no AF_KTLS sockets"}
        asked = len(where.asked)
        assert execute(SideBySide(ready), store, Quiet()) == {"ok": 8, "unsupported": 8}
        assert len(where.asked) == asked

    def test_each_sample_is_on_the_disk_before_the_next_begins(
        self, answering: Callable[[Sequence[str]], Result], tmp_path: Path
    ) -> None:
        store = Store.create(tmp_path / "run", {})
        kept: list[int] = []

        def answer(argv: Sequence[str]) -> Result:
            kept.append(sum(1 for _ in store.read()))
            return answering(argv)

        execute(SideBySide(prepared(answer)[0]), store, Quiet())
        assert kept == list(range(16))

    def test_guests_share_a_run_and_no_sample_is_taken_twice(
        self, answering: Callable[[Sequence[str]], Result], tmp_path: Path
    ) -> None:
        ready, _ = prepared(answering)
        places = [(ready.engines[0], Bare(answering)) for _ in range(3)]
        store = Store.create(tmp_path / "run", {})
        assert execute(SideBySide(bench.Site(ready.settings, places)), store, Quiet()) == {"ok": 8, "unsupported": 8}
        assert sorted(len(where.asked) for _, where in places) == [5, 5, 6]
        assert len({(each["block"], each["position"]) for each in store.read()}) == 16

    @pytest.mark.parametrize("its_own", [True, False], ids=["a guest", "this machine's engine"])
    def test_where_an_engine_is_gone_the_run_ends_and_keeps_what_it_has(
        self, answering: Callable[[Sequence[str]], Result], tmp_path: Path, its_own: bool
    ) -> None:
        """That of a guest maybe ended because of its sample; an engine that serves others too did not."""

        def dying(*argv: Any) -> Result:
            raise RequestException("gone")

        ready, where = prepared(answering)
        killed: list[str] = []
        client: Any = SimpleNamespace(ping=dying)
        engine = replace(ready.engines[0], client=client, kill=(lambda: killed.append("killed")) if its_own else None)
        store = Store.create(tmp_path / "run", {})
        with pytest.raises(EngineGone, match="the vm engine no longer answers: gone"):
            execute(SideBySide(bench.Site(ready.settings, [(engine, where), (engine, Bare(dying))])), store, Quiet())
        assert bool(killed) is its_own
        died = [each for each in store.read() if each["outcome"] not in ("ok", "unsupported")]
        reasons = [(each["outcome"], each["reason"]) for each in died]
        assert reasons == ([("failed", "the vm engine no longer answers: gone")] if its_own else [])
        assert execute(SideBySide(ready), store, Quiet()) == {"ok": 8, "unsupported": 8}
        assert [each.get("attempt", 1) for each in store.last()].count(2) == len(died)

    def test_what_an_engine_refused_is_a_failed_sample(
        self, answering: Callable[[Sequence[str]], Result], tmp_path: Path
    ) -> None:
        def refusing(argv: Sequence[str]) -> Result:
            raise APIError("no such container")

        ready, _ = prepared(refusing, protocols=["dtls"], paths=["library"], payloads=[1400])
        client: Any = SimpleNamespace(ping=lambda: True)
        store = Store.create(tmp_path / "run", {})
        ready = bench.Site(ready.settings, [(replace(ready.engines[0], client=client), Bare(refusing))])
        assert execute(SideBySide(ready), store, Quiet()) == {"failed": 2}
        assert {each["reason"] for each in store.read()} == {"the engine refused: no such container"}

    def test_going_on_takes_once_more_what_went_wrong(
        self, answering: Callable[[Sequence[str]], Result], tmp_path: Path
    ) -> None:
        broken = iter([Result(1, "", "ktls-bench: no peer"), Result(0, "{}", ""), Result(1, "", "ktls-bench: still")])
        asked = {"protocols": ["dtls"], "paths": ["library", "kernel"], "payloads": [1400], "blocks": 1}

        def answer(argv: Sequence[str]) -> Result:
            return next(broken) if "--tx library" in " ".join(argv) else answering(argv)

        ready, where = prepared(answer, **asked)
        store = Store.create(tmp_path / "run", {})
        assert execute(SideBySide(ready), store, Quiet()) == {"unsupported": 1, "failed": 1}
        assert execute(SideBySide(ready), store, Quiet()) == {"unsupported": 1, "invalid": 1}
        assert execute(SideBySide(ready), store, Quiet()) == {"unsupported": 1, "failed": 1}
        assert execute(SideBySide(prepared(answering, **asked)[0]), store, Quiet()) == {"unsupported": 1, "ok": 1}
        assert len(where.asked) == 4, "what is unsupported stays so"
        attempts = [each.get("attempt") for each in store.read() if each["variant"] == "library"]
        assert attempts == [None, 2, 3, 4]

    @pytest.mark.parametrize(
        ("result", "then"),
        [
            (Result(1, "", "ktls-bench: no peer"), "the bench ended with 1: ktls-bench: no peer"),
            (Result(0, "{}", ""), "asked for scenario"), (Result(77, "", "ktls-bench: no sockets"), "no sockets"),
            (Result(0, "cut", ""), "the output could not be understood"),
        ],
    )  # fmt: skip
    def test_whatever_goes_wrong_while_an_end_has_stopped_is_its_fault(
        self, tmp_path: Path, result: Result, then: str
    ) -> None:
        ready, where = prepared(lambda _: result, protocols=["dtls"], paths=["library"], payloads=[1400], blocks=1)
        where.ended = "the peer stopped (exit 137)"
        store = Store.create(tmp_path / "run", {})
        assert execute(SideBySide(ready), store, Quiet()) == {"failed": 1}
        (sample,) = store.read()
        assert sample["reason"].startswith(f"the peer stopped (exit 137): {then}")

    def test_a_run_that_is_being_written_is_left_to_its_writer(
        self, answering: Callable[[Sequence[str]], Result], tmp_path: Path
    ) -> None:
        store = Store.create(tmp_path / "run", {})
        with store.writing(), pytest.raises(LabError, match="is being written by process"):
            execute(SideBySide(prepared(answering)[0]), Store(store.folder), Quiet())
        assert not store.samples.exists()

    def test_order_and_start_are_drawn_from_the_seed(
        self, answering: Callable[[Sequence[str]], Result], tmp_path: Path
    ) -> None:
        runs = []
        for number, seed in enumerate((1, 1, 2)):
            ready, where = prepared(answering, seed=seed)
            execute(SideBySide(ready), Store.create(tmp_path / str(number), {}), Quiet())
            runs.append((where.asked, where.later))
        assert runs[0] == runs[1]
        assert runs[0][0] != runs[2][0]
        assert sorted(runs[0][0]) == sorted(runs[2][0])
        assert len(set(runs[0][1])) > 10
        assert all(0 <= later <= 0.05 for later in runs[0][1])

    def test_a_sample(self, answering: Callable[[Sequence[str]], Result], tmp_path: Path) -> None:
        ready, _ = prepared(answering, protocols=["dtls"], paths=["library"], payloads=[1400], blocks=1)
        store = Store.create(tmp_path / "run", {})
        execute(SideBySide(ready), store, Quiet())
        (sample,) = store.read()
        assert (sample["vpn"], sample["variant"], sample["records"]) == ("dtls", "library", "user")
        assert (sample["measure"], sample["conditions"]) == ("transmission", "payload=1400 way=send")
        assert (sample["engine"], sample["clock"]) == ("vm", "instructions")
        assert json.loads(sample["raw"]["stdout"])["sender"]["bytes"] > 0
        assert sample["raw"]["argv"][0] == cells.PROGRAM
        assert sample["drivers"]["library"].startswith("GnuTLS 3.")

    def test_a_profile_is_a_sample_with_perfs_report(
        self, answering: Callable[[Sequence[str]], Result], tmp_path: Path
    ) -> None:
        ready, _ = prepared(answering, protocols=["dtls"], paths=["library"], payloads=[1400], profile=[1400])
        store = Store.create(tmp_path / "run", {})
        assert execute(SideBySide(ready), store, Quiet()) == {"ok": 3}, "two blocks, and a profile in the first"
        (sample,) = (each for each in store.read() if each["measure"] == "profile")
        assert sample["conditions"] == "payload=1400 way=send scenario=transmission"
        assert "memcpy" in sample["raw"]["perf"]

    def test_a_bench_that_fails_is_a_failed_sample(self, tmp_path: Path) -> None:
        broken = iter([Result(1, "", "ktls-bench: no peer"), Result(0, "not an answer", ""), Result(0, "{}", "")])
        ready, _ = prepared(lambda _: next(broken), protocols=["dtls"], paths=["library"], payloads=[1400], blocks=3)
        store = Store.create(tmp_path / "run", {})
        assert execute(SideBySide(ready), store, Quiet()) == {"failed": 2, "invalid": 1}
        reasons = [each["reason"] for each in store.read()]
        assert reasons[0] == "the bench ended with 1: ktls-bench: no peer"
        assert reasons[1].startswith("the output could not be understood")
        assert reasons[2].startswith("asked for scenario")

    def test_a_run_of_something_else_does_not_go_on(self, tmp_path: Path) -> None:
        store = Store.create(tmp_path / "run", {"kind": "crypto", "settings": {}})
        with pytest.raises(LabError, match=r"is not a run of `lab ktls`") as caught:
            settings_of(Settings, store, KIND)
        assert caught.value.hint == "`lab crypto --resume run` resumes it"

    def test_a_run_goes_on_with_its_own_settings_and_only_where_nothing_changed(self, tmp_path: Path) -> None:
        engine = Choice(name="vm", clock="instructions")
        wanted = settings(Settings, {"payloads": [1400], "count": 9, "engine": engine})
        meta: dict[str, Any] = {key: {"name": key, "clock": "wall"} for key in bench.KEPT} | {"plan": "this plan"}
        store = Store.create(tmp_path / "run", {"kind": KIND, "settings": json.loads(wanted.model_dump_json()), **meta})
        assert settings_of(Settings, store, KIND) == wanted
        assert store.go_on(meta, bench.KEPT) is store
        for key in bench.KEPT:
            with pytest.raises(LabError, match=f"changed since it was started: {key}$"):
                store.go_on(meta | {key: {"name": "another"}}, bench.KEPT)

    def test_a_signal_tells_how_to_go_on(self, answering: Callable[[Sequence[str]], Result], tmp_path: Path) -> None:
        store = Store.create(tmp_path / "ktls-run", {})
        ready = prepared(answering, protocols=["dtls"], paths=["library"], payloads=[1400], blocks=1)[0]
        execute(SideBySide(ready), store, Quiet())
        with (
            pytest.raises(LabError, match=r"^stopped by SIGINT; 1 samples are kept in ") as caught,
            resumable("ktls", store),
        ):
            raise Stopped("SIGINT")
        assert caught.value.hint == "`lab ktls --resume ktls-run` resumes the run"

    def test_an_engine_that_is_gone_tells_how_to_go_on(self, tmp_path: Path) -> None:
        store = Store.create(tmp_path / "ktls-run", {})
        with pytest.raises(LabError) as caught, resumable("ktls", store):
            raise EngineGone("the vm engine no longer answers: gone")
        assert caught.value.message == "the vm engine no longer answers: gone"
        assert (
            caught.value.hint == f"0 samples are kept in {store.folder}; `lab ktls --resume ktls-run` resumes the run"
        )
        assert caught.value.exit_code == 1

    def test_settings_that_are_none_are_named_with_their_file(self, tmp_path: Path) -> None:
        wrong: list[tuple[dict[str, Any], str]] = [
            ({}, ""), ({"settings": None}, "settings: "), ({"settings": {"blocks": 0}}, "settings: blocks: "),
            ({"settings": {"weather": 1}}, "settings: weather: "), ({"settings": {"engine": 7}}, "settings: engine: "),
        ]  # fmt: skip
        for number, (asked, said) in enumerate(wrong):
            store = Store.create(tmp_path / f"run{number}", {"kind": "ktls", **asked})
            with pytest.raises(UsageError, match=rf"run{number}/meta.json: {said}"):
                settings_of(Settings, store, "ktls")

    def test_an_image_that_is_out_of_date_is_told_before_a_guest_starts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bench, "connect", lambda: None)
        monkeypatch.setattr(images, "is_current", lambda engine, folder: folder != ROOT / "kmod")
        monkeypatch.setattr(opening, "several", lambda *_: pytest.fail("a guest was started"))
        with (
            pytest.raises(LabError, match="lab/kmod:latest is missing or out of date"),
            bench.opened(bench.choose(Settings()), print),
        ):
            pass

    def test_the_image_is_the_modules_folder(self) -> None:
        assert ends.IMAGE == "lab/kmod:latest"
        assert (ROOT / "kmod" / "Dockerfile").exists()

    def test_a_limit_grows_with_what_is_moved(self, answering: Callable[[Sequence[str]], Result]) -> None:
        ready, _ = prepared(answering, size="1GB", seconds=7)
        sender = bench.Sender(ready.settings, *ready.places[0])
        timed, file = cell("transmission", "tls", "library", "send"), cell("file", "tls", "library", "mmap")
        assert sender.limit(timed) == bench.PATIENCE + 7
        assert sender.limit(cells.profiled(file)) == bench.PATIENCE + 500


@pytest.mark.parametrize(
    ("facts", "asked", "fits"),
    [
        ({}, "gcm-aesni", True),  # not loaded: what needs it is `unsupported`
        ({"af_ktls driver": "gcm-aesni"}, "gcm-aesni", True),
        ({"af_ktls driver": ""}, "", True),
        ({"af_ktls driver": "gcm-aesni"}, "", False),
        ({"af_ktls driver": ""}, "gcm-aesni", False),
    ],
)
def test_a_module_that_is_loaded_with_another_driver(facts: dict[str, str], asked: str, fits: bool) -> None:
    if fits:
        bench.check_driver(facts, asked)
        return
    with pytest.raises(LabError, match="af_ktls is loaded with driver=") as caught:
        bench.check_driver(facts, asked)
    assert "rmmod af_ktls" in (caught.value.hint or "")
