# SPDX-License-Identifier: MIT
"""What a cluster costs: the time that Dask and the client take for a unit, and the memory of the client.

Run it: `.venv/bin/python benchmarks/cluster.py [--units N] [--workers 1,10,50,200]`.

The scheduler, TLS, the client, the runner and the run's folder are real. The workers are real ones of Dask, too, but
all in one process with the scheduler, and the units that they take are empty. So all costs of the cluster are those of
two processes on this machine, which is more than any client and scheduler have to bear.

    CPU ms a unit  of the client, and of the process with the scheduler and all workers; wall time beside it
    share          of N workers that are busy for so many seconds with each unit (--seconds), the part that the busier
                   of the two processes would be busy: N x ms a unit / seconds. At 100 % it could not keep up
    memory         of the client, in MB: after a tenth of the units, and at the end
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from rich.console import Console
from rich.table import Table

from lab import benches
from lab.cluster import identity
from lab.engines.choice import Choice
from lab.results.cell import Cell
from lab.results.store import Store
from lab.runner import settings as common
from lab.runner.attempt import Attempt
from lab.runner.execute import execute
from lab.runner.plan import Plan, Step

KIND = "simulated"
CELLS = 200
SHARE, GROWTH = 0.05, 1.25
"""The most that the cluster may cost of a unit, and that the client's memory may grow after the first tenth."""


class Settings(common.Settings):
    """Those of every bench."""

    engine: Choice = Choice(name="vm", clock="instructions")


@dataclass
class Site:
    """A site whose samples take no time: also its share, and its session."""

    settings: Settings
    engines: list[Any] = field(default_factory=lambda: [SimpleNamespace(kill=None, given_up=False)])

    @property
    def plan(self) -> Plan:
        cells = tuple(Cell("simulated", f"path-{number}", "none", "nothing") for number in range(CELLS))
        return Plan(cells, {}, self.settings.limit, self.settings.seed)

    def announced(self) -> str:
        return f"{CELLS} cells x {self.plan.blocks} blocks"

    def meta(self) -> dict[str, Any]:
        return {"kind": KIND, "plan": self.plan.fingerprint(), "engine": {"name": "vm", "clock": "instructions"}}

    def about(self, step: Step) -> dict[str, Any]:
        return {"records": "user", "engine": "vm", "clock": "instructions"}

    @contextmanager
    def share(self, number: int, run: str) -> Iterator[Site]:
        yield self

    def completed(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        return dict(meta)

    @contextmanager
    def session(self, attempt: Attempt) -> Iterator[Site]:
        yield self

    def sample(self, attempt: Attempt) -> None:
        """As large as a sample of throughput is on the disk: 10 kB."""
        attempt.known["raw"] = {"stdout": "x" * 10_000}
        attempt.known["readings"] = [{"metric": "nothing", "unit": "s", "end": "client", "value": 1.0}]


class Progress:
    """Notes the memory of this process after each tenth of the samples."""

    def __init__(self, total: int) -> None:
        self.total, self.taken, self.memory = total, 0, list[float]()

    def start(self, todo: int, total: int) -> Any:
        return nullcontext()

    def before(self, step: Step) -> None:
        """A sample starts."""

    def after(self, step: Step, sample: Mapping[str, Any]) -> None:
        self.taken += 1
        if self.taken % (self.total // 10) == 0:
            self.memory.append(resident())


def resident() -> float:
    """The memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def install() -> None:
    """Make this file's bench one of the lab's in this process, and Docker one that has every image."""
    bench, settings = ModuleType("bench"), SimpleNamespace(KIND=KIND, TITLE="", Settings=Settings)
    vars(bench).update(KEPT=("plan", "engine"), COLUMNS={}, choose=lambda settings: settings, opened=opened)
    vars(benches).update(settings=lambda kind: settings, bench=lambda kind: bench)
    vars(identity).update(connect=lambda: SimpleNamespace(image_id=lambda tag: tag))


@contextmanager
def opened(settings: Settings, say: Any) -> Iterator[Site]:
    yield Site(settings)


def serve(workers: int) -> None:
    """A scheduler and its workers, until the standard input ends."""
    from distributed import LocalCluster
    from distributed.security import Security

    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=workers, threads_per_worker=1, processes=False, protocol="tls://", host="127.0.0.1",
        dashboard_address="127.0.0.1:0", security=Security(), silence_logs=40, memory_limit=0,  # type: ignore[no-untyped-call]
    ) as cluster:  # fmt: skip
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()


@dataclass(frozen=True)
class Cost:
    """Seconds of a run: on the wall, of CPU time of the client, and of the cluster's process.

    `memory`: of the client after each tenth, in MB.
    """

    wall: float
    client: float
    cluster: float
    memory: list[float]


def cpu_time(pid: int) -> float:
    """The CPU time that a process has had, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(workers: int, units: int, folder: Path) -> Cost:
    """What a run of so many units costs."""
    from lab.cluster.connection import connected
    from lab.cluster.crew import working

    command = [sys.executable, __file__, "--serve", str(workers)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as serving:
        assert serving.stdin
        assert serving.stdout
        address = serving.stdout.readline().strip()
        settings = Settings(blocks=units // CELLS)
        with connected(address) as there, working(there, KIND, settings, print, twice=0, limit=600) as crew:
            while len(crew.fleet.fit) < workers:
                crew.fleet.look()
                time.sleep(0.1)
            store, progress = Store.create(folder / f"of-{workers}", crew.meta()), Progress(units)
            before = time.monotonic(), time.process_time(), cpu_time(serving.pid)
            assert execute(crew, store, progress) == {"ok": units}
            wall, client_time = time.monotonic() - before[0], time.process_time() - before[1]
            cluster_time = cpu_time(serving.pid) - before[2]
        serving.stdin.close()
    return Cost(wall, client_time, cluster_time, progress.memory)


def main() -> None:
    """Measure with each number of workers, print a table, and fail if a cluster costs more than it may."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--units", type=int, default=20_000, help=f"units of a run: a multiple of {10 * CELLS}")
    arguments.add_argument("--workers", default="1,10,50,200", help="numbers of workers")
    arguments.add_argument("--seconds", type=float, default=30, help="a unit's: a tunnel in a guest, with one load")
    arguments.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    install()
    if chosen.serve:
        serve(chosen.serve)
        return
    columns = ("workers", "units", "client, CPU ms", "cluster, CPU ms", "wall ms", "share", "memory, MB")
    table = Table(*columns, title="What a cluster costs of a unit")
    good = True
    with tempfile.TemporaryDirectory() as scratch:
        for workers in map(int, chosen.workers.split(",")):
            cost = measured(workers, chosen.units, Path(scratch))
            client, cluster, wall = (each / chosen.units for each in (cost.client, cost.cluster, cost.wall))
            share, memory = max(client, cluster) * workers / chosen.seconds, cost.memory
            good = good and share < SHARE and memory[-1] < GROWTH * memory[0]
            times = (f"{each * 1e3:.2f}" for each in (client, cluster, wall))
            grown = f"{memory[0]:.0f} to {memory[-1]:.0f}"
            table.add_row(str(workers), str(chosen.units), *times, f"{share * 100:.2f} %", grown)
    Console().print(table)
    sys.exit(not good)


if __name__ == "__main__":
    from lab.cluster.certificates import make

    with tempfile.TemporaryDirectory() as keys:
        if "DASK_CONFIG" not in os.environ:  # Dask reads it when it is imported: here for the first time
            os.environ["DASK_CONFIG"] = str(make(Path(keys), ["benchmark"])[0])
        main()
