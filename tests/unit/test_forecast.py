# SPDX-License-Identifier: MIT
"""How long a plan will take, from former runs; and what `--dry-run` says of a plan."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from stored import sample

from lab import benches
from lab.cli import dry_run, main, rows
from lab.core.errors import UsageError
from lab.core.paths import RESULTS
from lab.engines.choice import Choice
from lab.results.cell import Cell
from lab.results.overview import skimmed
from lab.results.store import Store
from lab.runner.forecast import Forecast, Former, Load, forecast
from lab.runner.plan import Step
from lab.runner.settings import settings_of

HOST = Choice()
VM = Choice(name="vm")
EXACT = Choice(name="vm", clock="instructions")
BEGIN = datetime(2026, 11, 23, tzinfo=UTC)
COMMITTED = sorted(path.parent.name for path in RESULTS.glob("*/meta.json"))


def timed(seconds: float) -> Callable[[Cell], Load]:
    return lambda cell: Load(seconds=seconds)


def sized(size: float) -> Callable[[Cell], Load]:
    return lambda cell: Load(size=size)


def steps(count: int, measure: str = "throughput") -> list[Step]:
    return [Step(block, 0, Cell("alpha", "udp", "strong", measure)) for block in range(count)]


def former(
    results: Path, starts: Iterable[float], load: Callable[[Cell], Load], engine: Choice = HOST, **changes: Any
) -> Former:
    """A run whose samples start at these seconds."""
    store = Store.create(results / f"r{len(list(results.glob('*'))) + 1}", {})
    for block, start in enumerate(starts):
        store.append(sample(block=block, started=(BEGIN + timedelta(seconds=start)).isoformat(), **changes))
    return Former(store, engine, load)


class TestForecast:
    def test_the_same_load_takes_as_long_again(self, tmp_path: Path) -> None:
        run = former(tmp_path, [0, 8, 16, 24], timed(5))
        assert forecast(steps(10), HOST, timed(5), [run]).seconds == pytest.approx(80)

    def test_another_load_changes_what_is_in_the_load_alone(self, tmp_path: Path) -> None:
        run = former(tmp_path, [0, 8, 16, 24], timed(5))
        assert forecast(steps(10), HOST, timed(1), [run]).seconds == pytest.approx(40)

    def test_a_file_takes_time_by_its_size(self, tmp_path: Path) -> None:
        run = former(tmp_path, [0, 8, 16], sized(1e6), phases={"measure": 2.0, "prove": 1.0})
        assert forecast(steps(10), HOST, sized(3e6), [run]).seconds == pytest.approx(120)

    def test_a_second_of_the_instruction_clock_takes_longer(self, tmp_path: Path) -> None:
        run = former(tmp_path, [0, 30, 60], timed(1), EXACT, phases={"measure": 20.0})
        assert forecast(steps(10), EXACT, timed(2), [run]).seconds == pytest.approx(500)

    def test_guests_take_their_shares_at_the_same_time(self, tmp_path: Path) -> None:
        two = EXACT.model_copy(update={"guests": 2})
        run = former(tmp_path, [0, 5, 10, 15], timed(1), two)
        assert forecast(steps(10), EXACT, timed(1), [run]).seconds == pytest.approx(100)
        assert forecast(steps(10), two, timed(1), [run]).seconds == pytest.approx(50)

    def test_the_time_in_which_a_run_was_stopped_does_not_count(self, tmp_path: Path) -> None:
        run = former(tmp_path, [0, 8, 16, 90_000, 90_008], timed(5))
        assert forecast(steps(10), HOST, timed(5), [run]).seconds == pytest.approx(80)

    def test_the_newest_run_counts(self, tmp_path: Path) -> None:
        new, old = former(tmp_path, [0, 8, 16], timed(5)), former(tmp_path, [0, 99, 198], timed(5))
        predicted = forecast(steps(10), HOST, timed(5), [new, old])
        assert predicted.seconds == pytest.approx(80)
        assert predicted.runs == ["r1"]

    @pytest.mark.parametrize("other", [VM, EXACT])
    def test_a_run_of_another_engine_or_clock_says_nothing(self, tmp_path: Path, other: Choice) -> None:
        run = former(tmp_path, [0, 8, 16], timed(5), other)
        assert forecast(steps(10), HOST, timed(5), [run]) == Forecast(50, True, None, {})

    def test_without_a_run_the_loads_are_the_least(self) -> None:
        assert forecast(steps(10), HOST, timed(5), []) == Forecast(50, True, None, {})
        assert forecast(steps(10), EXACT.model_copy(update={"guests": 2}), timed(5), []).seconds == 25

    def test_one_sample_tells_no_time(self, tmp_path: Path) -> None:
        assert forecast(steps(10), HOST, timed(5), [former(tmp_path, [0], timed(5))]).at_least

    def test_a_measure_that_no_run_has_counts_with_its_load(self, tmp_path: Path) -> None:
        run = former(tmp_path, [0, 8, 16], timed(5))
        predicted = forecast([*steps(10), *steps(10, "latency")], HOST, timed(5), [run])
        assert predicted.seconds == pytest.approx(80 + 50)
        assert predicted.at_least

    def test_measures_may_come_from_several_runs(self, tmp_path: Path) -> None:
        runs = [
            former(tmp_path, [0, 8, 16], timed(5)),
            former(tmp_path, [0, 9, 18], timed(5), measure="latency", conditions=""),
        ]
        predicted = forecast([*steps(10), *steps(10, "latency")], HOST, timed(5), runs)
        assert predicted.seconds == pytest.approx(80 + 90)
        assert not predicted.at_least
        assert set(predicted.runs) == {"r1", "r2"}

    def test_a_timed_load_says_nothing_about_one_of_a_size(self, tmp_path: Path) -> None:
        run = former(tmp_path, [0, 8, 16], timed(5))
        assert forecast(steps(10), HOST, sized(5), [run]) == Forecast(0, True, None, {})

    def test_nothing_to_take(self, tmp_path: Path) -> None:
        predicted = forecast([], HOST, timed(5), [former(tmp_path, [0, 8], timed(5))])
        assert (predicted.seconds, predicted.at_least) == (0, False)

    def test_the_disk_grows_with_the_samples_and_not_the_page(self, tmp_path: Path) -> None:
        run = former(tmp_path, [0, 8, 16, 24], timed(5))
        (run.store.folder / "report.html").write_bytes(b"x" * 1_000_000)
        lines, meta = run.store.samples.stat().st_size, (run.store.folder / "meta.json").stat().st_size
        size = forecast(steps(40), HOST, timed(5), [run]).size
        assert size == lines * 10 + 1_000_000 + meta


DISTURBED = ("20261130-102155-gdk", "20261130-121606-sfm", "20261201-000714-twg")
"""Runs on the instruction clock beside which the machine built images and ran tests."""
UNEVEN = ("20261130-200755-yrw", "20261130-204056-mju", "20261130-204714-fzu", "20261201-005359-xzb")
"""Runs of few samples, of which some take many times as long as others: with one tunnel and with a hundred."""


@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_run_takes_as_long_as_it_took(name: str) -> None:
    """Its own plan, forecast from itself, takes as long as it did, without the hours in which it was stopped."""
    store = Store(RESULTS / name)
    kind = benches.of(store)
    settings, bench = settings_of(benches.settings(kind).Settings, store, kind), benches.bench(kind)
    taken = [each for each in skimmed(store) if each and "started" in each]
    starts = sorted(datetime.fromisoformat(each["started"]) for each in taken)
    plan = [
        Step(each["block"], 0, Cell(*(each[key] for key in ("vpn", "variant", "suite", "measure", "conditions"))))
        for each in taken
    ]
    gaps = [(after - before).total_seconds() for before, after in pairwise(starts)]
    measured = sum(gap for gap in gaps if gap < 600)
    run = Former(store, settings.engine, bench.loads(settings))
    predicted = forecast(plan, settings.engine, bench.loads(settings), [run])
    assert not predicted.at_least
    # Wider where the machine did other things for a part of the run: what is typical of it is not its mean.
    room = 0.2 if name in UNEVEN else 0.15 if name in DISTURBED else 0.05
    assert predicted.seconds == pytest.approx(measured, rel=room)
    files = sum(path.stat().st_size for path in store.folder.iterdir())
    assert predicted.size == pytest.approx(files, rel=0.01)


class TestDryRun:
    """Of the real benches, with the committed runs."""

    @pytest.fixture
    def results(self, tmp_path: Path) -> Path:
        """A copy of the committed runs, without what is derived from their samples."""
        keep = shutil.ignore_patterns("*.png", "*.html", "*.csv", "*.ipynb")
        return Path(shutil.copytree(RESULTS, tmp_path / "results", ignore=keep))

    @pytest.fixture
    def lab(
        self, results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> Callable[..., str]:
        """Run a dry run at 80 columns, where no engine answers; returns its output. It writes nothing."""
        monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
        monkeypatch.setattr(dry_run, "console", Console(width=80))
        monkeypatch.setattr(rows, "console", Console(width=80))

        def run(*words: str) -> str:
            before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
            monkeypatch.setattr(sys, "argv", ["lab", *words, "--dry-run", "--results", str(results)])
            with pytest.raises(SystemExit) as ended:
                main.main()
            printed = capsys.readouterr()
            assert (ended.value.code, printed.err) == (0, "")
            assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == before
            return printed.out

        return run

    @pytest.mark.parametrize("kind", benches.folders())
    def test_of_every_bench(self, lab: Callable[..., str], kind: str) -> None:
        lines = lab(kind).splitlines()
        assert max(map(len, lines)) <= 80
        assert "…" not in " ".join(lines)
        assert "about" in next(line for line in lines if line.startswith("time: "))
        assert "MB in the run's folder" in next(line for line in lines if line.startswith("disk: "))
        assert lines[-1] == "Nothing was measured, and nothing was written."

    def test_samples_by_data_path(self, lab: Callable[..., str]) -> None:
        told = json.loads(lab("matrix", "--ciphers", "all", "--blocks", "2", "--json"))
        bench, settings = benches.bench("matrix"), benches.settings("matrix").Settings(ciphers=["all"], blocks=2)
        plan = bench.planned(bench.choose(settings))
        assert (told["cells"], told["blocks"], told["samples"]) == (len(plan.cells), 2, 2 * len(plan.cells))
        for row in told["subjects"]:
            of_path = [cell for cell in plan.cells if (cell.vpn, cell.variant) == (row["vpn"], row["variant"])]
            assert (row["cells"], row["samples"]) == (len(of_path), 2 * len(of_path))
        assert sum(row["cells"] for row in told["unsupported"]) == len(plan.unsupported)
        assert {row["reason"] for row in told["unsupported"]} == set(plan.unsupported.values())

    def test_the_subject_has_its_own_names(self, lab: Callable[..., str]) -> None:
        told = json.loads(lab("ktls", "--json"))
        assert {"protocol", "path"} < set(told["subjects"][0])

    def test_it_says_what_the_time_is_based_on(self, lab: Callable[..., str], results: Path) -> None:
        (run,) = json.loads(lab("ktls", "--json"))["based_on"]
        meta = Store(results / run).meta()
        assert (meta["kind"], meta["engine"]["clock"]) == ("ktls", "wall")
        text = " ".join(lab("ktls").split())
        assert f"as the samples of {run} ({meta['machine']['cpu']}), the newest with this engine and clock" in text

    def test_without_a_comparable_run_the_time_is_a_least_one(self, lab: Callable[..., str], results: Path) -> None:
        shutil.rmtree(results)
        results.mkdir()
        text = " ".join(lab("ktls", "--protocols", "udp", "--payloads", "1400", "--scenarios", "transmission").split())
        assert "time: at least 3 s, for the loads alone: no run with this engine and clock" in text
        assert "disk: not known: no run with this engine and clock" in text

    def test_a_run_that_goes_on_takes_what_is_left(self, lab: Callable[..., str], results: Path) -> None:
        name = "crypto-20261123-165953-xwp"
        path = results / name / "samples.jsonl"
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-7]))
        told = json.loads(lab("crypto", "--resume", name, "--json"))
        assert (told["samples"], sum(row["samples"] for row in told["subjects"])) == (7, 7)

    def test_without_an_engine_it_says_so(self, lab: Callable[..., str]) -> None:
        (note,) = json.loads(lab("matrix", "--json"))["notes"]
        assert note.startswith("what this machine cannot run is not known: no Docker engine answers")
        (note,) = json.loads(lab("matrix", "--engine", "vm", "--json"))["notes"]
        assert note.startswith("the start of the guest comes on top.")

    def test_what_the_engine_lacks(self, lab: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
        bench = benches.bench("matrix")
        vpn = next(vpn for vpn in bench.choose(benches.settings("matrix").Settings()).vpns if not vpn.file.control)
        variant = next(iter(vpn.file.variants))
        lacks = {(vpn.name, variant): "the kernel has no such thing; try --engine vm"}
        monkeypatch.setattr("lab.engines.engine.connect", object)
        monkeypatch.setattr(bench.images, "is_current", lambda *_: True)
        monkeypatch.setattr(bench.requirements, "lacks", lambda *_: lacks)
        told = json.loads(lab("matrix", "--json"))
        assert told["notes"] == []
        (row,) = (row for row in told["subjects"] if (row["vpn"], row["variant"]) == (vpn.name, variant))
        assert (row["cells"], row["samples"]) == (0, 0)
        assert f"{vpn.name} {variant} with 5 suites: the kernel has no such thing" in " ".join(lab("matrix").split())

    def test_without_the_image_that_asks_the_kernel(
        self, lab: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("lab.engines.engine.connect", object)
        monkeypatch.setattr("lab.benches.vpn.bench.images.is_current", lambda *_: False)
        (note,) = json.loads(lab("matrix", "--json"))["notes"]
        assert note.startswith("what this machine cannot run is not known: images missing or out of date: base")
        assert note.endswith("`lab build` makes them")

    def test_a_wrong_option_is_an_error(self, results: Path) -> None:
        with pytest.raises(UsageError, match="--blocks: at least 1"):
            dry_run.prepare("matrix", {"blocks": 0}, None, results)
