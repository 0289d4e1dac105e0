# SPDX-License-Identifier: MIT
"""A fresh tunnel: two ends, their loads, the handshake timed, and the data path proved before anything counts."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Literal

from docker.models.containers import Container

from lab.benches.vpn import proof
from lab.benches.vpn.cpu_ledger import Bracket
from lab.catalog.suites import Suite
from lab.catalog.vpns import Ends, Probe, Vpn
from lab.core.command import Result
from lab.core.errors import InvalidSample, LabError, Unsupported
from lab.engines.engine import LOST, stopped
from lab.runner.failure import explained
from lab.testbed.meter import Meter
from lab.testbed.testbed import Testbed

UP_LIMIT = float(os.environ.get("LAB_UP_LIMIT", "30"))
"""Seconds that an end may take to come up."""

ENDS = ("server", "client", "server-load", "client-load")
BESIDE = {"server-load": "server", "client-load": "client"}
"""The load beside each end: the wire is watched from there, where the meter may enter."""
TIMED_UP = """
started=$EPOCHREALTIME
up || exit $?
ended=$EPOCHREALTIME
[[ ! -r /run/vpn/started ]] || read -r started </run/vpn/started
echo "took $started $ended"
"""
"""`up` writes when it starts the VPN itself: what it prepares before is not the VPN's doing."""

SETTLE = 0.5
"""Seconds of the instruction clock before a load, until the engine is done with starting it: what it does would count.

They cost nothing: idle time is jumped over.
"""
NAMESPACE = ["readlink", "/proc/self/ns/pid"]
METER_FAILED = 125
"""The exit status of `bracket` and `counted` (images/base) when the meter did not answer."""
TIMED_OUT = (124, 137)
"""The exit statuses of a command that was not done in time."""
UNSUPPORTED = 127
"""The exit status by which an image says that it does not support a suite or variant."""


@dataclass
class Tunnel:
    """A tunnel that carries traffic. `handshake` is in seconds, from the start of the client to the first answer.

    `offset`: seconds by which a load starts later. `loads`: every load that it carried, as `load` returned it.
    """

    bed: Testbed
    meter: Meter
    vpn: Vpn
    variant: str
    suite: Suite
    containers: dict[str, Container] = field(default_factory=dict)
    handshake: float = 0.0
    evidence: dict[str, Any] = field(default_factory=dict)
    offset: float = 0.0
    loads: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.plan = self.bed.compose.resolve(tunnel_variables(self.bed, self.vpn, self.variant, self.suite))

    def bring_up(self) -> None:
        """Start the four containers, each pair side by side, and bring both ends up."""
        for pair in (ENDS[:2], ENDS[2:]):
            jobs = {end: self.bed.pool.submit(self._start, end) for end in pair}
            wait(jobs.values())
            self.containers |= {end: job.result() for end, job in jobs.items() if not job.exception()}
            for job in jobs.values():
                job.result()
        self._up("server")
        self.handshake = self._up("client")

    def _start(self, end: str) -> Container:
        service = self.plan.services[end]
        limited = service if end.endswith("-load") else service.limited_to(self.vpn.needs(self.variant))
        return self.bed.start(end, self.plan, limited)

    def _up(self, end: str) -> float:
        """Bring one end up; returns the seconds from the start of its VPN to the end of `up`."""
        result = self.execute(end, ["bash", "-c", TIMED_UP], timeout=UP_LIMIT)
        if result.status == UNSUPPORTED:
            raise Unsupported(result.complaint)
        if result.status in TIMED_OUT:
            limit = UP_LIMIT * self.bed.engine.patience
            raise LabError(f"the {end} was not up after {limit:g} s: {result.complaint}")
        if result.status:
            raise LabError(f"the {end} did not come up: {result.complaint}")
        _, before, after = result.stdout.splitlines()[-1].split()
        return float(after) - float(before)

    @property
    def native(self) -> str:
        """The suite by the name that this VPN's dialect has for it."""
        return self.suite.native[self.vpn.file.dialect]

    def address(self, end: str) -> str:
        """The address of `server` or `client` inside the tunnel."""
        return self.plan.services[end].environment["TUNNEL_ADDRESS"]

    def execute(self, end: str, argv: Sequence[str], *, timeout: float = 30) -> Result:
        """Run a command at one of the ENDS."""
        return self.bed.engine.execute(self.containers[end], argv, timeout=timeout)

    def load(self, argv: Sequence[str], *, timeout: float, under: Sequence[str] = ()) -> dict[str, Any]:
        """Run a load beside the client, between two snapshots, the wire watched meanwhile; returns all of it, raw.

        `wire`, by end: the packets that arrived there and that the data path does not explain, their bytes, and how
        many more were lost on their way to be counted.

        Raises:
            LabError: the load failed; in its own words.
        """
        counters = self.counters()
        roles = {str(container.id): end for end, container in self.containers.items()}
        watched = [number for number, end in roles.items() if end in BESIDE]
        later = self.offset + (SETTLE if self.bed.engine.clock == "instructions" else 0)
        path = self.vpn.file.variants[self.variant].wire
        bracket = ["bracket", f"{later:.6f}", path, *watched, "--", *roles, "--"]
        result = self.execute("client-load", [*bracket, *under, *argv], timeout=timeout)
        if result.status:
            complaint = Result(result.status, result.stdout, Bracket.strip(result.stderr)).complaint
            if result.status != METER_FAILED:
                raise self._failure(argv, result, complaint, timeout)
            said = reduce(lambda text, role: text.replace(role, f"of the {roles[role]}"), roles, complaint)
            raise LabError(f"the meter could not read the ends: {said}")
        before, after = snapshots(result.stderr, roles)
        load = {
            "argv": list(argv),
            "stdout": result.stdout,
            "stderr": Bracket.only(result.stderr),
            "before": before,
            "after": after,
            "wire": wire_seen(result.stderr, roles),
            "counters": {"before": counters, "after": self.counters()},
        }
        self.loads.append(load)
        return load

    def _failure(self, argv: Sequence[str], result: Result, complaint: str, timeout: float) -> LabError:
        """The error of a load that failed; where it was not done in time, which part hung, if that can be known."""
        killed = Bracket.LINE.search(result.stderr) or stopped({"client-load": self.containers["client-load"]})
        if killed or result.status not in TIMED_OUT:
            return LabError(f"{argv[0]} failed: {complaint}")
        limit = f"{timeout * self.bed.engine.patience:g} s"
        if not self.meter.answers():
            return LabError(
                f"the meter did not answer: {argv[0]} and what it says around it were not done after {limit}"
            )
        return LabError(f"{argv[0]} was not done after {limit}: {complaint}")

    def stopped(self) -> str:
        """Which of all that a sample needs does not run any more; empty where all does."""
        return stopped({**self.containers, "meter": self.meter.container})

    def count_syscalls(self, argv: Sequence[str], *, timeout: float) -> dict[str, dict[str, int]]:
        """Run a load beside the client while the meter counts the system calls of both ends: by end and name.

        Raises:
            LabError: the load failed, or the meter could not count; in its own words.
        """
        spaces = {re.sub(r"\D", "", self.execute(end, NAMESPACE).stdout): end for end in ENDS[:2]}
        load = self.load(argv, timeout=timeout, under=["counted", *spaces, "--"])
        counts = json.loads(Bracket.strip(load["stderr"]).splitlines()[-1])
        return {end: dict(sorted(counts.get(space, {}).items())) for space, end in spaces.items()}

    def logs(self) -> dict[str, str]:
        """What the daemons of both ends wrote so far; nothing from an end that does not live any more."""
        script = 'for f in /run/vpn/*.log; do [ -f "$f" ] && tail -n 60 "$f"; done; :'
        said = {}
        for end in self.containers.keys() & {"server", "client"}:
            with suppress(LabError, *LOST):
                said[end] = self.execute(end, ["sh", "-c", script]).stdout
        return said

    def prove(self) -> None:
        """Read the suite back from both ends and look at the wire.

        Raises:
            InvalidSample: an end says another suite, or the wire carries what it must not.
        """
        marker = secrets.token_hex(16)
        look = ["wire-proof", self.address("client"), marker, self.vpn.file.variants[self.variant].wire]
        wire = self.bed.pool.submit(self.execute, "server-load", look)
        self.prove_suite()
        result = wire.result()
        if result.status:
            raise InvalidSample(f"the far end of the tunnel did not answer: {result.complaint}")
        encrypts = self.vpn.file.encrypts and self.suite.encrypts
        self.evidence["wire"] = proof.wire(result.stdout, bytes.fromhex(marker), encrypts=encrypts)

    def prove_suite(self) -> None:
        """Read the suite back from both ends: before a load, and after it, since some VPNs fall back under way.

        Raises:
            InvalidSample: an end says another suite than was asked for, or is in another session than when last asked.
        """
        answers = self._ask("suite")
        told = {end: proof.session(match, answer.stdout) for end, (match, answer) in answers.items()}
        before = self.evidence.get("session", {})
        self.evidence["suite"] = {end: suite for end, (suite, _) in told.items()}
        self.evidence["session"] = {end: session for end, (_, session) in told.items()}
        for end, (suite, session) in told.items():
            if suite != self.native:
                instead = suite or f"nothing that it tells ({_failure(answers[end][1])})"
                raise InvalidSample(f"the {end} negotiated {instead}, not {self.native}")
            if session != before.get(end, session):
                raise InvalidSample(f"the {end} is in session {session}, before the load it was {before[end]}")

    def counters(self) -> dict[str, dict[str, int]]:
        """The VPN's own byte counters by end (`rx`, `tx`); empty where it has none.

        Raises:
            LabError: an end did not tell them; with what it said instead.
        """
        told = {}
        for end, (match, answer) in self._ask("counters").items():
            told[end] = proof.named(match, answer.stdout)
            if not told[end]:
                raise LabError(f"the {end}'s own counters were not found: {_failure(answer)}")
        return told

    def _ask(self, question: Literal["suite", "counters"]) -> dict[str, tuple[str, Result]]:
        """Put a question of the VPN's proof to both ends at once: by end, the pattern and the answer."""
        way: Ends | None = getattr(self.vpn.proof(self.variant), question)
        if way is None:
            return {}
        probes: dict[str, Probe] = {"server": way.server, "client": way.client}
        jobs = {end: self.bed.pool.submit(self.execute, end, probe.run) for end, probe in probes.items()}
        return {end: (probe.match, jobs[end].result()) for end, probe in probes.items()}


@contextmanager
def tunnel(bed: Testbed, meter: Meter, vpn: Vpn, variant: str, suite: Suite) -> Iterator[Tunnel]:
    """Fresh containers, both ends up; everything is removed afterwards.

    Raises:
        Unsupported: an image says that it cannot do this suite or variant.
        LabError: an end did not come up, or whatever went wrong with it; with the reason and the logs of both ends.
            Where an end has stopped meanwhile, that is the reason.
    """
    this = Tunnel(bed, meter, vpn, variant, suite)
    try:
        with explained(this.stopped, this.logs):
            this.bring_up()
            yield this
    finally:
        bed.remove(this.containers)


def tunnel_variables(bed: Testbed, vpn: Vpn, variant: str, suite: Suite) -> dict[str, str]:
    """Values for the Compose variables of one tunnel."""
    native = suite.native[vpn.file.dialect]
    variables = bed.variables | {"LAB_VPN": vpn.name, "LAB_VARIANT": variant, "LAB_SUITE": native}
    if vpn.file.addresses == "wire":
        variables |= {f"LAB_TUNNEL_{end}": bed.variables[f"LAB_{end}"] for end in ("SERVER", "CLIENT")}
    return variables


def snapshots(stderr: str, roles: Mapping[str, str]) -> list[dict[str, Any]]:
    """The two snapshots that `bracket` passed on from the meter, the ends by their names instead of their numbers."""
    found = [json.loads(line) for line in re.findall(r"^snapshot (\{.*\})$", stderr, re.MULTILINE)[-2:]]
    for reading in found:
        reading["ends"] = {roles[container]: counters for container, counters in reading["ends"].items()}
    return found


def wire_seen(stderr: str, roles: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """What the meter saw on the wire and nothing explains, as `bracket` passed it on, by end."""
    found = re.findall(r"^wire (\{.*\})$", stderr, re.MULTILINE)[-1]
    return {BESIDE[roles[container]]: counts for container, counts in json.loads(found).items()}


def _failure(answer: Result) -> str:
    """What an answer was in which something was not found."""
    return f"status {answer.status}: {answer.complaint}"
