# SPDX-License-Identifier: MIT
"""The options of `lab crypto`. Light to import: the command line is built from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from lab.benches.crypto.libraries import load
from lab.runner import settings as common
from lab.runner.settings import Names, Words

KIND = "crypto"
"""The `kind` in `meta.json`, and the measure of every sample."""
TITLE = "Time the ciphers alone, without a VPN: OpenSSL, GnuTLS and the kernel, on the host and in a container."
SIZES = (16, 64, 256, 1024, 8192, 16384)
"""Bytes of payload: the defaults of `openssl speed`, as in the thesis."""


class Settings(common.Settings):
    """The settings of a run, in `meta.json`: `--resume` takes them from there."""

    names: ClassVar[Mapping[str, Names]] = {"libraries": load}
    examples: ClassVar[Sequence[str]] = (
        "lab crypto --ciphers {suite} --blocks 1",
        "lab crypto --ciphers all --places container --dry-run",
        "lab crypto --engine vm --clock instructions",
    )

    libraries: Annotated[Words, Field(description="Libraries, separated by commas: {libraries}.")] = [
        "openssl", "gnutls", "kernel",
    ]  # fmt: skip
    ciphers: Annotated[
        Words, Field(description="Ciphersuites: {sets}, or names. `quick` is {quick}. The others: {others}.")
    ] = ["quick"]
    sizes: Annotated[
        list[Annotated[int, Field(ge=16, le=16384, multiple_of=16)]],
        Field(min_length=1, description="Bytes of payload, multiples of 16."),
    ] = list(SIZES)
    places: Annotated[
        list[Literal["host", "container"]],
        Field(description="`host` (no container), `container`, or both. Default: both; in a guest, `container`."),
    ] = []
    seconds: Annotated[int, Field(ge=1, le=60, description="Seconds of each timing.")] = 1

    @model_validator(mode="before")
    @classmethod
    def _of_older_runs(cls, data: Any) -> Any:
        """Older runs call blocks runs."""
        if isinstance(data, dict) and "runs" in data:
            return {"blocks" if key == "runs" else key: value for key, value in data.items()}
        return data

    @model_validator(mode="after")
    def _one_machine(self) -> Settings:
        if "host" in self.places and self.engine.name != "host":
            raise ValueError("--places host needs --engine host: a guest can only time in its containers")
        return self

    @property
    def timed_in(self) -> list[str]:
        """The places named, or all that the engine has."""
        return list(self.places) or (["host", "container"] if self.engine.name == "host" else ["container"])
