# SPDX-License-Identifier: MIT
"""`--cluster` with real processes: Dask's scheduler, two workers, TLS, and real samples. One is killed, one hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.engines.engine import Engine
from lab.engines.ownership import NAME, OWNER, ROLE

from .command import Lab, Running, samples, wait_for

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

DASK = str(Path(sys.executable).with_name("dask"))
PLAN = (
    "matrix", "--vpns", "openvpn", "--variants", "udp", "--ciphers", "aes-128-gcm", "--measures", "throughput",
    "--directions", "up", "--streams", "1", "--duration", "1",
)  # fmt: skip


@dataclass
class Fleet:
    """A scheduler on loopback, and workers, each with a lock of its own: as if they were machines."""

    folder: Path
    environment: dict[str, str]
    address: str = ""
    processes: dict[str, Running] = field(default_factory=dict)

    def scheduler(self) -> None:
        quick = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "5s"}  # a worker that hangs is lost sooner
        words = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0"]
        self.start("scheduler", words, quick).until(r"Scheduler at:\s+tls://127.0.0.1:\d+")
        text = self.processes["scheduler"].text
        self.address = text.split("Scheduler at:")[1].split()[0]

    def worker(self, name: str, **environment: str) -> None:
        own = {"LAB_LOCK": str(self.folder / f"lock-{name}"), **environment}
        words = ["worker", self.address, "--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0", "--name", name]
        words += ["--nthreads", "1", "--memory-limit", "0", "--local-directory", str(self.folder / name)]
        self.start(name, words, own).until("Registered to:")

    def start(self, name: str, words: list[str], environment: dict[str, str]) -> Running:
        own = {**self.environment, "DASK_CONFIG": str(self.folder / "keys" / "node"), **environment}
        self.processes[name] = Running([DASK, *words], own)
        return self.processes[name]

    def stop(self) -> None:
        for running in self.processes.values():
            os.killpg(running.pid, signal.SIGKILL)
            running.end()


@pytest.fixture
def fleet(lab: Lab, tmp_path: Path) -> Iterator[Fleet]:
    lab.ok("cluster", "certificates", str(tmp_path / "keys"), "node", "client")
    lab.environment["DASK_CONFIG"] = str(tmp_path / "keys" / "client")
    there = Fleet(tmp_path, dict(lab.environment))
    there.scheduler()
    yield there
    there.stop()


def worker_with_a_load(engine: Engine, run: Running, *, other_than: int = 0) -> int:
    """The process of a worker that has a lab with both ends; waits for one."""
    found: list[int] = []

    def there() -> bool:
        assert run.process.poll() is None, run.text
        for container in engine.client.containers.list(filters={"label": f"{ROLE}=client-load"}, ignore_removed=True):
            pid = container.labels[OWNER].partition(":")[0]  # or a person's, of another test
            if pid.isdigit() and int(pid) != other_than and Path(f"/proc/{pid}").exists():
                found.append(int(pid))
        return bool(found)

    wait_for(there, "a worker with a load", 120)
    return found[0]


def left(engine: Engine, run: str) -> list[str | None]:
    """The containers and networks of a run."""
    things = [*engine.client.containers.list(all=True, filters={"label": NAME}, ignore_removed=True)]
    networks = engine.client.networks.list(filters={"label": NAME})
    labels = [(thing.name, thing.labels) for thing in things] + [(net.name, net.attrs["Labels"]) for net in networks]
    return [name for name, written in labels if written[NAME].startswith(run)]


def test_one_worker_is_killed_another_hangs_and_nothing_is_lost(lab: Lab, fleet: Fleet) -> None:
    fleet.worker("east")
    fleet.worker("west")
    running = lab.start(*PLAN, "--blocks", "3", "--twice", "1", "--no-report", "--cluster", fleet.address)
    running.until("0/6")
    killed = worker_with_a_load(lab.engine, running)
    os.kill(killed, signal.SIGKILL)
    hung = worker_with_a_load(lab.engine, running, other_than=killed)
    os.kill(hung, signal.SIGSTOP)
    done = running.end()
    assert done.status == 0, done.text

    folder = lab.run()
    kept = samples(folder)
    assert Counter(sample["outcome"] for sample in kept) == {"ok": 6}
    assert {(sample["block"], sample["position"]) for sample in kept} == {(b, p) for b in range(3) for p in range(2)}
    for block in range(3):
        assert len({sample["worker"] for sample in kept if sample["block"] == block}) == 1
    wait_for(lambda: not left(lab.engine, folder.name), "the workers to remove what killed ones left")

    shown = lab.ok("report", folder.name).text
    assert "Taken by 2 workers on 1 machine" in shown or "Taken by 1 worker on 1 machine" in shown
    whole = (folder / "samples.jsonl").read_text().splitlines(keepends=True)
    (folder / "samples.jsonl").write_text("".join(whole[:-1]))
    lab.ok("matrix", "--no-report", "--resume", folder.name)
    assert (samples(folder)[:5], len(samples(folder))) == (kept[:5], 6), "it goes on without a cluster"


def test_workers_that_differ_are_named_before_anything_starts(lab: Lab, fleet: Fleet, root: Path) -> None:
    fleet.worker("east")
    fleet.worker("west", LAB_ROOT=str(root))  # it has a folder more under images/
    done = lab(*PLAN, "--cluster", fleet.address)
    assert done.status == 1
    assert "the workers of the cluster are not the same" in done.text
    assert "images/toy/: none on east; " in done.text
    assert not lab.results.exists()


def test_nobody_without_a_certificate_of_the_cluster(lab: Lab, fleet: Fleet, tmp_path: Path) -> None:
    lab.ok("cluster", "certificates", str(tmp_path / "others"), "client")
    refused = lab(*PLAN, "--cluster", fleet.address, DASK_CONFIG=str(tmp_path / "others" / "client"))
    assert (refused.status, "no scheduler answers at tls://" in refused.text) == (1, True)
    plain = lab(*PLAN, "--cluster", fleet.address.replace("tls:", "tcp:"))
    assert (plain.status, "an address like tls://HOST:8786 is wanted" in plain.text) == (2, True)
    listening = subprocess.run(["ss", "-ltnp"], capture_output=True, text=True, check=True).stdout
    mine = [line for line in listening.splitlines() if f"pid={fleet.processes['scheduler'].pid}," in line]
    assert mine
    assert all("127.0.0.1:" in line.split()[3] for line in mine)
