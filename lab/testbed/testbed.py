# SPDX-License-Identifier: MIT
"""One lab on an engine: its wire, volumes, secrets and meter. All carry its name in a label, and go with it."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.models.networks import Network
from docker.models.volumes import Volume
from docker.types import IPAMConfig, IPAMPool
from requests.exceptions import RequestException

from lab.core.errors import LabError
from lab.core.signals import undisturbed
from lab.engines import ownership, routes
from lab.engines.engine import LOST, Engine, archive, because
from lab.engines.ownership import NAME, ROLE, State, called
from lab.testbed import credentials, topology

RANGE = ipaddress.IPv4Network("198.18.0.0/16")
"""Half of the range reserved for benchmarking (RFC 2544): the wires. Tunnels live in the other half, 198.19.0.0/16."""
GOING = 30
"""Seconds that a container may take to go which another is removing."""

ENDED = ("created", "exited", "dead", "removing")
"""What the engine says of a container that does not run."""

Thing = Container | Network | Volume
T = TypeVar("T", Container, Network, Volume)


@dataclass
class Testbed:
    """A lab that is up. `variables` are values for the Compose file; `pool` runs engine calls side by side."""

    engine: Engine
    name: str
    compose: topology.Compose
    variables: dict[str, str]
    network: Network
    labels: dict[str, str]
    pool: ThreadPoolExecutor
    payloads: set[int] = field(default_factory=set)

    def start(self, role: str, plan: topology.Topology, service: topology.Service | None = None) -> Container:
        """Create and start the container of a service of `plan`, as `service` where that says less.

        Raises:
            LabError: the image is missing, the name is taken, or the engine refuses; says which.
        """
        service = service or plan.services[role]
        options = service.options() | {"name": called(self.name, role), "labels": {**self.labels, ROLE: role}}
        options["volumes"] = [self._mount(entry, plan) for entry in service.volumes]
        if service.network_mode and service.network_mode.startswith("service:"):
            options["network_mode"] = f"container:{called(self.name, service.network_mode.removeprefix('service:'))}"
            del options["hostname"]
        elif service.networks:
            ((_, place),) = service.networks.items()
            name = str(self.network.name)
            options["network"] = name
            options["networking_config"] = {
                name: self.engine.client.api.create_endpoint_config(ipv4_address=place.ipv4_address)
            }
        else:
            options["network_mode"] = service.network_mode
        try:
            container = self.engine.client.containers.create(**options)
            try:
                container.start()
            except BaseException:  # its name would be taken for the next
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
        """The path, in a load's container, of a file of `size` random bytes; made when it is first asked for."""
        if size not in self.payloads:
            volume = {called(self.name, "payload"): {"bind": "/payload", "mode": "rw"}}
            script = 'head -c "$1" /dev/urandom >"/payload/$1"'
            made = self.engine.once(
                "lab/base:latest", ["sh", "-c", script, "sh", str(size)], timeout=120, volumes=volume
            )
            if made.status:
                raise LabError(f"no file of {size} bytes could be made: {made.complaint}")
            self.payloads.add(size)
        return f"/payload/{size}"

    def remove(self, containers: Mapping[str, Container]) -> None:
        """Kill and remove containers, whatever state they are in."""
        list(self.pool.map(_remove, containers.values()))


@contextmanager
def opened(engine: Engine, name: str, *, keep: bool = False) -> Iterator[Testbed]:
    """Bring the wire and the secrets of a lab up; take everything that carries its labels down afterwards.

    With `keep`, what is up stays up unless bringing it up failed.

    Raises:
        LabError: it cannot be brought up, or not all of it be taken down.
    """
    labels = ownership.labels(name, held=not keep)
    compose = topology.load()
    network = None
    with ThreadPoolExecutor(max_workers=4) as pool:
        try:
            with undisturbed():
                network, variables = _wire(engine, name, labels)
            bed = Testbed(engine, name, compose, variables, network, labels, pool)
            _fill_volumes(bed)
            yield bed
        except BaseException:
            pool.shutdown(cancel_futures=True)  # what a thread was still making is there now, for the sweep to find
            if network is not None:  # whoever has the network has all that carries this name
                # What went wrong matters more than what stays; `lab doctor` and `lab status` tell of that.
                with undisturbed(), suppress(LabError, *LOST):
                    sweep(engine, name)
            raise
        if not keep:
            pool.shutdown()
            with undisturbed():
                sweep(engine, name)


def _wire(engine: Engine, name: str, labels: Mapping[str, str]) -> tuple[Network, dict[str, str]]:
    """A network on the first free /24, looking from a random place so that labs started together do not race.

    Of this machine's engine it is free where no route of the machine leads to it: the wire's would be preferred.
    """
    subnets = list(RANGE.subnets(new_prefix=24))
    start = secrets.randbelow(len(subnets))
    held = routes.held() if engine.here else {}
    wire = called(name, "wire")
    refusal = ""
    for subnet in subnets[start:] + subnets[:start]:
        if by := next((f"{net} is {by}'s" for net, by in held.items() if net.overlaps(subnet)), ""):
            refusal = refusal or by
            continue
        pool = IPAMConfig(pool_configs=[IPAMPool(subnet=str(subnet))])
        try:
            network = engine.client.networks.create(
                wire, driver="bridge", internal=True, check_duplicate=True, labels=dict(labels), ipam=pool
            )
        except APIError as error:
            refusal = because(error)
            if "overlap" in refusal.lower():
                continue
            hint = ""
            if "already exists" in refusal:
                ours = f"`lab down --name {name}` removes it"
                hint = ours if name in labs(engine) else "it is not the lab's: choose another name"
            raise LabError(f"the wire of lab {name!r} could not be made: {refusal}", hint) from error
        addresses = {"LAB_SUBNET": subnet, "LAB_SERVER": subnet[2], "LAB_CLIENT": subnet[3]}
        return network, {key: str(value) for key, value in addresses.items()}
    hint = "`lab down --all` removes forgotten labs; `ip -4 route show table all` shows what else is there"
    raise LabError(f"no free /24 is left in {RANGE}: {refusal}", hint)


def _fill_volumes(bed: Testbed) -> None:
    """Make the volumes, and put each end's secrets into its own.

    Raises:
        LabError: one of that name is there: the engine would give it to us, with what somebody else has in it.
    """
    for volume in bed.compose.resolve(bed.variables).volumes:
        made = bed.engine.client.volumes.create(called(bed.name, volume), labels=bed.labels)
        if made.attrs["Labels"] != bed.labels:
            raise LabError(f"a volume {made.name} is there and not this lab's", "choose another --name, or remove it")
    volumes = {end: called(bed.name, f"{end}-credentials") for end in credentials.ENDS}
    put_credentials(bed.engine, volumes, bed.labels)


def renew_credentials(engine: Engine, project: str) -> list[str]:
    """Put new secrets into the volumes that Compose made for a project; returns their names.

    Raises:
        LabError: there is no such volume, or it is not Compose's for that.
    """
    volumes = {end: f"{project}_{end}-credentials" for end in credentials.ENDS}
    for end, volume in volumes.items():
        try:
            written = engine.client.volumes.get(volume).attrs["Labels"] or {}
        except NotFound as error:
            raise LabError(f"there is no volume {volume}", "`docker compose up --detach` makes it") from error
        told = {"com.docker.compose.project": project, "com.docker.compose.volume": f"{end}-credentials"}
        if not told.items() <= written.items():
            raise LabError(
                f"the volume {volume} was not made by Compose for the project {project!r}",
                "nothing was written to it; `docker compose up --detach` makes volumes of its own",
            )
    put_credentials(engine, volumes, ownership.labels("credentials"))
    return list(volumes.values())


def put_credentials(engine: Engine, volumes: Mapping[str, str], labels: dict[str, str]) -> None:
    """Make new secrets and put each end's into its volume; `volumes` names them by end."""
    secret = credentials.make()
    carrier = engine.client.containers
    mounts = [f"{volumes[end]}:/{end}" for end in secret]
    name = called(labels[NAME], f"carrier-{secrets.token_hex(4)}")
    try:
        container = carrier.create(
            "lab/base:latest", "true", name=name, volumes=mounts, labels=labels, network_mode="none"
        )
    except ImageNotFound as error:
        raise LabError("image lab/base:latest is missing", "`lab build` makes it") from error
    try:
        for end, files in secret.items():
            container.put_archive(f"/{end}", archive(files))
    finally:
        container.remove(force=True)


def _remove(thing: Thing) -> None:
    """Remove a thing, whoever else is removing it too."""
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


def found(engine: Engine, name: str | None = None, *, role: str | None = None) -> list[Container]:
    """The containers of the lab `name`, of all labs where it is None."""
    there = engine.client.containers.list(all=True, filters={"label": _labels(name, role)}, ignore_removed=True)
    return list(_owned(there))


def _labels(name: str | None, role: str | None = None) -> list[str]:
    return [NAME if name is None else f"{NAME}={name}", *([f"{ROLE}={role}"] if role else [])]


def things(engine: Engine, name: str | None = None) -> list[Thing]:
    """All that belongs to the lab `name`, to all labs where it is None, in the order in which it can be removed.

    The secrets come before the wire, which a container that is not the lab's may hold.
    """
    label: dict[str, Any] = {"label": _labels(name)}
    volumes, networks = engine.client.volumes.list(filters=label), engine.client.networks.list(filters=label)
    return [*found(engine, name), *_owned(volumes), *_owned(networks)]


def _mark(thing: Thing) -> ownership.Mark | None:
    written = thing.labels if isinstance(thing, Container) else thing.attrs["Labels"]
    return ownership.mark(written, str(thing.name))


def _owned(there: Iterable[T]) -> Iterator[T]:
    return (each for each in there if _mark(each))


def sweep(engine: Engine, name: str) -> int:
    """Remove every container, network and volume of the lab `name`; returns how many there were.

    Raises:
        LabError: some could not be removed, and the rest is gone; says which, why, and what to do.
    """
    there = things(engine, name)
    containers = [each for each in there if isinstance(each, Container)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        left = [*pool.map(partial(_left, engine), containers)]
    left += [_left(engine, each) for each in there if not isinstance(each, Container)]
    if stuck := [reason for reason in left if reason]:
        count = f"{len(stuck)} of {len(there)} containers, networks and volumes"
        raise LabError(
            f"lab {name!r}: {count} could not be removed:\n" + "\n".join(f"  {reason}" for reason in stuck),
            f"remove what holds them, or `docker network disconnect` it; then `lab down --name {name}` again",
        )
    return len(there)


def _left(engine: Engine, thing: Thing) -> str:
    """Remove a thing; why it is still there, empty where it is gone."""
    try:
        _remove(thing)
    except (APIError, RequestException) as error:
        why = because(error) if isinstance(error, APIError) else str(error)
        holders = ", ".join(_holders(engine, thing))
        return f"{type(thing).__name__.lower()} {thing.name}: {f'held by container {holders}' if holders else why}"
    return ""


def _holders(engine: Engine, thing: Thing) -> list[str]:
    """The containers that keep a network or volume from going."""
    if isinstance(thing, Container):
        return []
    which: dict[str, Any] = {"network" if isinstance(thing, Network) else "volume": thing.name}
    return [str(each.name) for each in engine.client.containers.list(all=True, filters=which, ignore_removed=True)]


def labs(engine: Engine) -> dict[str, State]:
    """Every lab that has anything on the engine."""
    return {mark.lab: mark.state for mark in map(_mark, things(engine)) if mark}


def standing(engine: Engine) -> dict[str, str]:
    """Every lab that has anything on the engine: whose it is, and what of a person's has ended."""
    containers = found(engine)
    said = {}
    for name, state in labs(engine).items():
        own = {each.labels.get(ROLE, str(each.name)): each.status for each in containers if each.labels[NAME] == name}
        ended = sorted(role for role, status in own.items() if status in ENDED)
        said[name] = str(state)
        if state is State.UP and len(ended) == len(own):
            said[name] = f"ended: {', '.join(ended) or 'no container is left'}"
        elif state is State.UP and ended:
            said[name] = f"up, but for what has ended: {', '.join(ended)}"
    return said


def sweep_forgotten(engine: Engine) -> list[str]:
    """Remove what labs left behind whose `lab` was killed outright; returns their names."""
    forgotten = [name for name, state in labs(engine).items() if state is State.FORGOTTEN]
    for name in forgotten:
        with suppress(DockerException, LabError):
            sweep(engine, name)
    return forgotten
