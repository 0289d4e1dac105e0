# SPDX-License-Identifier: MIT
"""`--blocks auto`: when a run is looked at, what is asked of it, and that a look is taken once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from faked import Lab, without_tunnels
from frames import VM, cell, control, frame
from stored import sample

from lab.catalog.catalog import Catalog
from lab.cli import dry_run
from lab.cli.measure import Where, measure
from lab.core.errors import LabError, UsageError
from lab.results.cell import Cell
from lab.results.looks import Look, stages
from lab.results.overview import overviews
from lab.results.schema import Meta
from lab.results.store import Store
from lab.runner.attempt import Attempt
from lab.runner.looking import Looks, looked
from lab.runner.missing import Taken
from lab.runner.plan import Plan, Step
from lab.runner.settings import Settings, settings
from lab.stats import deciding
from lab.stats.analysis import FOREIGN
from lab.stats.summary import Summary

AUTO: dict[str, Any] = {"settings": {"blocks": "auto", "most_blocks": 20}}


@pytest.mark.parametrize(
    ("most", "wanted"),
    [(20, [5, 10, 20]), (40, [5, 10, 20, 40]), (21, [6, 11, 21]), (9, [5, 9]), (8, [8]), (5, [5]), (3, [3]), (1, [1])],
)
def test_the_limit_alone_says_when_a_run_is_looked_at(most: int, wanted: list[int]) -> None:
    assert stages(most) == wanted


class TestSettings:
    def test_a_number_has_no_looks(self) -> None:
        chosen = settings(Settings, {"blocks": "7"})
        assert (chosen.blocks, chosen.limit, chosen.stages) == (7, 7, [])

    def test_auto_has_a_limit(self) -> None:
        chosen = settings(Settings, {"blocks": "auto", "most_blocks": 12})
        assert (chosen.limit, chosen.stages) == (12, [6, 12])
        assert Settings.model_validate_json(chosen.model_dump_json()) == chosen

    @pytest.mark.parametrize(
        ("value", "said"),
        [("0", "at least 1 is wanted, got 0"), ("10001", "at most 10000 is wanted, got 10001"),
         ("some", "a whole number or `auto` is wanted, got 'some'")],
    )  # fmt: skip
    def test_what_is_neither(self, value: str, said: str) -> None:
        with pytest.raises(UsageError, match=f"^--blocks: {said}$"):
            settings(Settings, {"blocks": value})


class TestDeciding:
    """Which comparisons a run is asked for, and whether they are decided."""

    def test_cells_that_differ_in_one_thing(self) -> None:
        rows = [
            row
            for vpn, suite in (("a", "x"), ("a", "y"), ("b", "x"), ("b", "z"))
            for row in cell(vpn, suite, [100, 101, 102, 103, 104])
        ]
        found = deciding.comparisons(frame(rows + control([900, 901, 902, 903, 904])), "plain")
        pairs = {tuple(f"{name[0]}{name[3]}" for name in pair) for pair in zip(found["a"], found["b"], strict=True)}
        assert pairs == {("ax", "ay"), ("ax", "bx"), ("bx", "bz")}

    def test_a_measure_has_one_figure(self) -> None:
        rows = []
        for vpn in "ab":
            for metric, end in (("throughput", "server"), ("throughput", "machine"), ("duration", "client")):
                rows += cell(vpn, "x", [1, 2, 3, 4, 5], metric=metric, end=end)
        assert deciding.comparisons(frame(rows), None)[["metric", "end"]].to_numpy().tolist() == [
            ["throughput", "machine"]
        ]

    def test_what_is_not_limited_by_a_processor_is_asked_too(self) -> None:
        common: dict[str, Any] = {"measure": "handshake", "metric": "handshake", "end": "client", "bottleneck": ""}
        rows = cell("a", "x", [1, 1.1, 1.2], **common) + cell("b", "x", [3, 3.1, 3.2], **common)
        assert deciding.look(frame(rows), {}, 3) == Look(blocks=3, compared=1, undecided=0)

    def test_later_blocks_are_not_seen(self) -> None:
        rows = cell("a", "x", [100, 140, 120, *[100.0, 101.0] * 6])
        rows += cell("b", "x", [130, 120, 140, *[300.0, 302.0] * 6])
        assert deciding.look(frame(rows), {}, 3).undecided == 1
        assert deciding.look(frame(rows), {}, 15).undecided == 0

    def test_one_cell_has_nothing_beside_it(self) -> None:
        look = deciding.look(frame([*cell("a", "x", [1, 2, 3, 4, 5]), *control([9] * 5)]), {}, 5)
        assert look == Look(blocks=5, compared=0, undecided=0)
        assert str(look) == "after 5 blocks there is nothing to compare"
        assert look.over

    def test_a_cell_that_others_disturbed_each_time_is_waited_for(self) -> None:
        rows = cell("a", "x", [100, 101, 102]) + cell("b", "x", [200, 201, 203])
        rows += cell("c", "x", [50, 51, 52], bottleneck=FOREIGN)
        assert deciding.look(frame(rows), {}, 3) == Look(blocks=3, compared=2, undecided=1)

    def test_profiles_are_not_asked_for_more_blocks(self) -> None:
        once = [*cell("a", "x", [1], measure="profile"), *cell("b", "x", [2], measure="profile")]
        rows = frame([*cell("a", "x", [100, 101, 102]), *cell("b", "x", [200, 201, 203]), *once])
        assert deciding.look(rows, {"kind": "ktls"}, 3).undecided == 0
        assert deciding.look(rows, {"kind": "matrix"}, 3).undecided == 1

    def test_each_look_has_its_share_of_the_chance(self) -> None:
        """The same samples, which decide where they are looked at once."""
        values = np.array([1.0, -1.0, 0.4, -0.4, 0.0])
        rows = cell("a", "x", 100 + values, **VM) + cell("b", "x", 101.3 + values, **VM)
        once = {"settings": {"blocks": 5}}
        assert deciding.look(frame(rows), once, 5).undecided == 0
        assert deciding.look(frame(rows), AUTO, 5).undecided == 1

    def test_a_report_says_the_same(self) -> None:
        values = np.array([1.0, -1.0, 0.4, -0.4, 0.0])
        rows = frame(cell("a", "x", 100 + values, **VM) + cell("b", "x", 101.3 + values, **VM))
        assert Summary(rows, {}).pairs["verdict"].tolist() == ["lower"]
        run = Summary(rows, AUTO)
        assert run.pairs["verdict"].tolist() == ["undecided"]
        assert run.pairs["blocks"].item() > Summary(rows.query("block < 4"), {}).pairs["n"].item()
        assert run.heading.endswith("5 blocks of at most 20, until its comparisons are decided")

    def test_in_a_process_of_its_own(self, tmp_path: Path) -> None:
        store = Store.create(tmp_path / "r1", AUTO)
        for block, (a, b) in enumerate([(100, 200), (101, 203), (102, 201)]):
            for position, (vpn, value) in enumerate((("a", a), ("b", b))):
                reading = {"metric": "throughput", "unit": "Mbit/s", "end": "server", "value": float(value)}
                store.append(sample(position, block=block, vpn=vpn, readings=[reading]))
        assert looked(store, 3) == Look(blocks=3, compared=1, undecided=0)
        store.samples.write_text("{}\n")
        with pytest.raises(LabError, match=r"r1 cannot be looked at after 3 blocks: .*this line was cut short"):
            looked(store, 3)


class Seen:
    """Looks that find this many comparisons undecided, one after the other."""

    def __init__(self, *undecided: int) -> None:
        self.undecided, self.asked = list(undecided), list[int]()

    def __call__(self, store: Store, blocks: int) -> Look:
        assert {each["block"] for each in store.read() if each["position"] >= 0} == set(range(blocks))
        self.asked.append(blocks)
        return Look(blocks=blocks, compared=9, undecided=self.undecided.pop(0))


class TestRun:
    """A run of two cells and a control, of at most four blocks, that is looked at after one, two and four."""

    STAGES = (1, 2, 4)

    @pytest.fixture
    def lab(self, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
        lab = without_tunnels(catalog, tmp_path, monkeypatch)
        object.__setattr__(lab.plan, "blocks", 4)
        lab.store.write_meta({"ends": {}, "settings": {"blocks": "auto", "most_blocks": 4}, "cells": lab.plan.listed()})
        return lab

    @pytest.mark.parametrize(("undecided", "blocks"), [((0,), 1), ((3, 0), 2), ((3, 1, 0), 4), ((3, 1, 1), 4)], ids=str)
    def test_it_ends_when_all_is_decided(self, lab: Lab, undecided: tuple[int, ...], blocks: int) -> None:
        taken = lab.execute(Looks(self.STAGES, look=Seen(*undecided)))
        assert taken == [step for step in lab.plan.steps() if step.block < blocks], "the order of a fixed number"
        meta = Meta.model_validate(lab.store.meta())
        assert [look.undecided for look in meta.looks] == list(undecided)
        assert meta.blocks == blocks
        (run,), _ = overviews(lab.store.folder.parent)
        assert run.finished

    def test_resumed_it_goes_on_where_it_was(self, lab: Lab) -> None:
        lab.fake.error, lab.fake.at = KeyboardInterrupt("SIGTERM"), 5  # type: ignore[assignment]
        seen = Seen(3, 0)
        with pytest.raises(KeyboardInterrupt):
            lab.execute(Looks(self.STAGES, look=seen))
        assert seen.asked == [1]
        lab.fake.error = None
        lab.execute(Looks(self.STAGES, look=seen))
        assert seen.asked == [1, 2]
        assert not [*filter(Taken(lab.store).wants, lab.plan.steps())], "it is over"
        assert lab.execute(Looks(self.STAGES, look=seen)) == []
        assert {each["block"] for each in lab.store.read()} == {0, 1}

    def test_what_went_wrong_is_taken_again_without_another_look(self, lab: Lab) -> None:
        lab.fake.error, lab.fake.at = LabError("refused"), 1
        seen = Seen(3, 0)
        lab.execute(Looks(self.STAGES, look=seen))
        lab.fake.error = None
        assert lab.execute(Looks(self.STAGES, look=seen)) == lab.plan.steps()[:1]
        assert seen.asked == [1, 2]


class TestDryRun:
    def test_it_says_when_the_run_may_end(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        asked = {"blocks": "auto", "most_blocks": 12, "engine": {"name": "vm"}, "ciphers": ["aes-128-gcm"]}
        planned = dry_run.prepare("matrix", asked, None, tmp_path)
        assert dry_run.data(planned)["stages"] == [6, 12]
        assert dry_run.data(planned)["blocks"] == 12
        dry_run.show(planned, as_json=False)
        text = " ".join(capsys.readouterr().out.split())
        assert "in at most 12 blocks" in text
        assert "end: after 6 or 12 blocks, as soon as its comparisons are decided" in text


@dataclass
class Toy:
    """A bench, its choice, site, share and session at once: two cells that differ plainly."""

    settings: Settings
    KEPT = ("plan",)

    @property
    def plan(self) -> Plan:
        return Plan((Cell("a", "v", "s", "toy"), Cell("b", "v", "s", "toy")), {}, self.settings.limit, 0)

    engines = (SimpleNamespace(name="host", clock="wall", client=SimpleNamespace(ping=str), kill=None),)

    def announced(self) -> str:
        return ""

    def meta(self) -> dict[str, Any]:
        settings, where = self.settings.model_dump(), {"name": "host", "clock": "wall"}
        return {"kind": "toy", "settings": settings, "engine": where, "cells": self.plan.listed(), "plan": "p"}

    def about(self, step: Step) -> dict[str, Any]:
        return {"records": "", "engine": "host", "clock": "wall"}

    @contextmanager
    def share(self, number: int, run: str) -> Iterator[Toy]:
        yield self

    def completed(self, meta: dict[str, Any]) -> dict[str, Any]:
        return meta

    @contextmanager
    def session(self, attempt: Attempt) -> Iterator[Toy]:
        yield self

    def sample(self, attempt: Attempt) -> None:
        value = (100 if attempt.cell.vpn == "a" else 200) * (1 + attempt.step.block / 1000)
        attempt.known["readings"] = [{"metric": "speed", "unit": "B/s", "end": "machine", "value": value}]


HERE = Where(cluster=None, twice=0, hung=1)


def test_the_command_ends_a_run_that_is_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = SimpleNamespace(KEPT=Toy.KEPT, choose=Toy, opened=lambda toy, say: nullcontext(toy), loads=lambda _: None)
    monkeypatch.setattr("lab.benches.settings", lambda kind: SimpleNamespace(Settings=Settings))
    monkeypatch.setattr("lab.benches.bench", lambda kind: bench)
    monkeypatch.setattr("lab.runner.lock.LOCK", tmp_path / "lock")
    how: dict[str, Any] = {"results": tmp_path / "results", "as_json": False, "report": False}
    measure("toy", {"blocks": "auto", "most_blocks": 20}, HERE, resume=None, **how)
    (folder,) = (tmp_path / "results").iterdir()
    assert len(list(Store(folder).read())) == 2 * 5
    assert "after 5 blocks no comparison is undecided" in capsys.readouterr().out
    assert Meta.model_validate(Store(folder).meta()).looks == [Look(blocks=5, compared=1, undecided=0)]
    measure("toy", {}, HERE, resume=folder.name, **how)
    assert len(list(Store(folder).read())) == 2 * 5
