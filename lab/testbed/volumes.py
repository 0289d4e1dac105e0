# SPDX-License-Identifier: MIT
"""The volumes of a lab, and the secrets in them: each endpoint has its own, where it is."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from docker.errors import ImageNotFound, NotFound

from lab.core.errors import LabError
from lab.engines import ownership
from lab.engines.engine import Engine, archive
from lab.engines.ownership import NAME, called
from lab.testbed import credentials

if TYPE_CHECKING:
    from lab.testbed.testbed import Testbed


def fill(parts: Sequence[Testbed], clients: int) -> None:
    """Make the volumes of a lab's parts, and put each endpoint's secrets into its volume, where that endpoint is.

    Raises:
        LabError: a foreign volume has the name. The engine would return it, with somebody else's data.
    """
    for bed in parts:
        _make_volumes(bed)
    secret = credentials.make(clients)
    for bed in parts:
        here = [end for end in credentials.ENDS if parts[0].at(end) is bed]
        put_credentials(bed.engine, {end: called(bed.name, f"{end}-credentials") for end in here}, bed.labels, secret)


def _make_volumes(bed: Testbed) -> None:
    for volume in bed.compose.resolve(bed.variables).volumes:
        docker_volume = bed.engine.client.volumes.create(called(bed.name, volume), labels=bed.labels)
        if docker_volume.attrs["Labels"] != bed.labels:
            raise LabError(
                f"the volume {docker_volume.name} exists, and does not belong to this lab",
                "choose another --name, or remove the volume",
            )


def renew_credentials(engine: Engine, project: str) -> list[str]:
    """Put new secrets into the volumes that Compose made for a project. Returns the volumes' names.

    Raises:
        LabError: there is no such volume, or Compose did not make it for the project.
    """
    volumes = {end: f"{project}_{end}-credentials" for end in credentials.ENDS}
    for end, volume in volumes.items():
        try:
            labels = engine.client.volumes.get(volume).attrs["Labels"] or {}
        except NotFound as error:
            raise LabError(f"there is no volume {volume}", "`docker compose up --detach` makes it") from error
        compose_labels = {"com.docker.compose.project": project, "com.docker.compose.volume": f"{end}-credentials"}
        if not compose_labels.items() <= labels.items():
            raise LabError(
                f"the volume {volume} was not made by Compose for the project {project!r}",
                "nothing was written to it; `docker compose up --detach` makes volumes of its own",
            )
    put_credentials(engine, volumes, ownership.labels("credentials"), credentials.make())
    return list(volumes.values())


def put_credentials(
    engine: Engine, volumes: Mapping[str, str], labels: dict[str, str], secret: Mapping[str, credentials.Files]
) -> None:
    """Put secrets into the volumes of their endpoints. `volumes` has the volume names by endpoint."""
    containers = engine.client.containers
    mounts = [f"{volume}:/{end}" for end, volume in volumes.items()]
    name = called(labels[NAME], f"carrier-{secrets.token_hex(4)}")
    try:
        container = containers.create(
            "lab/base:latest", "true", name=name, volumes=mounts, labels=labels, network_mode="none"
        )
    except ImageNotFound as error:
        raise LabError("image lab/base:latest is missing", "`lab build` makes it") from error
    try:
        for end in volumes:
            container.put_archive(f"/{end}", archive(secret[end]))
    finally:
        container.remove(force=True)
