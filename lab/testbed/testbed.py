# SPDX-License-Identifier: MIT
"""One lab on an engine: wire, volumes, secrets and meter. All have its name in a label, and are removed with it.

A lab whose ends are on two machines has all of that on both, with the secrets of the end that is there. Its wire is the
cable between the machines: each end has an interface of its own on its machine's (macvlan).
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from http import HTTPStatus
from typing import Any, Literal, TypeVar

from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.models.networks import Network
from docker.models.volumes import Volume
from docker.types import IPAMConfig, IPAMPool
from requests.exceptions import RequestException

from lab.core.errors import LabError
from lab.core.signals import undisturbed
from lab.engines import ownership, routes
from lab.engines.engine import LOST, Engine, because
from lab.engines.ownership import NAME, ROLE, State, called
from lab.testbed import topology, volumes
from lab.testbed.profile import Profile

RANGE = ipaddress.IPv4Network("198.18.0.0/16")
"""The wires: half of the range for benchmarking (RFC 2544). Tunnels use the other half, 198.19.0.0/16."""
RANGE_IPV6 = ipaddress.IPv6Network("2001:2::/48")
"""The same of IPv6 (RFC 5180). A wire has the part of it with the number of its IPv4 addresses."""
OTHERS = 4
"""Addresses of a wire that are no client's: of the network, the machine, the server, and for broadcasts."""
ONLY_ON_THE_WIRE = {"net.ipv6.conf.default.disable_ipv6": "1"}
"""An interface that is made has no IPv6, unless the service says so: it would announce itself. On the wire the engine
enables it."""
GOING = 30
"""Seconds to wait for a container that another process is removing."""

SERVER = "server"
"""How the roles of the server's machine begin, where the ends are on two."""
ENDED = ("created", "exited", "dead", "removing")
"""The engine's states of a container that does not run."""

Thing = Container | Network | Volume
T = TypeVar("T", Container, Network, Volume)


@dataclass
class Testbed:
    """A lab that is up, for so many `clients` at most.

    `variables` are values for the Compose file; `pool` runs engine calls side by side. `far` is the server's part,
    where that is on another machine, and this one the client's.
    """

    engine: Engine
    name: str
    compose: topology.Compose
    variables: dict[str, str]
    network: Network
    labels: dict[str, str]
    pool: ThreadPoolExecutor
    clients: int = 1
    ipv6: bool = False
    payloads: set[int] = field(default_factory=set)
    far: Testbed | None = None

    @cached_property
    def profile(self) -> Profile:
        """Exact profiles of what the containers do; raises what `Profile` raises."""
        return Profile(self.engine)

    def on_wire(self, end: str, ip: Literal[4, 6]) -> str:
        """The address of `server` or `client` on the wire, of that version of IP."""
        address = ipaddress.IPv4Address(self.variables[f"LAB_{end.upper()}"])
        return str(address if ip == 4 else in_ipv6(address))

    def at(self, role: str) -> Testbed:
        """The part of this lab with the container of a service."""
        return self.far if self.far and role.startswith(SERVER) else self

    def start(self, role: str, plan: topology.Topology, service: topology.Service | None = None) -> Container:
        """Create and start the container of a service of `plan`. `service`, if given, replaces the plan's.

        Raises:
            LabError: the image is missing, the name is taken, or the engine refuses; says which.
        """
        return self.at(role)._start(role, plan, service or plan.services[role])

    def _start(self, role: str, plan: topology.Topology, service: topology.Service) -> Container:
        options = service.options() | {"name": called(self.name, role), "labels": {**self.labels, ROLE: role}}
        options["volumes"] = [self._mount(entry, plan) for entry in service.volumes]
        if service.pid and service.pid.startswith("service:"):
            options["pid_mode"] = f"container:{called(self.name, service.pid.removeprefix('service:'))}"
        if service.network_mode and service.network_mode.startswith("service:"):
            options["network_mode"] = f"container:{called(self.name, service.network_mode.removeprefix('service:'))}"
            del options["hostname"]
        elif service.networks:
            ((_, place),) = service.networks.items()
            name = str(self.network.name)
            options["network"] = name
            addresses: dict[str, Any] = {"ipv4_address": place.ipv4_address}
            if self.ipv6:
                addresses["ipv6_address"] = str(in_ipv6(ipaddress.IPv4Address(place.ipv4_address)))
                options["sysctls"] = {**ONLY_ON_THE_WIRE, **options["sysctls"]}
            options["networking_config"] = {name: self.engine.client.api.create_endpoint_config(**addresses)}
        else:
            options["network_mode"] = service.network_mode
        try:
            container = self.engine.client.containers.create(**options)
            try:
                container.start()
            except BaseException:  # the next one needs its name
                container.remove(force=True, v=True)
                raise
        except ImageNotFound as error:
            raise LabError(f"image {service.image} is missing", "`lab build` makes it") from error
        except APIError as error:
            raise LabError(f"{role}: the engine refused to start it: {because(error)}") from error
        return container

    def _mount(self, entry: str, plan: topology.Topology) -> str:
        source, _, target = entry.partition(":")
        return f"{called(self.name, source)}:{target}" if source in plan.volumes else entry

    def payload(self, size: int) -> str:
        """The path, in a load's container, of a file of `size` random bytes. The first call makes it."""
        if size not in self.payloads:
            volume = {called(self.name, "payload"): {"bind": "/payload", "mode": "rw"}}
            script = 'head -c "$1" /dev/urandom >"/payload/$1"'
            result = self.engine.once(
                "lab/base:latest", ["sh", "-c", script, "sh", str(size)], timeout=120, volumes=volume
            )
            if result.status:
                raise LabError(f"no file of {size} bytes could be made: {result.complaint}")
            self.payloads.add(size)
        return f"/payload/{size}"

    def remove(self, containers: Mapping[str, Container]) -> None:
        """Kill and remove containers, whatever their state."""
        list(self.pool.map(_remove, containers.values()))


@contextmanager
def opened(engine: Engine, name: str, *, keep: bool = False, clients: int = 1, ipv6: bool = False) -> Iterator[Testbed]:
    """Create the wire and the secrets of a lab, for so many clients; afterwards remove everything with its labels.

    It is on the engine, and its `far` one if it has one. With `ipv6` its wire has addresses of both versions. With
    `keep`, the lab stays up unless the block failed.

    Raises:
        LabError: the lab cannot be created, or not all of it can be removed.
    """
    labels = ownership.labels(name, held=not keep)
    compose = topology.load()
    networks: list[Network] = []
    with ThreadPoolExecutor(max_workers=4) as pool:
        try:
            with undisturbed():
                networks, variables = _wire(engine, name, labels, clients, ipv6=ipv6)
            parts = [
                Testbed(each, name, compose, variables, network, labels, pool, clients, ipv6)
                for each, network in zip(engine.every, networks, strict=True)
            ]
            bed, bed.far = parts[0], parts[1] if engine.far else None
            volumes.fill(parts, clients)
            yield bed
        except BaseException:
            pool.shutdown(cancel_futures=True)  # the threads have ended, so the sweep finds all that they made
            for each in engine.every if networks else ():  # the networks are ours, so all things of this name are
                # The first error matters more than leftovers; `lab doctor` and `lab status` show those.
                with undisturbed(), suppress(LabError, *LOST):
                    sweep(each, name)
            raise
        if not keep:
            pool.shutdown()
            with undisturbed():
                for each in engine.every:
                    sweep(each, name)


def removing(engine: Engine, name: str) -> str:
    """The command that removes a lab, to be shown."""
    if engine.interface:
        return f"`lab down --name {name}`, on that machine,"
    elsewhere = "" if engine.name == "host" else f" --engine {engine.name}"
    return f"`lab down{elsewhere} --name {name}`"


def prefix_for(clients: int) -> int:
    """The length of the prefix of a wire for so many clients: 24 bits, or fewer where they need more addresses."""
    return min(24, 32 - (clients + OTHERS - 1).bit_length())


def in_ipv6(address: ipaddress.IPv4Address) -> ipaddress.IPv6Address:
    """The IPv6 address of whoever has an IPv4 address on a wire: 198.18.7.2 as 2001:2:0:7::2."""
    third, fourth = address.packed[2:]
    return RANGE_IPV6.network_address + (third << 64) + fourth


def _wire(
    engine: Engine, name: str, labels: Mapping[str, str], clients: int, *, ipv6: bool
) -> tuple[list[Network], dict[str, str]]:
    """Create a network on the first free subnet. The search starts at random: labs started together do not race.

    It is a /24, or large enough for more clients: the first has its fourth address, the others those that follow. On a
    cable each machine has a network of the same subnet.

    On this machine's engine, a subnet is free if no route of the machine leads there: the wire's route would win.
    """
    prefix = prefix_for(clients)
    subnets = list(RANGE.subnets(new_prefix=prefix))
    start = secrets.randbelow(len(subnets))
    held_networks = routes.held() if any(each.here for each in engine.every) else {}
    refusal = ""
    for subnet in subnets[start:] + subnets[:start]:
        if conflict := next(
            (f"{net} is {device}'s" for net, device in held_networks.items() if net.overlaps(subnet)), ""
        ):
            refusal = refusal or conflict
            continue
        networks: list[Network] = []
        try:
            for each in engine.every:
                networks.append(_network(each, name, labels, subnet, ipv6=ipv6))  # noqa: PERF401 -- those made are known after an error
        except (_Taken, LabError) as error:
            for network in networks:
                network.remove()
            if isinstance(error, LabError):
                raise
            refusal = str(error)
            continue
        addresses = {"LAB_SUBNET": subnet, "LAB_SERVER": subnet[2], "LAB_CLIENT": subnet[3]}
        return networks, {key: str(value) for key, value in addresses.items()}
    hint = "`lab down --all` removes forgotten labs; `ip -4 route show table all` shows what else is there"
    raise LabError(f"no free /{prefix} is left in {RANGE}: {refusal}", hint)


class _Taken(Exception):
    """A network of the engine has addresses of this subnet."""


def _network(
    engine: Engine, name: str, labels: Mapping[str, str], subnet: ipaddress.IPv4Network, *, ipv6: bool
) -> Network:
    """One machine's network, which leads nowhere else: a bridge for both ends, or a place on the cable."""
    pools = [str(subnet), *([f"{in_ipv6(subnet[0])}/64"] if ipv6 else [])]
    pool = IPAMConfig(pool_configs=[IPAMPool(subnet=each) for each in pools])
    kind: dict[str, Any] = {"driver": "bridge"}
    if engine.interface:
        kind = {"driver": "macvlan", "options": {"parent": engine.interface}}
    try:
        return engine.client.networks.create(
            called(name, "wire"),
            internal=True,
            check_duplicate=True,
            labels=dict(labels),
            ipam=pool,
            enable_ipv6=ipv6,
            **kind,
        )
    except APIError as error:
        refusal = because(error)
        if "overlap" in refusal.lower():
            raise _Taken(refusal) from error
        hint = ""
        if "already exists" in refusal:
            own_hint = f"{removing(engine, name)} removes it"
            hint = own_hint if name in labs(engine) else "it is not the lab's: choose another name"
        elif "parent interface" in refusal:
            hint = "one network at a time has an interface: `docker network ls`, on that machine, shows whose it is"
        raise LabError(f"the wire of lab {name!r} could not be made: {refusal}", hint) from error


def _remove(thing: Thing) -> None:
    """Remove a thing, even if another process is removing it too."""
    with suppress(NotFound):
        if not isinstance(thing, Container):
            thing.remove()
            return
        try:
            thing.remove(force=True, v=True)
        except APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:
                raise
            thing.wait(condition="removed", timeout=GOING)


def containers_of(engine: Engine, name: str | None = None, *, role: str | None = None) -> list[Container]:
    """The containers of the lab `name`; of all labs if it is None."""
    containers = engine.client.containers.list(all=True, filters={"label": _labels(name, role)}, ignore_removed=True)
    return list(_owned(containers))


def _labels(name: str | None, role: str | None = None) -> list[str]:
    return [NAME if name is None else f"{NAME}={name}", *([f"{ROLE}={role}"] if role else [])]


def things(engine: Engine, name: str | None = None) -> list[Thing]:
    """All things of the lab `name` (None: of all labs), in an order in which they can be removed.

    The secrets come before the wire, since a foreign container may hold the wire.
    """
    label: dict[str, Any] = {"label": _labels(name)}
    volumes, networks = engine.client.volumes.list(filters=label), engine.client.networks.list(filters=label)
    return [*containers_of(engine, name), *_owned(volumes), *_owned(networks)]


def _mark(thing: Thing) -> ownership.Mark | None:
    labels = thing.labels if isinstance(thing, Container) else thing.attrs["Labels"]
    return ownership.mark(labels, str(thing.name))


def _owned(candidates: Iterable[T]) -> Iterator[T]:
    return (thing for thing in candidates if _mark(thing))


def sweep(engine: Engine, name: str) -> int:
    """Remove every container, network and volume of the lab `name`. Returns their number.

    Raises:
        LabError: some could not be removed, but the rest is gone; says which, why, and what to do.
    """
    lab_things = things(engine, name)
    containers = [thing for thing in lab_things if isinstance(thing, Container)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        reasons = [*pool.map(partial(_left, engine), containers)]
    reasons += [_left(engine, thing) for thing in lab_things if not isinstance(thing, Container)]
    if failures := [reason for reason in reasons if reason]:
        count = f"{len(failures)} of {len(lab_things)} containers, networks and volumes"
        raise LabError(
            f"lab {name!r}: {count} could not be removed:\n" + "\n".join(f"  {reason}" for reason in failures),
            f"remove what holds them, or `docker network disconnect` it; then `lab down --name {name}` again",
        )
    return len(lab_things)


def _left(engine: Engine, thing: Thing) -> str:
    """Remove a thing. Returns why it is still there; empty if it is gone."""
    try:
        _remove(thing)
    except (APIError, RequestException) as error:
        cause = because(error) if isinstance(error, APIError) else str(error)
        holders = ", ".join(_holders(engine, thing))
        return f"{type(thing).__name__.lower()} {thing.name}: {f'held by container {holders}' if holders else cause}"
    return ""


def _holders(engine: Engine, thing: Thing) -> list[str]:
    """The containers that use a network or volume."""
    if isinstance(thing, Container):
        return []
    filters: dict[str, Any] = {"network" if isinstance(thing, Network) else "volume": thing.name}
    return [
        str(container.name)
        for container in engine.client.containers.list(all=True, filters=filters, ignore_removed=True)
    ]


def labs(engine: Engine) -> dict[str, State]:
    """Every lab that has anything on the engine."""
    return {mark.lab: mark.state for mark in map(_mark, things(engine)) if mark}


def standing(engine: Engine) -> dict[str, str]:
    """Every lab that has anything on the engine: its state, and the ended containers of a person's lab."""
    containers = containers_of(engine)
    descriptions = {}
    for name, state in labs(engine).items():
        statuses = {
            container.labels.get(ROLE, str(container.name)): container.status
            for container in containers
            if container.labels[NAME] == name
        }
        ended = sorted(role for role, status in statuses.items() if status in ENDED)
        descriptions[name] = str(state)
        if state is State.UP and len(ended) == len(statuses):
            descriptions[name] = f"ended: {', '.join(ended) or 'no container is left'}"
        elif state is State.UP and ended:
            descriptions[name] = f"up, but for what has ended: {', '.join(ended)}"
    return descriptions


def sweep_forgotten(engine: Engine) -> list[str]:
    """Remove the labs whose `lab` process was killed. Returns their names."""
    forgotten = [name for name, state in labs(engine).items() if state is State.FORGOTTEN]
    for name in forgotten:
        with suppress(DockerException, LabError):
            sweep(engine, name)
    return forgotten
