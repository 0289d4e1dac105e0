# SPDX-License-Identifier: MIT
"""A sample whose data path is broken while its load runs: what becomes of it?

The sample is taken as a run takes it. Whoever breaks it knows nothing of the lab's proof: it waits until the load flows
through the tunnel, and then does to the ends what a network, an administrator or a fault would do.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from docker.errors import APIError
from docker.models.containers import Container

from lab.benches.vpn import measures
from lab.benches.vpn.sample import Bed
from lab.catalog.catalog import Catalog
from lab.catalog.suites import Suite
from lab.catalog.vpns import Vpn
from lab.engines.engine import Engine
from lab.results.cell import Cell
from lab.runner.group import attempts
from lab.runner.plan import Plan, Step
from lab.testbed import testbed
from lab.testbed.meter import Meter

CATALOG = Catalog()
SECONDS = 4
"""Seconds of a load: long enough to break it, to mend it, and to go on."""
FLOWING = 200_000
"""Bytes that have left by the tunnel, from which on a load flows."""


@dataclass(frozen=True)
class Ends:
    """The two ends of the tunnel under a load."""

    engine: Engine
    vpn: Vpn
    server: Container
    client: Container

    def at(self, end: Container, *argv: str, **environment: str) -> str:
        """What a command says at an end; it must succeed."""
        status, output = end.exec_run(list(argv), environment=environment)
        text = cast(bytes, output).decode()
        assert status == 0, f"{argv}: {text}"
        return text

    def sent(self, interface: str) -> int:
        """Bytes that the client has sent by an interface; 0 where there is none, or the client is not up."""
        try:
            status, output = self.client.exec_run(["cat", "/proc/net/dev"])
        except APIError:
            return 0
        rows = [line.split(":") for line in cast(bytes, output).decode().splitlines()[2:]] if status == 0 else []
        counters = {name.strip(): int(values.split()[8]) for name, values in rows}
        return counters.get(interface, 0)

    def wait_until_sent(self, interface: str, more: int) -> None:
        """Wait until the client has sent so many bytes more by an interface; raises APIError once it is removed."""
        before, limit = self.sent(interface), time.monotonic() + 60 * self.engine.patience
        while self.sent(interface) < before + more:
            self.client.reload()
            assert time.monotonic() < limit, f"{interface} does not carry {more} bytes more"

    def address(self, end: Container, name: str) -> str:
        """What an end was told of addresses."""
        return str(dict(entry.split("=", 1) for entry in end.attrs["Config"]["Env"])[name])

    def start_anew(self, suite: Suite) -> None:
        """Kill the VPN at both ends, and bring it up again with `suite`."""
        native = suite.native[self.vpn.file.dialect]
        for end in (self.server, self.client):
            end.exec_run(["ip", "link", "delete", self.vpn.file.interface])
            # All but the container's own: its init and its `sleep`.
            end.exec_run(["bash", "-c", "kill -KILL $(pgrep -v -x 'docker-init|tini|sleep|bash|pgrep')"])
        for end in (self.server, self.client):
            end.exec_run(["up"], environment={"SUITE": native})


Break = Callable[[Ends], None]


def broken(engine: Engine, vpn: Vpn, variant: str, suite: Suite, fault: Break) -> dict[str, Any]:
    """One sample of the throughput, client to server, with `fault` done to its ends while the load flows."""
    cell = Cell(vpn.name, variant, suite.suite, "throughput", "direction=up streams=1")
    name = f"fault-{secrets.token_hex(3)}"
    wrong: list[BaseException] = []
    with testbed.opened(engine, name) as bed:
        chosen = measures.choose(["throughput"])
        options = {name: each.Options.model_validate({"duration": SECONDS}) for name, each in chosen.items()}
        share = Bed(CATALOG, bed, Meter(bed), Plan((cell,), {}, 1, 0), chosen, options)
        breaker = threading.Thread(target=_break, args=(engine, vpn, name, fault, wrong), daemon=True)
        breaker.start()
        (attempt,) = attempts(engine, share, [Step(0, 0, cell)])
        breaker.join()
    # A sample that went wrong takes its containers along, maybe under the hands of whoever breaks them.
    over = attempt.known["outcome"] != "ok" and wrong and isinstance(wrong[0], APIError)
    if wrong and not over:
        raise wrong[0]
    return attempt.known


def _break(engine: Engine, vpn: Vpn, name: str, fault: Break, wrong: list[BaseException]) -> None:
    try:
        limit = time.monotonic() + 60 * engine.patience
        ends = _flowing(engine, vpn, name, limit)
        fault(ends)
    except BaseException as error:  # noqa: BLE001 - the test's own thread raises it
        wrong.append(error)


def _flowing(engine: Engine, vpn: Vpn, name: str, limit: float) -> Ends:
    """Wait until the load flows through the tunnel."""
    while time.monotonic() < limit:
        found = {role: testbed.containers_of(engine, name, role=role) for role in ("server", "client")}
        if all(found.values()):
            ends = Ends(engine, vpn, found["server"][0], found["client"][0])
            if ends.sent(vpn.file.interface) > FLOWING:
                return ends
    raise AssertionError(f"no load flowed through the tunnel of {vpn.name}")


def bypass(ends: Ends) -> None:
    """Routes past the tunnel: the rest of the load goes over the wire as it is."""
    for end, far in ((ends.client, ends.server), (ends.server, ends.client)):
        inside, wire = ends.address(far, "TUNNEL_ADDRESS"), ends.address(end, "PEER")
        ends.at(end, "ip", "route", "replace", f"{inside}/32", "via", wire, "dev", "eth0")


def outside(ends: Ends) -> None:
    """A part of the load goes over the wire as it is, and the tunnel stays as it was."""
    ends.at(ends.client, "bash", "-c", 'head -c 1000000 /dev/urandom | nc -N "$PEER" 5202')


def no_udp(ends: Ends) -> None:
    """UDP is refused from now on, as by a firewall."""
    ends.at(ends.client, "ip", "rule", "add", "pref", "1", "ipproto", "17", "prohibit")


def no_udp_for_a_moment(ends: Ends) -> None:
    """The same, taken back once something else carries the load."""
    no_udp(ends)
    ends.wait_until_sent("eth0", FLOWING)
    ends.at(ends.client, "ip", "rule", "delete", "pref", "1")


def comes_back(ends: Ends) -> None:
    """The tunnel dies, and comes back as it was."""
    suite = next(row for row in CATALOG.suites.values() if row.native.get(ends.vpn.file.dialect) == _suite(ends))
    ends.start_anew(suite)


def another_suite(ends: Ends) -> None:
    """The tunnel dies, and comes back with another suite."""
    dialect, own = ends.vpn.file.dialect, _suite(ends)
    others = [row for row in CATALOG.suites.values() if row.quick and row.native.get(dialect) not in (None, own)]
    ends.start_anew(others[0])


def _suite(ends: Ends) -> str:
    return ends.address(ends.client, "SUITE")


NEW = (comes_back, another_suite)
"""What makes a tunnel a new one."""
ANY = (bypass, outside, *NEW)
"""What breaks every data path."""
FALLING_BACK = (no_udp, no_udp_for_a_moment)
"""What makes a VPN that can send by TCP as well do so."""


def cases(
    vpn: Vpn, variants: Sequence[str], kinds: Sequence[Break] = ANY, *, falls_back: Sequence[str] = ()
) -> list[tuple[Vpn, str, Break]]:
    """Each kind of fault for the first of `variants`; for the others not where a load stalls, which is waited for."""
    found: list[tuple[Vpn, str, Break]] = []
    for number, variant in enumerate(variants):
        faults = [each for each in kinds if number == 0 or each is not bypass]
        faults += FALLING_BACK if variant in falls_back else ()
        spoken = [row for row in CATALOG.suites.values() if row.quick and not vpn.why_not(variant, row)]
        found += [(vpn, variant, each) for each in faults if each is not another_suite or len(spoken) > 1]
    return found
