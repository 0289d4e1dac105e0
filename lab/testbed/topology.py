# SPDX-License-Identifier: MIT
"""The topology of `docker-compose.yml`, as arguments for docker-py.

The file is the only place for capabilities, devices, sysctls, networks and mounts. `lab` reads only the part of the
Compose format that the file uses. Any other key is an error, so that Compose never does something that `lab` does not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from lab.catalog.vpns import Needs
from lab.core.documents import Document, parse
from lab.core.errors import UsageError
from lab.core.paths import ROOT

COMPOSE = ROOT / "docker-compose.yml"


class Address(Document):
    """The address of a service on a network."""

    ipv4_address: str


class Many(Document):
    """What a service has where more than one tunnel comes up: `cap_add` beside its own, the others in their place."""

    cap_add: list[str] = []
    security_opt: list[str] | None = None
    tmpfs: list[str] | None = None
    pid: str | None = None
    read_only: bool | None = None


class Apart(Document):
    """What a service has beside its own where the ends are on two machines."""

    volumes: list[str] = []


class IPv6(Document):
    """What a service has beside its own where the tunnel carries IPv6."""

    sysctls: dict[str, str] = {}


class Service(Document):
    """One container, with Compose's own keys."""

    image: str
    init: bool = False
    command: list[str] = []
    hostname: str | None = None
    environment: dict[str, str] = {}
    cap_drop: list[str] = []
    cap_add: list[str] = []
    devices: list[str] = []
    optional_devices: list[str] = Field(default=[], alias="x-optional-devices")
    security_opt: list[str] = []
    tmpfs: list[str] = []
    sysctls: dict[str, str] = {}
    volumes: list[str] = []
    networks: dict[str, Address] = {}
    network_mode: str | None = None
    pid: str | None = None
    cgroup: str | None = None
    read_only: bool = False
    many: Many = Field(default=Many(), alias="x-many")
    apart: Apart = Field(default=Apart(), alias="x-apart")
    ipv6: IPv6 = Field(default=IPv6(), alias="x-ipv6")

    def for_many(self) -> Service:
        """This service where more than one tunnel comes up."""
        others = self.many.model_dump(exclude={"cap_add"}, exclude_none=True)
        capabilities = dict.fromkeys([*self.cap_add, *self.many.cap_add])
        return self.model_copy(update={**others, "cap_add": list(capabilities)})

    def on_two_machines(self) -> Service:
        """This service where the ends are on two machines."""
        return self.model_copy(update={"volumes": [*self.volumes, *self.apart.volumes]})

    def for_ipv6(self) -> Service:
        """This service where the tunnel carries IPv6."""
        return self.model_copy(update={"sysctls": {**self.sysctls, **self.ipv6.sysctls}})

    def limited_to(self, needs: Needs) -> Service:
        """This service with only the capabilities and devices of `needs`. The file must grant all of them."""
        devices = {entry.split(":")[0]: entry for entry in [*self.devices, *self.optional_devices]}
        for kind, names, granted in (
            ("capability", needs.capabilities, self.cap_add),
            ("device", needs.devices, list(devices)),
        ):
            for name in names:
                if name not in granted:
                    raise UsageError(
                        f"{kind} {name!r} is not granted by {COMPOSE.name} (it grants {', '.join(granted) or 'none'})",
                        "grant it there to both ends, or take it out of the VPN's vpn.yaml",
                    )
        changes = {"cap_add": needs.capabilities, "devices": [devices[name] for name in needs.devices]}
        return self.model_copy(update=changes)

    def options(self) -> dict[str, Any]:
        """The arguments of docker-py's `containers.create`, without name, labels, networks and named volumes."""
        return {
            "image": self.image,
            "command": self.command,
            "init": self.init,
            "hostname": self.hostname,
            "environment": self.environment,
            "cap_drop": self.cap_drop,
            "cap_add": self.cap_add,
            "devices": self.devices,
            "security_opt": self.security_opt,
            "tmpfs": {entry.partition(":")[0]: entry.partition(":")[2] for entry in self.tmpfs},
            "sysctls": self.sysctls,
            "pid_mode": self.pid,
            "cgroupns": self.cgroup,
            "read_only": self.read_only,
        }


class Pool(Document):
    """An address range of a network."""

    subnet: str


class Ipam(Document):
    """The address ranges of a network."""

    config: list[Pool]


class Network(Document):
    """One network."""

    internal: bool = False
    ipam: Ipam


class Topology(Document):
    """The whole file, with its variables filled in."""

    name: str
    services: dict[str, Service]
    networks: dict[str, Network]
    volumes: dict[str, None] = {}

    @model_validator(mode="before")
    @classmethod
    def _without_extensions(cls, document: Any) -> Any:
        """Drop keys that begin with `x-`: as in Compose, they are only for references."""
        if not isinstance(document, dict):
            return document
        return {key: value for key, value in document.items() if not str(key).startswith("x-")}


class Compose(Document):
    """The text of the file, with its variables not filled in."""

    text: str = Field(repr=False)
    path: Path = COMPOSE

    def resolve(self, variables: Mapping[str, str]) -> Topology:
        """Fill in `variables` (and the file's own defaults) and read the result.

        Raises:
            UsageError: the file has something that lab does not understand; names the line.
        """
        return parse(self.path, _interpolate(self.text, variables), Topology)


def load(path: Path = COMPOSE) -> Compose:
    """Read the file. It is resolved once for the lab, and again for every tunnel."""
    try:
        return Compose(text=path.read_text(encoding="utf-8"), path=path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "run lab from its own checkout") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not text in UTF-8") from error


def _interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Fill in Compose's `${NAME:-default}`, inner ones first: a variable that is set and not empty, or the default."""
    values = {key: value for key, value in os.environ.items() if key.startswith("LAB_")} | dict(variables)
    found = 1
    while found:
        text, found = re.subn(r"\$\{(LAB_[A-Z_]+):-([^${}]*)\}", lambda match: values.get(match[1]) or match[2], text)
    return text
