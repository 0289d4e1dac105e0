# SPDX-License-Identifier: MIT
"""A cluster: who may take part, who takes what, and what becomes of units whose workers fail.

Dask's scheduler and workers are real, in this process; the bench is the one of benchmarks/cluster.py, which takes no
time. `tests/e2e/test_cluster.py` has workers as processes, and real samples.
"""

from __future__ import annotations

import os
import pickle
import stat
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cluster as simulated
import dask
import pytest
from cryptography import x509
from distributed import Client, LocalCluster, get_worker
from faked import Followed

from lab.cluster import certificates, identity, workplace
from lab.cluster.connection import connected
from lab.cluster.crew import Cluster, joined, working
from lab.cluster.fleet import Fleet
from lab.cluster.identity import Identity, Machine, checkout, differing
from lab.cluster.jobs import Job
from lab.cluster.unit import Order, divided
from lab.cluster.workplace import Workplace
from lab.core.errors import EngineGone, LabError, UsageError
from lab.engines.choice import Choice
from lab.results.cell import Cell
from lab.results.store import Store, cell_of
from lab.runner.execute import execute
from lab.runner.plan import Step

EAST, WEST = Machine("east", "a", "X", "6.1", 2, "tls://1"), Machine("west", "b", "Y", "6.1", 4, "tls://2")
SETTINGS = simulated.Settings(blocks=2)


class TestUnits:
    STEPS = [Step(block, position, Cell("v", "p", "s", f"m{position}")) for block in (0, 1) for position in (0, 1)]
    GROUPS = [[step] for step in STEPS]

    def test_on_the_instruction_clock_a_unit_is_a_group(self) -> None:
        assert divided(self.GROUPS, "instructions") == [[group] for group in self.GROUPS]

    def test_on_the_wall_clock_a_unit_is_a_whole_block(self) -> None:
        assert divided(self.GROUPS, "wall") == [self.GROUPS[:2], self.GROUPS[2:]]


class TestWhoMay:
    def test_anybody_unless_something_is_said(self) -> None:
        assert Job(print).fitting([EAST, WEST]) == ["tls://1", "tls://2"]

    def test_the_machine_that_began_a_block(self) -> None:
        assert Job(print, host="b").fitting([EAST, WEST]) == ["tls://2"]
        assert Job(print, host="c").fitting([EAST, WEST]) == []

    def test_another_worker_and_of_another_machine_if_there_is_one(self) -> None:
        beside = replace(EAST, worker="beside", address="tls://3")
        job = Job(print, other_than=EAST)
        assert job.fitting([EAST, beside, WEST]) == ["tls://2"]
        assert job.fitting([EAST, beside]) == ["tls://3"]
        assert job.fitting([EAST, replace(EAST, address="tls://4")]) == [], "the same worker, started anew"


class TestSameness:
    def test_what_differs_is_named_with_who_has_it(self) -> None:
        digests: dict[str, Mapping[str, str]] = {
            "east": {"lab/": "1", "image lab/base": "sha256:1234567890abcdef"},
            "west": {"lab/": "1", "image lab/base": "none"},
        }
        assert differing(digests) == ["image lab/base: 1234567890ab on east; none on west"]
        assert differing({"east": digests["east"]}) == []

    def test_of_many_a_few_are_named(self) -> None:
        digests = {f"w{number}": {"lab/": "2"} for number in range(8)} | {"east": {"lab/": "1"}}
        assert differing(digests) == ["lab/: 2 on w0, w1, w2, w3, w4 and 3 more; 1 on east"]

    def test_a_checkout_has_its_code_its_images_and_its_packages(self) -> None:
        assert {"lab/", "images/base/", "kmod/", "docker-compose.yml", "requirements.txt"} <= checkout().keys()

    def test_a_package_with_one_byte_more_is_another(self, tmp_path: Path) -> None:
        (tmp_path / "a.py").write_text("x")
        before = identity._digest(tmp_path)
        (tmp_path / "__pycache__").mkdir()
        (tmp_path / "__pycache__" / "a.pyc").write_text("x")
        assert identity._digest(tmp_path) == before
        (tmp_path / "a.py").write_text("xy")
        assert identity._digest(tmp_path) != before

    def test_workers_with_another_checkout_than_the_client_are_refused(self) -> None:
        fleet = Fleet(SimpleNamespace(), print)  # type: ignore[arg-type]
        same = {"tls://1": Identity(EAST, checkout(), {"image lab/base": "1"})}
        fleet.compared(same)
        assert fleet.digests == {**checkout(), "image lab/base": "1"}
        other = {"tls://1": Identity(EAST, checkout() | {"lab/": "other"}, {})}
        with pytest.raises(LabError, match=r"not the same:\nlab/: .* on the client; other on east \(this checkout\)"):
            fleet.compared(other)


class TestConnection:
    @pytest.mark.parametrize("address", ["tcp://127.0.0.1:8786", "127.0.0.1:8786", "inproc://x"])
    def test_without_tls_it_is_refused_on_loopback_too(self, address: str) -> None:
        with pytest.raises(UsageError, match="an address like tls://HOST:8786 is wanted") as caught, connected(address):
            pass
        assert "whoever reaches the port" in caught.value.hint

    def test_certificates_must_be_configured_and_there(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="names no certificates: ca-file"), connected("tls://127.0.0.1:9"):
            pass
        keys = {
            f"distributed.comm.tls.{name}": str(tmp_path / "no") for name in ("ca-file", "client.cert", "client.key")
        }
        with dask.config.set(keys), pytest.raises(UsageError, match=r"there is no certificate .*/no"):
            connected("tls://127.0.0.1:9").__enter__()

    def test_several_guests_are_several_workers(self) -> None:
        settings = simulated.Settings(engine=Choice(name="vm", clock="instructions", guests=2))
        with pytest.raises(UsageError, match="a worker has one guest"), joined("tls://x:1", "matrix", settings, print):
            pass


class TestCertificates:
    def test_keys_are_their_owners_alone_and_valid_ones_stay(self, tmp_path: Path) -> None:
        folder = tmp_path / "cluster"
        east, west = certificates.make(folder, ["east", "west"])
        for path in folder.rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
        before = {path: path.read_bytes() for path in folder.rglob("*.*")}
        certificates.make(folder, ["east", "west", "north"])
        assert {path: path.read_bytes() for path in before} == before
        authority = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
        for member in (east, west, folder / "north"):
            x509.load_pem_x509_certificate((member / "end.crt").read_bytes()).verify_directly_issued_by(authority)
            assert (member / "ca.crt").read_bytes() == (folder / "ca.crt").read_bytes()
            assert "require-encryption: true" in (member / "dask.yaml").read_text()

    def test_what_ends_soon_is_made_anew_with_all_that_it_signed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(certificates, "LIFETIME", timedelta(days=29))
        (east,) = certificates.make(tmp_path, ["east"])
        before = (east / "end.crt").read_bytes(), (tmp_path / "ca.crt").read_bytes()
        monkeypatch.setattr(certificates, "LIFETIME", timedelta(days=365))
        certificates.make(tmp_path, ["east"])
        assert (east / "end.crt").read_bytes() != before[0]
        assert (tmp_path / "ca.crt").read_bytes() != before[1]

    @pytest.mark.parametrize("name", ["../east", "", ".", "-x"])
    def test_a_name_is_no_path(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(UsageError, match="is not a valid name"):
            certificates.make(tmp_path / "c", [name])
        assert not (tmp_path / "c").exists()


class TestWorkplace:
    def test_a_worker_that_hangs_ends_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        codes, ended = list[int](), threading.Event()

        def exited(code: int) -> None:
            codes.append(code)
            ended.set()

        monkeypatch.setattr(os, "_exit", exited)
        monkeypatch.setattr("logging.shutdown", lambda: None)
        place = Workplace(Order("simulated", {}, limit=0.01))
        place.setup(SimpleNamespace(name="east"))  # type: ignore[arg-type]
        with place._busy():
            assert ended.wait(10)
        assert codes == [workplace.HUNG]

    def test_it_goes_to_the_worker_as_it_is(self) -> None:
        assert pickle.loads(pickle.dumps(Workplace(Order("matrix", {}, 9.0)))).order == Order("matrix", {}, 9.0)


@pytest.fixture(scope="module")
def dask_client() -> Iterator[Client]:
    """Two workers, in this process."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", memory_limit=0
        ) as local,
        Client(local) as client,  # type: ignore[no-untyped-call]
    ):
        yield client


class Faults:
    """What a worker does before it takes a unit. Tests set it; there is one process."""

    before: Any = staticmethod(lambda unit: None)


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> type[Faults]:
    take = Workplace.take

    def faulty(self: Workplace, unit: Any) -> Any:
        Faults.before(unit)
        return take(self, unit)

    Faults.before = staticmethod(lambda unit: None)
    monkeypatch.setattr(Workplace, "take", faulty)
    return Faults


@pytest.fixture
def crew(
    dask_client: Client, monkeypatch: pytest.MonkeyPatch, faults: type[Faults], tmp_path: Path
) -> Iterator[Cluster]:
    """A crew of two, for 8 cells in 2 blocks; what it says stands in `said`."""
    bench = SimpleNamespace(KEPT=("plan",), choose=lambda settings: settings, opened=simulated.opened)
    monkeypatch.setattr(simulated, "CELLS", 8)
    monkeypatch.setattr("lab.benches.settings", lambda kind: SimpleNamespace(Settings=simulated.Settings))
    monkeypatch.setattr("lab.benches.bench", lambda kind: bench)
    monkeypatch.setattr("lab.cluster.identity.connect", lambda: SimpleNamespace(image_id=lambda tag: tag))
    monkeypatch.setattr("lab.runner.lock.LOCK", tmp_path / "lock")
    monkeypatch.setattr("lab.cluster.jobs.TICK", 0.05)
    monkeypatch.setattr("lab.cluster.fleet.TICK", 0.05)
    said: list[str] = []
    with working(dask_client, "simulated", SETTINGS, said.append, twice=2, limit=60) as cluster:
        vars(cluster)["said"] = said
        yield cluster


@pytest.fixture
def run(crew: Cluster, tmp_path: Path) -> Store:
    return Store.create(tmp_path / "results" / "r1", crew.meta())


def taken(crew: Cluster, store: Store) -> dict[str, int]:
    followed = Followed()
    counts = execute(crew, store, followed)
    assert len(followed.taken) <= 16
    return counts


class TestCrew:
    def test_every_sample_is_taken_once_and_some_twice_by_another(self, crew: Cluster, run: Store) -> None:
        assert taken(crew, run) == {"ok": 16}
        kept = {(sample["block"], sample["position"]): sample for sample in run.read()}
        assert {key: cell_of(sample) for key, sample in kept.items()} == {
            (step.block, step.position): step.cell for step in crew.plan.steps()
        }
        twins = list(run.twins.read())
        assert sorted((twin["block"], twin["position"]) for twin in twins) == [(0, 0), (0, 1)]
        assert all(twin["worker"] != kept[twin["block"], twin["position"]]["worker"] for twin in twins)
        assert {sample["worker"] for sample in [*kept.values(), *twins]} == set(run.meta()["workers"])
        assert taken(crew, run) == {"ok": 16}
        assert len(list(run.read())) + len(list(run.twins.read())) == 18, "nothing is taken again"

    def test_a_second_run_is_refused_and_does_not_disturb_the_first(
        self, crew: Cluster, run: Store, dask_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("lab.cluster.crew.LEASE", 0.1)
        other = Client(dask_client.cluster)  # type: ignore[no-untyped-call]
        with other, pytest.raises(LabError, match="another run has the cluster"):
            working(other, "simulated", SETTINGS, print, twice=0, limit=60).__enter__()
        assert taken(crew, run) == {"ok": 16}

    def test_what_is_missing_is_taken_when_it_goes_on(self, crew: Cluster, run: Store) -> None:
        taken(crew, run)
        lines = run.samples.read_bytes().splitlines(keepends=True)
        run.samples.write_bytes(b"".join(lines[:5]))
        assert taken(crew, run) == {"ok": 16}
        assert run.samples.read_bytes().splitlines(keepends=True)[:5] == lines[:5]

    def test_on_the_wall_clock_a_block_is_one_machines_and_goes_on_there(self, crew: Cluster, run: Store) -> None:
        crew.survey = replace(crew.survey, meta={"engine": {"name": "host", "clock": "wall"}})
        assert taken(crew, run) == {"ok": 16}
        kept = list(run.read())
        for block in (0, 1):
            assert len({sample["worker"] for sample in kept if sample["block"] == block}) == 1
        assert len(list(run.twins.read())) == 16, "two units, each a block of 8"
        gone = [{**sample, "machine": "elsewhere"} for sample in kept if sample["block"] == 1][:3]
        run.samples.unlink()
        for sample in gone:
            run.append(sample)
        with pytest.raises(EngineGone, match=r"5 samples are left: .* and no worker is on elsewhere"):
            taken(crew, run)
        assert len(list(run.read())) == 3 + 8, "the other block is taken"

    def test_a_unit_whose_engine_goes_away_is_taken_again(
        self, crew: Cluster, run: Store, faults: type[Faults]
    ) -> None:
        failing = iter([True])

        def once(unit: Any) -> None:
            if next(failing, False):
                raise EngineGone("the guest is gone")

        faults.before = staticmethod(once)
        assert taken(crew, run) == {"ok": 16}
        assert any("the guest is gone" in line for line in vars(crew)["said"])

    def test_a_unit_under_which_engines_go_away_fails_and_the_others_go_on(
        self, crew: Cluster, run: Store, faults: type[Faults]
    ) -> None:
        bad = crew.plan.steps()[3]

        def always(unit: Any) -> None:
            if bad in unit.steps:
                raise EngineGone("the guest is gone")

        faults.before = staticmethod(always)
        assert taken(crew, run) == {"ok": 15, "failed": 1}
        (failed,) = (sample for sample in run.read() if sample["outcome"] == "failed")
        assert (failed["position"], failed["reason"]) == (3, "the guest is gone")
        faults.before = staticmethod(lambda unit: None)
        assert taken(crew, run) == {"ok": 16}, "it is taken once more when the run goes on"

    def test_a_worker_that_is_unfit_is_given_no_more_and_its_unit_goes_to_another(
        self, crew: Cluster, run: Store, faults: type[Faults]
    ) -> None:
        unfit = str(crew.fleet.fit[0].address)

        def there(unit: Any) -> None:
            if str(get_worker().contact_address) == unfit:
                raise LabError("lab/: 1 on the other workers; 2 on it")

        faults.before = staticmethod(there)
        assert taken(crew, run) == {"ok": 16}
        assert len({sample["worker"] for sample in run.read()}) == 1
        assert any(
            line.endswith("is given no work: lab/: 1 on the other workers; 2 on it") for line in vars(crew)["said"]
        )
        assert "nothing was taken twice: that takes a second worker" in vars(crew)["said"]

    def test_where_nobody_is_fit_the_run_ends_and_says_why(
        self, crew: Cluster, run: Store, faults: type[Faults]
    ) -> None:
        def nowhere(unit: Any) -> None:
            raise LabError("no room on the disk")

        faults.before = staticmethod(nowhere)
        with pytest.raises(EngineGone, match="no worker of the cluster can go on: no room on the disk"):
            taken(crew, run)

    def test_a_worker_that_comes_late_takes_units_too(
        self, crew: Cluster, run: Store, faults: type[Faults], dask_client: Client
    ) -> None:
        known = {str(machine.worker) for machine in crew.fleet.fit}
        came, worked = threading.Event(), threading.Event()

        def slowly(unit: Any) -> None:
            if not came.is_set():
                came.set()
                dask_client.cluster.scale(3)  # type: ignore[union-attr]
            mine = str(get_worker().contact_address)
            if mine not in first:
                worked.set()
            elif unit.steps[0].position > 2:
                assert worked.wait(30), "the one that came late got nothing"

        first = {machine.address for machine in crew.fleet.fit}
        faults.before = staticmethod(slowly)
        assert taken(crew, run) == {"ok": 16}
        assert known < {sample["worker"] for sample in run.read()}
        dask_client.cluster.scale(2)  # type: ignore[union-attr]
