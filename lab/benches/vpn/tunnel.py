# SPDX-License-Identifier: MIT
"""A new tunnel: two endpoints, their load containers, the timed handshake, and the proof of the data path."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import reduce
from ipaddress import ip_address
from typing import Any, Literal

from docker.models.containers import Container

from lab.benches.vpn import around, clients, proof, questions
from lab.benches.vpn.clients import Clients
from lab.benches.vpn.cpu_ledger import Bracket
from lab.benches.vpn.took import AGAIN, UP, Took
from lab.catalog.suites import Suite
from lab.catalog.vpns import Vpn
from lab.catalog.wires import Wire
from lab.core.command import Result
from lab.core.errors import InvalidSample, LabError, Unsupported
from lab.core.paths import shown
from lab.engines.attached import attached
from lab.engines.engine import LOST, stopped
from lab.runner.failure import explained
from lab.testbed.meter import Meter
from lab.testbed.testbed import Testbed
from lab.testbed.wire import Laid, lay

IPV6_INSIDE = {
    "LAB_TUNNEL_SERVER": "2001:2:0:100::1",
    "LAB_TUNNEL_CLIENT": "2001:2:0:100::2",
    "LAB_TUNNEL_PREFIX": "64",
}
"""Addresses of a tunnel that carries IPv6: of the wires' range, and of no wire. The Compose file has those of IPv4."""
UP_LIMIT = float(os.environ.get("LAB_UP_LIMIT", "30"))
"""Seconds that an endpoint may take to come up; a server of many, one more for each client."""

ENDS = ("server", "client", "server-load", "client-load")

SETTLE = 0.5
"""Seconds of the instruction clock before a load, so that the engine's work to start it is not counted.

They cost nothing: the clock skips idle time.
"""
SETTLED = ["bash", "-c", 'read -rt "$1" <> <(:); shift; exec "$@"', "settled"]
"""Runs a command some seconds later: nothing of that time is counted."""
NAMESPACE = ["readlink", "/proc/self/ns/pid"]
BESIDE_LOAD = 60
"""Seconds by which the reading of the server's machine, where it is another, may take longer than the load."""
METER_FAILED = 125
"""The exit status of `bracket` and `counted` (images/base) when the meter did not answer."""
LATER = "(udp and ip[6:2] & 0x1fff != 0) or (ip6 and ip6[6] = 44)"
"""A pcap filter for all fragments of a datagram but the first, which alone has a port (RFC 791; RFC 8200, 4.5)."""
TIMED_OUT = (124, 137)
"""The exit statuses of a command that timed out."""
UNSUPPORTED = 127
"""The exit status of an image that does not support a suite or variant."""


@dataclass
class Tunnel:
    """A tunnel that carries traffic. `took`: from the start of the (first) client to the first reply.

    `wire` lies between its ends before they come up, so that they find its MTU. It is shaped (`laid`) while samples are
    taken. `offset`: seconds by which a load is delayed. `loads`: every load of the tunnel, as `load` returned it.

    With a number of `tunnels` the server has as many `clients`; this is the first one's, and `setup` tells how all came
    up. `loaded` are the clients whose tunnels carry the loads, which are proved.
    """

    bed: Testbed
    meter: Meter
    vpn: Vpn
    variant: str
    suite: Suite
    wire: Wire
    tunnels: int | None = None
    containers: dict[str, Container] = field(default_factory=dict)
    took: Took = field(default_factory=Took)
    evidence: dict[str, Any] = field(default_factory=dict)
    offset: float = 0.0
    loads: list[dict[str, Any]] = field(default_factory=list)
    laid: Laid = field(init=False)
    clients: Clients | None = None
    setup: dict[str, Any] = field(default_factory=dict)
    loaded: Sequence[int] = (1,)

    def __post_init__(self) -> None:
        variables = tunnel_variables(self.bed, self.vpn, self.variant, self.suite, self.tunnels, self.wire)
        self.plan = self.bed.compose.resolve(variables)

    def bring_up(self) -> None:
        """Start the four containers, each pair in parallel, with the wire between, and bring both endpoints up."""
        for pair in (ENDS[:2], ENDS[2:]):
            jobs = {end: self.bed.pool.submit(self._start, end) for end in pair}
            wait(jobs.values())
            self.containers |= {end: job.result() for end, job in jobs.items() if not job.exception()}
            for job in jobs.values():
                job.result()
            if pair == ENDS[:2]:
                self.laid = lay(self.bed, self.containers, self.wire)
        if self.tunnels:
            self.clients = clients.plugged(self.bed, self.meter, self.containers["client"], self.tunnels)
        self._up("server")
        self.took = self._all_up(self.clients) if self.clients else self._up("client")

    def _start(self, end: str) -> Container:
        service = self.plan.services[end]
        limited = service if end.endswith("-load") else service.limited_to(self.vpn.needs(self.variant))
        if self.wire.inside == 6:
            limited = limited.for_ipv6()
        if self.bed.far:
            limited = limited.on_two_machines()
        return self.bed.start(end, self.plan, limited.for_many() if self.tunnels else limited)

    def _up(self, end: str) -> Took:
        """Bring one endpoint up."""
        limit = UP_LIMIT + (self.tunnels or 0)
        result = self.execute(end, UP, timeout=limit)
        self._check(end, result, limit)
        return Took.read((self.ask(end, AGAIN) if result.lost else result).stdout)

    def _check(self, end: str, result: Result, limit: float) -> None:
        """Raise what an `up` that did not succeed within `limit` seconds stands for."""
        if result.status == UNSUPPORTED:
            raise Unsupported(result.complaint)
        if result.status in TIMED_OUT:
            limit *= self.bed.engine.patience
            raise LabError(f"the {end} was not up after {limit:g} s: {result.complaint}")
        if result.status:
            raise LabError(f"the {end} did not come up: {result.complaint}")

    def _all_up(self, all_clients: Clients) -> Took:
        """Bring all clients up between two snapshots of both endpoints; returns what the first one took."""
        ends = {end: self.containers[end] for end in ENDS[:2]}
        before = all_clients.snapshot(self.meter, ends)
        result = all_clients.up(UP, UP_LIMIT)
        self._check("client", result, all_clients.limit(UP_LIMIT))
        all_took = clients.took(result)
        times = [[each.began, each.ended] for each in all_took]
        self.setup = {"before": before, "after": all_clients.snapshot(self.meter, ends), "times": times}
        return all_took[0]

    @property
    def native(self) -> str:
        """The name of the suite in this VPN's dialect."""
        return self.suite.native[self.vpn.file.dialect]

    @property
    def explained(self) -> str:
        """A pcap filter for all packets of the data path on this wire.

        Over a small MTU datagrams may go in fragments. Others than the path's own would be seen by their first ones.
        """
        own = self.vpn.file.variants[self.variant].wire
        return f"({own}) or {LATER}" if self.wire.mtu else own

    def address(self, end: str) -> str:
        """The address of `server` or `client` inside the tunnel."""
        return self.plan.services[end].environment["TUNNEL_ADDRESS"]

    def execute(self, end: str, argv: Sequence[str], *, timeout: float = 30) -> Result:
        """Run a command at one of the ENDS."""
        return self.bed.at(end).engine.execute(self.containers[end], argv, timeout=timeout)

    def ask(self, end: str, argv: Sequence[str]) -> Result:
        """Run a command that only reads, until its output is whole."""
        return self.bed.at(end).engine.ask(self.containers[end], argv)

    def roles(self, bed: Testbed) -> dict[str, str]:
        """The containers of the tunnel on one machine: their roles, by their ids."""
        return {str(container.id): end for end, container in self.containers.items() if self.bed.at(end) is bed}

    def load(
        self, argv: Sequence[str], *, timeout: float, under: Sequence[str] = (), far_under: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Run a load beside the client, between two snapshots, and watch the wire; returns everything raw.

        `wire`, by endpoint: the packets received that the data path does not explain, their bytes, and how many more
        were lost before the meter could count them. `under` is what runs the load, and `far_under` what runs meanwhile
        on the server's machine, if that is another one, which is read as well.

        Raises:
            LabError: the load failed; with its own message.
        """
        counters = questions.counters(self)
        roles = self.roles(self.bed)
        networks = self.clients.roles(self.loaded) if self.clients else {}
        watched = [*around.watched(roles), *networks]
        roles |= networks
        delay = self.offset + (SETTLE if self.bed.engine.clock == "instructions" else 0)
        variant = self.vpn.file.variants[self.variant]
        bracket = around.bracket(delay, self.explained, watched, roles)
        settled = [*SETTLED, f"{variant.settle:g}"] if variant.settle else []
        command = [*settled, *bracket, *under, *argv]
        with self._beside(far_under, timeout + variant.settle) as end_beside:
            result = self.execute("client-load", command, timeout=timeout + variant.settle)
            far = end_beside()
        if result.status:
            if result.lost:
                raise LabError(f"{argv[0]} failed: {result.complaint}")
            complaint = Result(result.status, result.stdout, Bracket.strip(result.stderr)).complaint
            if result.status != METER_FAILED:
                raise self._failure(argv, result, complaint, timeout)
            ids = (str(container.id) for container in self.containers.values())
            message = reduce(lambda text, role: text.replace(role, f"of the {roles[role]}"), ids, complaint)
            raise LabError(f"the meter could not read the ends: {message}")
        before, after = around.snapshots(result.stderr, roles)
        for snapshot in (before, after) if self.clients else ():
            proof.fold(snapshot["ends"]["server"]["interfaces"], self.vpn.file.interface, self.vpn.file.interfaces)
        load = {
            "argv": list(argv),
            "stdout": result.stdout,
            "stderr": Bracket.only(result.stderr),
            "before": before,
            "after": after,
            "wire": around.wire_seen(result.stderr, roles),
            "counters": {"before": counters, "after": questions.counters(self)},
        }
        if far and self.bed.far:
            load = around.joined(load, far, self.roles(self.bed.far))
        self.loads.append(load)
        return load

    @contextmanager
    def _beside(self, under: Sequence[str], timeout: float) -> Iterator[Callable[[], Result | None]]:
        """Read the server's machine around the block, if it is another one; yields what ends that, with its result."""
        bed = self.bed.far
        if bed is None:
            yield lambda: None
            return
        roles = self.roles(bed)
        command = [*around.bracket(0, self.explained, around.watched(roles), roles), *under, *around.UNTIL_TOLD]
        with attached(bed.engine, self.containers["server-load"], command, timeout=timeout + BESIDE_LOAD) as far:
            yield far.end

    def streaming(self, options: Sequence[str], loaded: Sequence[int] = ()) -> list[str]:
        """The command that runs iperf3 with these options as a client: in every loaded tunnel at once, or in some."""
        if self.clients is None:
            return ["iperf3", *options]
        return self.clients.streaming(self.containers["server-load"], loaded or self.loaded, options)

    def profiled(self, argv: Sequence[str], programs: Sequence[str], *, timeout: float) -> dict[str, Any]:
        """`load`, while every instruction is counted: also `clock` (nanoseconds of the guest's) and `functions`.

        `programs` are those that the command executes.

        Raises:
            Unsupported: the engine counts no instructions. LabError: as `load`.
        """
        profile = self.bed.profile
        load = self.load(argv, timeout=timeout, under=profile.window(self.containers["client-load"]))
        counts, functions = profile.take(self.containers, programs)
        return {"load": load, "clock": counts.clock, "functions": functions}

    def _failure(self, argv: Sequence[str], result: Result, complaint: str, timeout: float) -> LabError:
        """The error of a load that failed; after a timeout, it names the part that hung, if known."""
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
        """Which containers of a sample have stopped; empty if all run."""
        return stopped({**self.containers, **self.meter.containers})

    def count_syscalls(self, argv: Sequence[str], *, timeout: float) -> dict[str, dict[str, int]]:
        """Run a load beside the client while the meter counts the system calls, by endpoint and name.

        Raises:
            LabError: the load failed, or the meter could not count; with its own message.
        """
        spaces = {end: re.sub(r"\D", "", self.ask(end, NAMESPACE).stdout) for end in ENDS[:2]}
        here = [space for end, space in spaces.items() if self.bed.at(end) is self.bed]
        there = [space for end, space in spaces.items() if self.bed.at(end) is not self.bed]
        load = self.load(argv, timeout=timeout, under=["counted", *here, "--"], far_under=["counted", *there, "--"])
        said = {end: load if self.bed.at(end) is self.bed else load["far"] for end in spaces}
        counted = {end: json.loads(Bracket.strip(each["stderr"]).splitlines()[-1]) for end, each in said.items()}
        return {end: dict(sorted(counted[end].get(space, {}).items())) for end, space in spaces.items()}

    def logs(self) -> dict[str, str]:
        """What the daemons of both endpoints have logged; nothing from an endpoint that has stopped."""
        script = 'for f in /run/vpn/*.log; do [ -f "$f" ] && tail -n 60 "$f"; done; :'
        logs = {}
        for end in self.containers.keys() & {"server", "client"}:
            with suppress(LabError, *LOST):
                logs[end] = self.ask(end, ["sh", "-c", script]).stdout
        return logs

    def prove(self) -> None:
        """Read the suite back from both endpoints, and check the wire.

        Raises:
            InvalidSample: an endpoint reports another suite, or the wire carries what it must not.
        """
        marker = secrets.token_hex(16)
        far = ",".join(clients.address(self.address("client"), number) for number in self.loaded)
        command = ["wire-proof", far, marker, self.explained]
        captured = self.bed.pool.submit(self.execute, "server-load", command, timeout=30 + len(self.loaded))
        self.prove_suite()
        result = captured.result()
        if result.status:
            raise InvalidSample(f"the far end of the tunnel did not answer: {result.complaint}")
        sender, first = on_wire(self.bed, self.vpn, self.wire)
        far_ends = [ip_address(clients.address(first, number)) for number in self.loaded]
        encrypts = self.vpn.file.encrypts and self.suite.encrypts
        description = shown(self.vpn.folder / "vpn.yaml")
        hint = f"its own are those that `{self.explained}` explains: `wire` of {self.variant} in {description}"
        text, mark = result.stdout, bytes.fromhex(marker)
        seen = proof.wire(text, mark, ip_address(sender), far_ends, encrypts=encrypts, hint=hint)
        self.evidence["wire"] = seen

    @property
    def proved(self) -> bool:
        """Whether the suite of every loaded tunnel was read, and its wire captured."""
        return bool(self.evidence.get("wire", {}).get("tunnels", 0) >= len(self.loaded))

    def prove_suite(self) -> None:
        """Read the suite back from both endpoints, before and after a load: some VPNs fall back during one.

        Raises:
            InvalidSample: an endpoint reports a suite that was not requested, or a session that has changed.
        """
        answers = questions.answers(self, "suite")
        negotiated = {end: proof.session(match, answer.stdout) for end, (match, answer) in answers.items()}
        previous = self.evidence.get("session", {})
        self.evidence["suite"] = {end: suite for end, (suite, _) in negotiated.items()}
        self.evidence["session"] = previous | {end: session for end, (_, session) in negotiated.items()}
        for end, (suite, session) in negotiated.items():
            if suite != self.native:
                self.evidence["told"] = {end: answer.stdout for end, (_, answer) in answers.items()}
                actual = suite or f"nothing that it tells ({questions.failure(answers[end][1])})"
                hint = f"`lab capture {self.vpn.name} --variant {self.variant}` keeps what both ends tell"
                raise InvalidSample(f"the {end} negotiated {actual}, not {self.native}", hint)
            if session != previous.get(end, session):
                raise InvalidSample(f"the {end} is in session {session}, before the load it was {previous[end]}")


@contextmanager
def tunnel(
    bed: Testbed, meter: Meter, vpn: Vpn, variant: str, suite: Suite, wire: Wire, tunnels: int | None = None
) -> Iterator[Tunnel]:
    """New containers with both endpoints up; everything is removed afterwards.

    Raises:
        Unsupported: an image does not support this suite or variant.
        LabError: an endpoint did not come up, or a later step failed; with the reason and the logs of both endpoints.
            If an endpoint has stopped meanwhile, that is the reason.
    """
    new_tunnel = Tunnel(bed, meter, vpn, variant, suite, wire, tunnels)
    try:
        with explained(new_tunnel.stopped, new_tunnel.logs):
            new_tunnel.bring_up()
            yield new_tunnel
    finally:
        if new_tunnel.clients:  # a watch that a load has not ended holds the networks of clients, which go on in them
            with suppress(LabError, *LOST):
                meter.ask("watched")
        bed.remove(new_tunnel.containers)


def tunnel_variables(
    bed: Testbed, vpn: Vpn, variant: str, suite: Suite, tunnels: int | None, wire: Wire
) -> dict[str, str]:
    """Values for the Compose variables of a tunnel, or of several, over a wire."""
    native = suite.native[vpn.file.dialect]
    variables = bed.variables | {"LAB_VPN": vpn.image(variant), "LAB_VARIANT": variant, "LAB_SUITE": native}
    if tunnels:
        variables |= {"LAB_CLIENTS": str(tunnels), "LAB_TUNNEL_PREFIX": clients.PREFIX}
    if wire.inside == 6:
        variables |= IPV6_INSIDE
    for end, address in zip(ENDS[:2], on_wire(bed, vpn, wire), strict=True):
        variables[f"LAB_{end.upper()}_ADDRESS"] = address
        if vpn.file.addresses == "wire":
            variables[f"LAB_TUNNEL_{end.upper()}"] = address
    return variables


def on_wire(bed: Testbed, vpn: Vpn, wire: Wire) -> list[str]:
    """The addresses of server and client on a wire, between which this VPN's packets are: without a VPN the load's."""
    ip: Literal[4, 6] = 6 if vpn.file.addresses == "wire" and wire.ipv6 else wire.ip
    return [bed.on_wire(end, ip) for end in ENDS[:2]]
