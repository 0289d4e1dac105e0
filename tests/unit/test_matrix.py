# SPDX-License-Identifier: MIT
"""A run on several engines side by side, with tunnels that are not there; and what a run may be gone on with."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.errors import APIError, DockerException

from lab.benches.vpn.bench import KEPT, Choice, Site, choose, planned, runnable_images
from lab.benches.vpn.measures import Measure, Options
from lab.benches.vpn.settings import Own, Settings
from lab.benches.vpn.took import Took
from lab.catalog.catalog import Catalog
from lab.core import signals
from lab.core.errors import EngineGone, LabError, UsageError
from lab.engines.choice import Choice as Guest
from lab.results.quantity import Quantity
from lab.results.reading import Reading
from lab.results.store import Store
from lab.runner.execute import execute
from lab.runner.outcome import outcomes
from lab.runner.plan import Step
from lab.runner.settings import settings_of
from lab.runner.side_by_side import SideBySide
from lab.testbed.wire import Laid

LIMIT = 20.0
"""Seconds after which a lane that waits for another is given up."""


class Machine:
    """An engine of its own. `work` is what happens in each of its tunnels for each sample."""

    clock = "instructions"
    processors = 1
    patience = 5.0
    given_up = False

    def __init__(self, name: str, work: Callable[[Machine], None] = lambda machine: None) -> None:
        self.name, self.work = name, work
        self.killed = threading.Event()
        self.tunnels: list[tuple[str, str, str]] = []
        self.samples = 0
        self.client = SimpleNamespace(ping=self._ping)
        self.kill: Callable[[], None] | None = self.killed.set
        self.every, self.interface, self.far = [self], "", None
        self.facts: dict[str, Any] = {}

    def _ping(self) -> None:
        raise DockerException("gone")

    def last_words(self) -> str:
        return f"{self.name} said this"


def ends(machine: Machine) -> None:
    """Its engine is gone in the midst of the second sample."""
    if machine.samples == 2:
        raise APIError("connection refused")


def waits(machine: Machine) -> None:
    """The first sample takes as long as the machine lives."""
    assert machine.killed.wait(LIMIT), "it was not killed"
    raise APIError("connection reset")


class Fake:
    """A measure with three conditions: three samples in each tunnel."""

    TITLE = "fake"
    FIGURES = (Quantity("fake", "s"),)
    Options = Options

    def conditions(self, options: Any) -> list[str]:
        return ["n=1", "n=2", "n=3"]

    def run(self, tunnel: Any, conditions: Mapping[str, str], options: Any) -> dict[str, Any]:
        machine: Machine = tunnel.bed.engine
        machine.samples += 1
        machine.work(machine)
        return {"by": machine.name}

    def parse(self, raw: Mapping[str, Any]) -> list[Reading]:
        return [Reading("fake", "s", "client", 1.0)]


@dataclass
class Progress:
    """Remembers what it was told of, and that it was told of one thing at a time."""

    todo: int = 0
    begun: list[Step] = field(default_factory=list)
    taken: list[Step] = field(default_factory=list)
    told: threading.Lock = field(default_factory=threading.Lock)
    disturbed: threading.Event = field(default_factory=threading.Event)

    def start(self, todo: int, total: int) -> AbstractContextManager[None]:
        self.todo = todo
        return nullcontext()

    def before(self, step: Step) -> None:
        self._alone(self.begun, step)

    def after(self, step: Step, sample: Mapping[str, Any]) -> None:
        self._alone(self.taken, step)

    def _alone(self, steps: list[Step], step: Step) -> None:
        if not self.told.acquire(blocking=False):
            self.disturbed.set()
            raise AssertionError("two lanes spoke at once")
        if not steps:  # another would come in now, if it could
            self.disturbed.wait(0.05)
        steps.append(step)
        self.told.release()


Prepare = Callable[..., Site]


@pytest.fixture
def described() -> dict[str, Any]:
    """What is said of the machine that a run is on."""
    return {
        "engine": {"name": "vm", "clock": "instructions"},
        "machine": {"kernel": "Linux 7.3.4", "clocksource": "tsc"},
        "images": {"lab/alpha:latest": "sha256:1"},
        "packages": {"alpha": {"alpha": "1.0"}},
    }


@pytest.fixture
def prepare(catalog: Catalog, described: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """A plan of four tunnels with three samples each in two blocks, for some machines."""

    @contextmanager
    def opened(engine: Any, name: str, clients: int, ipv6: bool) -> Iterator[Any]:
        yield SimpleNamespace(engine=engine, far=None, compose=SimpleNamespace(resolve=lambda _: None), variables={},
                              start=lambda *_: None)  # fmt: skip

    @contextmanager
    def tunnel(bed: Any, meter: Any, vpn: Any, variant: str, suite: Any, wire: Any, _: int | None) -> Iterator[Any]:
        bed.engine.tunnels.append((vpn.name, variant, suite.suite))
        proofs: dict[str, Any] = {
            "evidence": {},
            "proved": False,
            "prove": lambda: None,
            "prove_suite": lambda: None,
        }
        ends = dict.fromkeys(("server", "client"))
        proofs["laid"] = Laid(bed, wire, {}, {})
        yield SimpleNamespace(bed=bed, vpn=vpn, offset=0.0, loads=[], took=Took(1.0, 1.1), containers=ends, **proofs)

    monkeypatch.setattr("lab.benches.vpn.bench.testbed.opened", opened)
    monkeypatch.setattr("lab.benches.vpn.bench.Meter", lambda bed: SimpleNamespace(revived=str))
    monkeypatch.setattr("lab.benches.vpn.bench.testbed.sweep_forgotten", lambda engine: [])
    monkeypatch.setattr("lab.benches.vpn.sample.tunnel", tunnel)
    monkeypatch.setattr("lab.benches.vpn.bench.images.is_current", lambda engine, folder: True)
    monkeypatch.setattr(
        "lab.benches.vpn.bench.requirements.lacks", lambda engine, vpns: {("alpha", "tcp"): "no TCP here"}
    )
    monkeypatch.setattr("lab.benches.vpn.bench.requirements.lacks_wires", lambda engine, wires: {})
    monkeypatch.setattr("lab.benches.vpn.bench.platform.describe", lambda *_: described)
    monkeypatch.setattr("lab.benches.vpn.sample.endpoints.describe", lambda bed, ends: {end: {} for end in ends})

    def prepare(*machines: Machine, blocks: int = 2) -> Site:
        settings = Settings(blocks=blocks, seed=3, engine=Guest(name="vm"))
        vpns, suites = catalog.choose_vpns([]), catalog.choose_suites(["strong", "odd"])
        choice = Choice(
            catalog, settings, vpns, suites, {"fake": cast(Measure, Fake())}, catalog.choose_wires(["whole"])
        )
        return Site(choice, cast(Any, machines))

    return prepare


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_every_sample_is_taken_once_whatever_the_number_of_engines(
    prepare: Prepare, tmp_path: Path, count: int
) -> None:
    machines = [Machine(f"guest {number}") for number in range(count)]
    prepared = prepare(*machines)
    steps, progress = prepared.plan.steps(), Progress()
    store = begun(tmp_path, prepared)
    assert len(steps) == 2 * 4 * 3
    assert execute(SideBySide(prepared), store, progress) == {"unsupported": 9, "ok": 24}

    kept = [sample for sample in store.read() if sample["position"] >= 0]
    taken = Counter((sample["block"], sample["position"]) for sample in kept)
    assert taken == Counter((step.block, step.position) for step in steps)
    assert Counter(progress.taken) == Counter(progress.begun) == Counter(steps)
    assert progress.todo == 24
    assert store.meta()["ends"] == {"server": {}, "client": {}}


def test_the_engines_take_the_tunnels_in_turn(prepare: Prepare, tmp_path: Path) -> None:
    """The same ones whenever the plan is carried out; and no tunnel is shared between two of them."""
    machines = [Machine(f"guest {number}") for number in range(3)]
    prepared = prepare(*machines)
    assert prepared.plan.shared
    store = begun(tmp_path, prepared)
    execute(SideBySide(prepared), store, Progress())
    by = {(each["block"], each["position"]): each["raw"]["by"] for each in store.read() if each["position"] >= 0}
    for number, steps in enumerate(prepared.plan.groups(prepared.plan.steps())):
        assert {by[step.block, step.position] for step in steps} == {f"guest {number % 3}"}
    first, *others = machines
    assert len(first.tunnels) == 3 + 1  # one more, in which the ends are described
    assert [len(machine.tunnels) for machine in others] == [3, 2]


def test_they_work_side_by_side(prepare: Prepare, tmp_path: Path) -> None:
    """Each waits in its first sample until the other is in its own."""
    meeting = threading.Barrier(2)

    def meet(machine: Machine) -> None:
        if machine.samples == 1:
            meeting.wait(LIMIT)

    prepared = prepare(Machine("guest 0", meet), Machine("guest 1", meet))
    assert outcomes(list(store_of(prepared, tmp_path).read())) == {"unsupported": 9, "ok": 24}


def begun(results: Path, prepared: Site) -> Store:
    """A new run."""
    return Store.begin(results, prepared.meta())


def store_of(prepared: Site, results: Path) -> Store:
    """The run, carried out."""
    store = begun(results, prepared)
    execute(SideBySide(prepared), store, Progress())
    return store


@pytest.mark.parametrize("broken", [0, 1])
def test_where_one_fails_the_others_machines_are_killed(prepare: Prepare, tmp_path: Path, broken: int) -> None:
    machines = [Machine(f"guest {number}", ends if number == broken else waits) for number in range(3)]
    prepared = prepare(*machines)
    store = begun(tmp_path, prepared)
    with pytest.raises(LabError, match=f"guest {broken} engine no longer answers: (.|\n)*guest {broken} said this"):
        execute(SideBySide(prepared), store, Progress())
    assert all(machine.killed.is_set() for machine in machines)
    kept, died = (sample for sample in store.read() if sample["position"] >= 0)
    assert (kept["raw"]["by"], kept["outcome"]) == (f"guest {broken}", "ok")
    assert died["outcome"] == "failed"
    assert died["reason"].startswith(f"the guest {broken} engine no longer answers: ")

    again = Progress()  # and on other machines, even another number of them, the run goes on
    assert execute(SideBySide(prepare(Machine("guest 3"), Machine("guest 4"))), store, again) == {
        "unsupported": 9,
        "ok": 24,
    }
    assert again.todo == len(again.taken) == 23
    assert outcomes(list(store.read())) == {"unsupported": 9, "ok": 24, "failed": 1}


def test_a_machine_that_cannot_be_killed_does_not_save_the_others(prepare: Prepare, tmp_path: Path) -> None:
    machines = [Machine("guest 0", ends), Machine("guest 1"), Machine("guest 2", waits)]

    def refuse() -> None:
        raise APIError("it is not running")

    machines[0].kill, machines[1].kill = refuse, None
    with pytest.raises(LabError, match="guest 0 said this"):
        store_of(prepare(*machines), tmp_path)
    assert machines[2].killed.is_set()


def test_a_signal_stops_them_all(prepare: Prepare, tmp_path: Path) -> None:
    """It comes to the main thread, which only waits for the others."""

    def signalled(machine: Machine) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        waits(machine)

    machines = [Machine("guest 0", waits), Machine("guest 1", signalled)]
    prepared = prepare(*machines)
    store = begun(tmp_path, prepared)
    with pytest.raises(signals.Stopped, match="SIGTERM"), signals.interruptible():
        execute(SideBySide(prepared), store, Progress())
    assert all(machine.killed.is_set() for machine in machines)
    assert outcomes(list(store.read())) == {"unsupported": 9}


def test_one_engine_is_not_killed_under_its_own_run(prepare: Prepare, tmp_path: Path) -> None:
    """Whoever started it ends it in good order."""
    machine = Machine("guest 0", ends)
    with pytest.raises(LabError, match="guest 0 said this"):
        store_of(prepare(machine), tmp_path)
    assert not machine.killed.is_set()


def test_a_run_goes_on_where_nothing_has_changed(prepare: Prepare, tmp_path: Path, described: dict[str, Any]) -> None:
    store = begun(tmp_path, prepare(Machine("vm")))
    described["images"] = {"lab/alpha:latest": "sha256:2"}  # built anew from the same folder, with the same packages
    described["machine"] |= {"clocksource": "hpet"}
    store.go_on(prepare(Machine("vm"), Machine("vm")).meta(), KEPT)


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "packages": lambda described: described["packages"]["alpha"].update(alpha="1.1"),
    "engine": lambda described: described["engine"].update(clock="wall"),
    "kernel": lambda described: described["machine"].update(kernel="Linux 6.12"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_run_does_not_go_on_where_its_machine_has_changed(
    prepare: Prepare, tmp_path: Path, described: dict[str, Any], what: str
) -> None:
    store = begun(tmp_path, prepare(Machine("vm")))
    CHANGES[what](described)
    with pytest.raises(LabError, match=f"{store.folder.name} cannot be resumed: changed since it was started: {what}$"):
        store.go_on(prepare(Machine("vm")).meta(), KEPT)


def test_a_run_does_not_go_on_with_images_of_other_files(prepare: Prepare, tmp_path: Path, catalog: Catalog) -> None:
    store = begun(tmp_path / "results", prepare(Machine("vm")))
    assert set(store.meta()["folders"]) == {"base", "meter", "bare", "alpha", "beta"}
    (catalog.root / "images" / "base" / "bracket").write_text("#!/bin/bash\n")
    with pytest.raises(LabError, match=r"changed since it was started: folders$"):
        store.go_on(prepare(Machine("vm")).meta(), KEPT)


def test_a_wire_is_a_condition_of_every_measure(catalog: Catalog) -> None:
    def planned_with(wires: list[str]) -> list[str]:
        settings = Settings(vpns=["alpha"], measures=["throughput", "handshake"], wires=wires, ciphers=["all"])
        return sorted(
            {f"{cell.measure} {cell.conditions}".strip() for cell in planned(choose(settings, catalog)).cells}
        )

    whole = ["handshake", "throughput direction=up streams=1"]
    cut = ["handshake wire=cut", "throughput direction=up streams=1 wire=cut"]
    assert planned_with(["whole"]) == whole
    assert planned_with(["cut"]) == cut
    assert planned_with(["whole", "cut"]) == sorted(whole + cut)


def test_a_run_does_not_go_on_with_another_plan(prepare: Prepare, tmp_path: Path, catalog: Catalog) -> None:
    """Here a suite was taken away; what the folders hold is the same."""
    store = begun(tmp_path / "results", prepare(Machine("vm")))
    text = catalog.ciphers.read_text()
    catalog.ciphers.write_text(text.replace("native: {latin: IMPAR}", "native: {}"))
    fresh = Catalog(root=catalog.root, ciphers=catalog.ciphers)
    other = prepare(Machine("vm"))
    choice = Choice(
        fresh,
        other.choice.settings,
        fresh.choose_vpns([]),
        fresh.choose_suites(["strong"]),
        dict(other.choice.measures),
        other.choice.wires,
    )
    with pytest.raises(LabError, match=r"changed since it was started: plan$"):
        store.go_on(Site(choice, other.engines).meta(), KEPT)


def test_a_run_that_is_being_written_is_left_to_its_writer(prepare: Prepare, tmp_path: Path) -> None:
    store = begun(tmp_path, prepare(Machine("vm")))
    with store.writing(), pytest.raises(LabError, match="is being written by process"):
        execute(SideBySide(prepare(Machine("vm"))), Store(store.folder), Progress())
    assert not store.samples.exists()


def test_what_an_engine_says_of_its_end_outside_of_a_sample_is_told(
    prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(engine: Any) -> None:
        raise APIError("connection refused")

    monkeypatch.setattr("lab.benches.vpn.bench.testbed.sweep_forgotten", refuse)
    with pytest.raises(EngineGone, match=r"the vm engine no longer answers: (.|\n)*vm said this"):
        store_of(prepare(Machine("vm")), tmp_path)


def test_images_that_are_not_as_their_folders_are_named_before_anything_starts(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "lab.benches.vpn.bench.images.is_current", lambda engine, folder: folder.name not in ("meter", "beta")
    )
    with pytest.raises(LabError, match="images missing or out of date: meter, beta") as caught:
        prepare(Machine("vm"))
    assert caught.value.hint == "`lab build` makes them"


def test_packaged_programs_are_measured_without_the_images_of_others(
    compiled: Catalog, prepare: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is there anything of others in the run; and its own settings choose the same when it goes on."""
    monkeypatch.setattr("lab.benches.vpn.bench.requirements.lacks", lambda engine, vpns: {})
    monkeypatch.setattr(
        "lab.benches.vpn.bench.images.is_current", lambda engine, folder: folder.name != "alpha-compiled"
    )

    def site(settings: Own) -> Site:
        return Site(choose(settings, compiled), cast(Any, [Machine("vm")]))

    with pytest.raises(LabError, match="images missing or out of date: alpha-compiled"):
        site(Settings(ciphers=["all"]))
    packaged = site(Settings(ciphers=["all"], variants=["packaged"]))
    subjects = {(cell.vpn, cell.variant) for cell in [*packaged.plan.cells, *packaged.plan.unsupported]}
    assert subjects == {("bare", "wire"), ("alpha", "udp"), ("beta", "udp")}

    store = begun(tmp_path, packaged)
    meta = store.meta()
    assert set(meta["folders"]) == {"base", "meter", "bare", "alpha", "beta"}
    assert meta["settings"]["variants"] == ["packaged"]
    store.go_on(site(settings_of(Settings, store, "matrix")).meta(), KEPT)


def test_the_images_that_can_be_used_are_those_of_the_chosen_variants(
    compiled: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.benches.vpn.bench.requirements.lacks", lambda engine, vpns: {("beta", "udp"): "no Beta"})
    own = ["base", "meter", "bare", "alpha"]
    for variants, needed in (([], [*own, "alpha-compiled"]), (["packaged"], own)):
        assert runnable_images(cast(Any, Machine("host")), compiled.choose_vpns([], variants)) == needed


def test_a_variant_that_no_chosen_vpn_has(catalog: Catalog) -> None:
    assert choose(Settings(vpns=["alpha"], variants=["tcp"], ciphers=["all"]), catalog).vpns
    with pytest.raises(UsageError, match="unknown variant 'tcp'"):
        choose(Settings(vpns=["beta"], variants=["tcp"], ciphers=["all"]), catalog)
