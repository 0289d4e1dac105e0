# SPDX-License-Identifier: MIT
"""The user's choice of engine: the Docker engine of this machine, that of a guest, or those of two machines."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lab.core.documents import Document

Name = Literal["host", "vm", "cable"]


Clock = Literal["wall", "instructions"]


Kernel = Literal["backports", "stable"]


GUEST = "vm"
"""The machine of an end that is a guest of the lab's."""
AT = "%"
"""Between an engine and the interface of its machine, as in the addresses of RFC 4007."""
HERE = "host"
"""The engine that `docker` would use."""
ELSEWHERE = ("unix://", "ssh://")
"""How other engines are named: by a socket of this machine, or over SSH."""
EXAMPLE = "ssh://HOST%INTERFACE"


class Choice(Document):
    """The chosen engine. Most fields but `name` are about the guest of `vm`. `memory` is in MiB.

    `cable`: the ends are on two machines, the `server` on one, the `client` on the other. Each is `vm`, two guests with
    a virtual cable between, or ENGINE%INTERFACE: a Docker engine, and its machine's interface on the cable.

    `clock`: `wall` is the machine's own. `instructions` advances one nanosecond with every instruction that the guest
    executes (QEMU's `-icount shift=0`), on one emulated processor. Other load on the machine does not change it, so
    several `guests` may run side by side, each with its share of a run.
    """

    name: Name = "host"
    clock: Clock = "wall"
    kernel: Kernel = "backports"
    processors: Annotated[int, Field(ge=1, le=64)] | None = None
    memory: Annotated[int, Field(ge=1024, le=262_144)] = 3072
    guests: Annotated[int, Field(ge=1, le=64)] = 1
    server: str = ""
    client: str = ""

    @model_validator(mode="before")
    @classmethod
    def _two_machines(cls, given: Any) -> Any:
        """Whoever names the machine of an end wants two machines; both are guests unless they are named."""
        if not isinstance(given, dict):
            return given
        named = given.get("server") or given.get("client")
        if named and given.get("name", "host") == "host":
            given = given | {"name": "cable"}
        if given.get("name") == "cable":
            given = given | {end: given.get(end) or GUEST for end in ("server", "client")}
        return given

    @model_validator(mode="after")
    def _fits(self) -> Choice:
        if self.name == "cable":
            self._check_cable()
        elif self.server or self.client:
            raise ValueError("--server and --client are two machines: leave --engine out")
        if self.clock == "instructions" and self.name == "host":
            raise ValueError("the clock `instructions` needs --engine vm: only an emulator can count instructions")
        if self.clock == "instructions" and self.cores > 1:
            raise ValueError("the clock `instructions` works with one processor only: leave --processors out")
        if self.clock == "wall" and self.guests > 1:
            raise ValueError("several guests disturb each other on the wall clock: add --clock instructions")
        return self

    def _check_cable(self) -> None:
        if self.clock == "instructions":
            raise ValueError("two machines have no common clock but the wall's: leave --clock out")
        for end in ("server", "client"):
            engine, interface = self.place(end)
            is_named = interface and (engine == HERE or engine.startswith(ELSEWHERE))
            if (given := getattr(self, end)) != GUEST and not is_named:
                raise ValueError(f"--{end}: {GUEST} or {EXAMPLE} is wanted, got {given!r}")
        if (self.server == GUEST) != (self.client == GUEST):
            raise ValueError(f"--server and --client: a guest has a cable to another guest only: both are {GUEST}")

    def place(self, end: str) -> tuple[str, str]:
        """The engine of `server` or `client` where it is no guest, and its machine's interface."""
        engine, _, interface = str(getattr(self, end)).rpartition(AT)
        return engine, interface

    @property
    def in_guests(self) -> bool:
        """Whether containers run in guests of the lab's."""
        return GUEST in (self.name, self.server)

    @property
    def cores(self) -> int:
        """Processors of the guest: by default one on the instruction clock or a cable's end, else two."""
        return self.processors or (1 if self.clock == "instructions" or self.name == "cable" else 2)
