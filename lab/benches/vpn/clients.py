# SPDX-License-Identifier: MIT
"""The clients of one server, as many as there are: a network each on the same wire, inside the client's container.

The first has the container's own network. Every other has one that a process without any capability holds: a container
each would take a second and 10 MB of the engine's own. Inside, a client sees its own network, credentials and files
(images/base/as-client), so the programs of a VPN need not know that they are one of many.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from docker.models.containers import Container

from lab.benches.vpn.took import Took
from lab.core.command import Result
from lab.core.errors import LabError
from lab.testbed.meter import Meter
from lab.testbed.testbed import Testbed

AT_ONCE = 4
"""Clients that come up at a time. More would compete with their own `up`, which asks every 10 ms whether it is done."""
PORT = 5300
"""The port of the first client's server of streams."""
PREFIX = "16"
"""Of the tunnels' addresses: all of 198.19.0.0/16."""
PLUG = """
set -euo pipefail
bridge=$1
shift
for holder; do
    echo "link add name lab$holder master $bridge up type veth peer name eth0 netns $holder"
done | ip -batch -
"""
"""At the machine: a pair for each process, with one end on the bridge and the other in its network."""
NO_ANSWER = Result(1, "", "nothing was answered")
ANSWER = re.compile(r"^client (\d+) (\d+)$", re.MULTILINE)


def name(number: int) -> str:
    """The name of a client, by its number from 1."""
    return "client" if number == 1 else f"client-{number}"


@dataclass(frozen=True)
class Clients:
    """`count` clients. `holders` are the processes that hold the networks of all but the first, in their container.

    `numbers` are their numbers on the machine, by which the meter knows them.
    """

    bed: Testbed
    container: Container
    count: int
    holders: Sequence[str]
    numbers: Sequence[str]

    def up(self, argv: Sequence[str], limit: float) -> Result:
        """Bring all up by a command. Each may take `limit` seconds; AT_ONCE do at a time."""
        command = ["clients-up", str(AT_ONCE), *argv]
        return self.bed.engine.execute(self.container, command, timeout=self.limit(limit))

    def limit(self, each: float) -> float:
        """Seconds that all may take to come up, if each may take so many."""
        return each * (1 + self.count / AT_ONCE)

    def snapshot(self, meter: Meter, ends: Mapping[str, Container]) -> dict[str, Any]:
        """The meter's counters of some containers, by their names here, now."""
        roles = {str(container.id): end for end, container in ends.items()}
        reading: dict[str, Any] = meter.ask("snapshot", *roles)
        return reading | {"ends": {roles[container]: counters for container, counters in reading["ends"].items()}}

    def ask(self, container: Container, loaded: Sequence[int], argv: Sequence[str]) -> dict[int, Result]:
        """What a command that only reads prints at an endpoint, for each of some clients."""
        command = ["each", *map(str, loaded), "--", *argv]
        found = answers(self.bed.engine.ask(container, command, timeout=30 * len(loaded)).stdout)
        return {number: found.get(number, NO_ANSWER) for number in loaded}

    def streaming(self, server_load: Container, loaded: Sequence[int], options: Sequence[str]) -> list[str]:
        """The command beside the clients that runs iperf3 with these options for each of some of them, at once.

        The servers of these streams are started first, one for each.

        Raises:
            LabError: they do not listen; with what they said.
        """
        served = self.bed.engine.execute(server_load, ["serve-streams", str(PORT), str(len(loaded))])
        if served.status:
            raise LabError(f"there are no {len(loaded)} servers of streams: {served.complaint}")
        return ["streams", str(PORT), *map(self._network, loaded), "--", *options]

    def _network(self, number: int) -> str:
        """The file of a client's network, for whoever shares the client's process namespace."""
        return f"/proc/{'self' if number == 1 else self.holders[number - 2]}/ns/net"

    def roles(self, loaded: Sequence[int]) -> dict[str, str]:
        """The names of those clients but the first, by the numbers that the meter knows them by."""
        return {self.numbers[number - 2]: name(number) for number in loaded if number > 1}


def plugged(bed: Testbed, meter: Meter, container: Container, count: int) -> Clients:
    """Make a network on the wire for every client. They end with the container.

    Raises:
        LabError: the machine's kernel does not do it; with what it said.
    """
    made = bed.engine.execute(container, ["networks"], timeout=30 + 0.1 * count)
    if made.status:
        raise LabError(f"no network for each of {count} clients could be made: {made.complaint}")
    files = [f"/run/clients/{number}.holder" for number in range(2, count + 1)]
    holders = bed.engine.ask(container, ["cat", *files]).stdout.split() if files else []
    numbers = meter.ask("numbers", str(container.id))
    clients = Clients(bed, container, count, holders, [numbers[holder] for holder in holders])
    if holders:
        _plug(bed, clients.numbers)
    return clients


def _plug(bed: Testbed, numbers: Sequence[str]) -> None:
    bridge = f"br-{str(bed.network.id)[:12]}"  # as the engine's driver calls it
    argv = ["bash", "-c", PLUG, "plug", bridge, *numbers]
    host = {"network_mode": "host", "pid_mode": "host", "cap_add": ["NET_ADMIN"]}
    result = bed.engine.once("lab/base:latest", argv, timeout=30 + 0.1 * len(numbers), **host)
    if result.status:
        raise LabError(f"the clients could not be put on the wire: {result.complaint}")


def address(first: str, number: int) -> str:
    """The address of a client, by that of the first one: on the wire or in the tunnel."""
    return str(ip_address(first) + number - 1)


def took(result: Result) -> list[Took]:
    """What each client took to come up, as `clients-up` printed it after its number."""
    return [Took.read(line.partition(" ")[2]) for line in result.stdout.splitlines()]


def answers(text: str) -> dict[int, Result]:
    """What `each` printed, by client."""
    parts = ANSWER.split(text)
    rows = zip(parts[::3], parts[1::3], parts[2::3], strict=False)
    return {int(number): Result(int(status), text.strip("\n"), "") for text, number, status in rows}


def views(load: Mapping[str, Any], loaded: Sequence[int]) -> dict[str, dict[str, Any]]:
    """A load through several tunnels as it was for each client: as if the server had had it alone.

    The counters of the server's interface are those of all tunnels.
    """
    return {name(number): _view(load, [number]) for number in loaded}


def together(load: Mapping[str, Any], loaded: Sequence[int]) -> dict[str, Any]:
    """A load through several tunnels as that of one client, who has the sum of their counters."""
    return _view(load, loaded)


def _view(load: Mapping[str, Any], numbers: Sequence[int]) -> dict[str, Any]:
    names = [name(number) for number in numbers]
    snapshots = {}
    for when in ("before", "after"):
        ends = load[when]["ends"]
        own = _summed([ends[client]["interfaces"] for client in names])
        snapshots[when] = {"ends": {"server": ends["server"], "client": {"interfaces": own}}}
    wire = {"server": load["wire"]["server"], "client": _added([load["wire"][client] for client in names])}
    counters = {
        when: {
            "server": _added([each[at_server(client)] for client in names]),
            "client": _added([each[client] for client in names]),
        }
        if each
        else {}
        for when, each in load["counters"].items()
    }
    return {**load, **snapshots, "wire": wire, "counters": counters}


def at_server(client: str) -> str:
    """What the server's own account of a client is called."""
    return "server" if client == "client" else f"server of {client}"


def _summed(tables: Sequence[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    return {
        interface: _added([table[interface] for table in tables if interface in table])
        for interface in dict.fromkeys(key for table in tables for key in table)
    }


def _added(rows: Sequence[Mapping[str, int]]) -> dict[str, int]:
    return {key: sum(row[key] for row in rows) for key in rows[0]}
