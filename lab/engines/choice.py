# SPDX-License-Identifier: MIT
"""The user's choice of engine: the Docker engine of this machine, or that of a guest."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lab.core.documents import Document

Name = Literal["host", "vm"]


Clock = Literal["wall", "instructions"]


Kernel = Literal["backports", "stable"]


class Choice(Document):
    """The chosen engine. All fields but `name` are about the guest of `vm`. `memory` is in MiB.

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

    @model_validator(mode="after")
    def _fits(self) -> Choice:
        if self.clock == "instructions" and self.name == "host":
            raise ValueError("the clock `instructions` needs --engine vm: only an emulator can count instructions")
        if self.clock == "instructions" and self.cores > 1:
            raise ValueError("the clock `instructions` works with one processor only: leave --processors out")
        if self.clock == "wall" and self.guests > 1:
            raise ValueError("several guests disturb each other on the wall clock: add --clock instructions")
        return self

    @property
    def cores(self) -> int:
        """Processors of the guest. The default is one on the instruction clock and two on the wall clock."""
        return self.processors or (1 if self.clock == "instructions" else 2)
