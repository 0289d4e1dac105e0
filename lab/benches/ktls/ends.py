# SPDX-License-Identifier: MIT
"""Where the bench runs: two endpoints in containers on the lab's own network. A short-lived container loads the module.

`topology.yaml` lists what each may do. The peer stays up for the whole run: each request to it ends by itself.
"""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from lab.benches.ktls import cipher_symbols, perf
from lab.core.command import Result
from lab.core.errors import LabError
from lab.engines.engine import Engine, stopped
from lab.testbed import testbed, topology

FILE = Path(__file__).with_name("topology.yaml")
IMAGE = "lab/kmod:latest"
PORT = 5203
START = 10.0
"""Seconds for a container to start, or for the peer to listen."""
DATA = f"{perf.PLACE}/data"
LIBRARIES = "find /usr/lib -type f -name 'libgnutls.so.*' -o -type f -name 'libnettle.so.*'"
LISTENS = ["sh", "-c", f"ss -Hlnt | grep -q :{PORT}"]
LATER = ["bash", "-c", 'read -rt "$1" <> <(:); shift; exec "$@"', "later"]
"""Start a command after a delay, as `images/base/bracket` does."""
FACTS = """
for module in af_ktls tls; do
    [ -d /sys/module/$module ] || continue
    echo "$module: loaded $(cat /sys/module/$module/version /sys/module/$module/srcversion 2>/dev/null | tr '\\n' ' ')"
    for file in /sys/module/$module/parameters/*; do
        [ -r "$file" ] && echo "$module ${file##*/}: $(cat "$file")"
    done
done
"""


@dataclass
class Ends:
    """Both endpoints, up. A run with profiles has a container `perf` beside the bench.

    `refused`: why the module could not be loaded. `ciphers`: where libraries have them, known after the first profile.
    """

    bed: testbed.Testbed
    plan: topology.Topology
    containers: dict[str, Container]
    refused: str = ""
    ciphers: dict[str, list[cipher_symbols.Range]] = field(default_factory=dict)

    @property
    def engine(self) -> Engine:
        """The engine of the containers."""
        return self.bed.engine

    @property
    def peer(self) -> str:
        """The peer's address."""
        return self.plan.services["peer"].networks["wire"].ipv4_address

    def run(self, argv: Sequence[str], timeout: float, *, later: float = 0.0) -> Result:
        """Run the bench to its end, `later` seconds from now."""
        self._revive()
        return self.engine.execute(
            self.containers["bench"], [*LATER, f"{max(later, 1e-6):.6f}", *argv], timeout=timeout
        )

    def watched(self, argv: Sequence[str], timeout: float) -> tuple[Result, dict[str, Any]]:
        """Run the bench under `perf`, which samples the machine; returns its report, and where the ciphers are.

        Raises:
            LabError: what it took could not be read.
        """
        self._revive()
        watcher = self.containers["perf"]
        self.engine.execute(watcher, perf.MEET)
        command = [*perf.RECORD, "--output", DATA, "--", *argv, "--perf", perf.PLACE]
        result = self.engine.execute(watcher, command, timeout=timeout)
        if result.status:
            return result, {}
        report = self.engine.ask(watcher, [*perf.REPORT, DATA], timeout=timeout)
        if report.status:
            raise LabError(f"perf-table ended with {report.status}: {report.complaint}")
        if not self.ciphers:
            self.ciphers.update(self._ciphers(watcher))
        return result, {"perf": report.stdout, "ciphers": self.ciphers}

    def facts(self) -> dict[str, str]:
        """The loaded modules, as the kernel reports them, and the error of loading, if any."""
        output = self.engine.ask(self.containers["bench"], ["sh", "-c", FACTS]).stdout
        facts = dict(line.split(": ", 1) for line in output.splitlines() if ": " in line)
        return facts | ({"load": self.refused} if self.refused else {})

    def _ciphers(self, watcher: Container) -> dict[str, list[cipher_symbols.Range]]:
        """The address ranges of ciphers in each library that encrypts, by name: Debian strips the symbols."""
        paths = self.engine.ask(watcher, ["sh", "-c", LIBRARIES]).stdout.split()
        ciphers: dict[str, list[cipher_symbols.Range]] = {}
        for path in paths:
            parts, _ = watcher.get_archive(path)
            with tarfile.open(fileobj=io.BytesIO(b"".join(parts))) as tar:
                content = tar.extractfile(tar.getmembers()[0])
                ciphers[Path(path).name] = cipher_symbols.ciphers(content.read() if content else b"")
        return ciphers

    def _revive(self) -> None:
        """If one container has stopped, restart all in order: one is in the network of another."""
        if self.stopped():
            for container in self.containers.values():
                container.restart(timeout=0)
            self.wait()

    def stopped(self) -> str:
        """Which containers have stopped; empty if all run."""
        return stopped(self.containers)

    def wait(self) -> None:
        """Wait until the peer listens.

        Raises:
            LabError: it does not listen; with its log.
        """
        peer = self.containers["peer"]
        if self.engine.execute(
            peer, ["wait-until", f"{START * self.engine.patience:g}", *LISTENS], timeout=START + 5
        ).status:
            log = peer.logs(tail=5).decode(errors="replace").strip()
            raise LabError(f"the peer does not listen: {log or 'it has not said why'}")


@contextmanager
def opened(
    engine: Engine, *, environment: Mapping[str, str], parameters: Sequence[str], watching: bool
) -> Iterator[Ends]:
    """Both endpoints on their own wire; in a guest, the module is loaded. All containers are removed afterwards.

    `environment` is for both endpoints, `parameters` are the module's; `watching` adds a container for `perf`.
    """
    testbed.sweep_forgotten(engine)
    with testbed.opened(engine, f"ktls-{secrets.token_hex(2)}") as bed:
        plan = topology.load(FILE).resolve(bed.variables)
        refused = load(engine, plan.services["load"], parameters) if engine.name == "vm" else ""
        roles = ["peer", "bench", *(["perf"] if watching else [])]
        containers: dict[str, Container] = {}
        for role in roles:
            service = plan.services[role]
            service = service.model_copy(update={"environment": {**service.environment, **environment}})
            containers[role] = bed.start(role, plan, service)
        ends = Ends(bed, plan, containers, refused)
        ends.wait()
        yield ends


def load(engine: Engine, service: topology.Service, parameters: Sequence[str]) -> str:
    """Load the module; returns the error, if any. Paths without the module are still measured."""
    result = engine.once(
        IMAGE, [*service.command, *parameters], timeout=60, cap_drop=service.cap_drop, cap_add=service.cap_add
    )
    return result.complaint if result.status else ""
