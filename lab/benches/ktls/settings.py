# SPDX-License-Identifier: MIT
"""The options of `lab ktls`. Light to import: the command line is built from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from lab.benches.ktls import cells
from lab.engines.choice import Choice
from lab.runner import settings as common
from lab.runner.settings import Bytes, Names, Words

KIND = "ktls"
TITLE = "Measure TLS and DTLS records made by AF_KTLS, by the kernel's own TLS and by GnuTLS."
PAYLOADS = (1280, 1400, 4000, 6000, 9000, 13000, 16000)
"""Bytes of payload of a record, as in the thesis (section 5.5.2)."""
Payload = Annotated[int, Field(ge=8, le=16384)]


CIPHERS = ("aes-128-gcm", "aes-256-gcm", "chacha20-poly1305")


class Settings(common.Settings):
    """The settings of a run, in `meta.json`: `--resume` takes them from there.

    A timed load takes `seconds`, or the time of `count` records if that is given. `cpuid` is set at both endpoints.
    `driver` is the module's parameter. The kernel's own TLS chooses its drivers itself.
    """

    names: ClassVar[Mapping[str, Names]] = {
        "scenarios": lambda: cells.load().scenario,
        "protocols": lambda: cells.load().protocol,
        "paths": lambda: cells.load().path,
        "ciphers": lambda: CIPHERS,
    }
    examples: ClassVar[Sequence[str]] = (
        "lab ktls --scenarios {scenario} --protocols {protocol} --payloads 1400",
        "lab ktls --clock instructions --guests 2 --dry-run",
        "lab ktls --profile 1400,16000",
    )

    scenarios: Annotated[
        Words,
        Field(
            description="What is measured: {scenarios}. `echo` forwards records as plain data, `echo-out` plain data "
            "as records."
        ),
    ] = ["transmission", "file", "echo", "verify"]
    protocols: Annotated[
        Words, Field(description="Protocols: {protocols}. `tls` is TLS 1.2; `udp` and `tcp` have no records.")
    ] = ["dtls", "tls", "udp", "tcp"]
    paths: Annotated[
        Words,
        Field(
            description="Who makes the records: {paths}. `kernel` is AF_KTLS, `mainline` the kernel's own TLS; with "
            "`-tx` only at the sender. `raw` has no records."
        ),
    ] = ["library", "kernel-tx", "kernel", "mainline-tx", "mainline", "raw"]
    ciphers: Annotated[Words, Field(description="Ciphers: {ciphers}.")] = ["aes-128-gcm"]
    payloads: Annotated[list[Payload], Field(min_length=1, description="Bytes of payload per record.")] = list(PAYLOADS)
    file_payloads: Annotated[
        list[Payload], Field(min_length=1, description="Bytes of payload per record when a file is sent.")
    ] = [1400]
    seconds: Annotated[float, Field(gt=0, le=60, description="Seconds of a timed load.")] = 1.0
    count: Annotated[int | None, Field(ge=1, le=1_000_000_000, description="Records to send, in place of a time.")] = (
        None
    )
    size: Annotated[Bytes, Field(ge=1000, le=1_000_000_000, description="The file: `25MB`, `1GB`.")] = 25_000_000
    profile: Annotated[
        list[Payload], Field(description="Bytes of payload at which `perf` also profiles every path.")
    ] = []
    cpuid: Annotated[
        str,
        Field(
            pattern=r"^(0x[0-9a-fA-F]+)?$",
            description="GNUTLS_CPUID_OVERRIDE: the processor's instructions that GnuTLS may use.",
        ),
    ] = ""
    driver: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9(),_-]*$",
            description="The cipher driver that AF_KTLS uses for DTLS; /proc/crypto lists them.",
        ),
    ] = ""
    engine: Choice = Choice(name="vm")
