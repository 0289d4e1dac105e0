"""One lab on an engine: its wire, volumes, secrets and meter. All carry its name in a label, and go with it."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool

from lab import credentials, owner, topology
from lab.engine import LOST, Engine, archive, because
from lab.errors import LabError
from lab.owner import LABEL, OWNER, State
from lab.signals import undisturbed

RANGE = ipaddress.IPv4Network("198.18.0.0/16")
"""Half of the range reserved for benchmarking (RFC 2544): the wires. Tunnels live in the other half, 198.19.0.0/16."""


@dataclass
class Testbed:
    """A lab that is up. `variables` fill the topology's gaps; `pool` runs engine calls side by side."""

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
        options = service.options() | {"name": f"lab-{self.name}-{role}", "labels": {**self.labels, "lab.role": role}}
        options["volumes"] = [self._mount(entry, plan) for entry in service.volumes]
        if service.network_mode and service.network_mode.startswith("service:"):
            options["network_mode"] = f"container:lab-{self.name}-{service.network_mode.removeprefix('service:')}"
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
                _remove(container)
                raise
        except ImageNotFound as error:
            raise LabError(f"image {service.image} is missing", "`lab build` makes it") from error
        except APIError as error:
            raise LabError(f"{role}: the engine refused to start it: {because(error)}") from error
        return container

    def _mount(self, entry: str, plan: topology.Topology) -> str:
        source, _, target = entry.partition(":")
        return f"{volume_name(self.name, source)}:{target}" if source in plan.volumes else entry

    def payload(self, size: int) -> str:
        """The path, in a load's container, of a file of `size` random bytes; made when it is first asked for."""
        if size not in self.payloads:
            volume = {volume_name(self.name, "payload"): {"bind": "/payload", "mode": "rw"}}
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


def volume_name(name: str, volume: str) -> str:
    """The engine's name for a volume of the lab `name`."""
    return f"lab-{name}-{volume}"


@contextmanager
def opened(engine: Engine, name: str, *, keep: bool = False) -> Iterator[Testbed]:
    """Bring the wire and the secrets of a lab up; take everything that carries its label down afterwards.

    With `keep`, what is up stays up unless bringing it up failed.
    """
    labels = owner.labels(name, held=not keep)
    compose = topology.load()
    network, failed = None, False
    with ThreadPoolExecutor(max_workers=4) as pool:
        try:
            with undisturbed():
                network, variables = _wire(engine, name, labels)
            bed = Testbed(engine, name, compose, variables, network, labels, pool)
            _fill_volumes(bed)
            yield bed
        except BaseException:
            keep, failed = False, True
            raise
        finally:
            pool.shutdown(cancel_futures=True)  # what a thread was still making is there now, for the sweep to find
            if network is not None and not keep:  # whoever has the network has all that carries this name
                with undisturbed(), suppress(*(LOST if failed else ())):  # what went wrong first is what is told
                    sweep(engine, name)


def _wire(engine: Engine, name: str, labels: Mapping[str, str]) -> tuple[Network, dict[str, str]]:
    """A network on the first free /24, looking from a random place so that labs started together do not race."""
    subnets = list(RANGE.subnets(new_prefix=24))
    start = secrets.randbelow(len(subnets))
    refusal = ""
    for subnet in subnets[start:] + subnets[:start]:
        pool = IPAMConfig(pool_configs=[IPAMPool(subnet=str(subnet))])
        try:
            network = engine.client.networks.create(
                f"lab-{name}-wire", driver="bridge", internal=True, check_duplicate=True, labels=dict(labels), ipam=pool
            )
        except APIError as error:
            refusal = because(error)
            if "overlap" in refusal.lower():
                continue
            hint = f"`lab down --name {name}` removes it" if "already exists" in refusal else ""
            raise LabError(f"the wire of lab {name!r} could not be made: {refusal}", hint) from error
        addresses = {"LAB_SUBNET": subnet, "LAB_SERVER": subnet[2], "LAB_CLIENT": subnet[3]}
        return network, {key: str(value) for key, value in addresses.items()}
    raise LabError(f"no free /24 is left in {RANGE}: {refusal}", "`lab down --all` removes forgotten labs")


def _fill_volumes(bed: Testbed) -> None:
    """Make the volumes, and put each end's secrets into its own."""
    for volume in bed.compose.resolve(bed.variables).volumes:
        bed.engine.client.volumes.create(volume_name(bed.name, volume), labels=bed.labels)
    volumes = {end: volume_name(bed.name, f"{end}-credentials") for end in credentials.ENDS}
    put_credentials(bed.engine, volumes, bed.labels)


def renew_credentials(engine: Engine, volumes: Mapping[str, str]) -> None:
    """Put new secrets into volumes that somebody else made.

    Raises:
        LabError: there is no such volume.
    """
    for volume in volumes.values():
        try:
            engine.client.volumes.get(volume)
        except NotFound as error:
            raise LabError(f"there is no volume {volume}", "`docker compose up --detach` makes it") from error
    put_credentials(engine, volumes, owner.labels("credentials"))


def put_credentials(engine: Engine, volumes: Mapping[str, str], labels: dict[str, str]) -> None:
    """Make new secrets and put each end's into its volume; `volumes` names them by end."""
    secret = credentials.make()
    carrier = engine.client.containers
    mounts = [f"{volumes[end]}:/{end}" for end in secret]
    try:
        container = carrier.create("lab/base:latest", "true", volumes=mounts, labels=labels, network_mode="none")
    except ImageNotFound as error:
        raise LabError("image lab/base:latest is missing", "`lab build` makes it") from error
    try:
        for end, files in secret.items():
            container.put_archive(f"/{end}", archive(files))
    finally:
        container.remove(force=True)


def _remove(container: Container) -> None:
    with suppress(NotFound):
        container.remove(force=True, v=True)


def found(engine: Engine, name: str | None = None, *, role: str | None = None) -> list[Container]:
    """The containers of the lab `name`, of all labs where it is None."""
    wanted = [LABEL if name is None else f"{LABEL}={name}"] + ([f"lab.role={role}"] if role else [])
    return list(engine.client.containers.list(all=True, filters={"label": wanted}, ignore_removed=True))


def sweep(engine: Engine, name: str) -> int:
    """Remove every container, network and volume of the lab `name`; returns how many there were."""
    label: dict[str, Any] = {"label": f"{LABEL}={name}"}
    containers = found(engine, name)
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(_remove, containers))
    networks = engine.client.networks.list(filters=label)
    volumes = engine.client.volumes.list(filters=label)
    for network in networks:
        with suppress(NotFound):
            network.remove()
    for volume in volumes:
        with suppress(NotFound):
            volume.remove()
    return len(containers) + len(networks) + len(volumes)


def labs(engine: Engine) -> dict[str, State]:
    """Every lab that has anything on the engine."""
    things: list[dict[str, str]] = [container.labels for container in found(engine)]
    things += [dict(network.attrs["Labels"]) for network in engine.client.networks.list(filters={"label": LABEL})]
    things += [dict(volume.attrs["Labels"]) for volume in engine.client.volumes.list(filters={"label": LABEL})]
    return {labels[LABEL]: owner.state(labels.get(OWNER)) for labels in things}


def sweep_forgotten(engine: Engine) -> list[str]:
    """Remove what labs left behind whose `lab` was killed outright; returns their names."""
    forgotten = [name for name, state in labs(engine).items() if state is State.FORGOTTEN]
    for name in forgotten:
        with suppress(DockerException):
            sweep(engine, name)
    return forgotten
