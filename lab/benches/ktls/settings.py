# SPDX-License-Identifier: MIT
"""The options of `lab ktls`. Light to import: the command line is built from them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lab.engines.choice import Choice
from lab.runner import settings as common
from lab.runner.settings import Bytes, Words

KIND = "ktls"
TITLE = "Measure AF_KTLS, the kernel's own TLS and GnuTLS in randomised blocks, beside the thesis's chapter 5."
PAYLOADS = (1280, 1400, 4000, 6000, 9000, 13000, 16000)
"""Bytes of payload of a record, as in the thesis (section 5.5.2)."""
Payload = Annotated[int, Field(ge=8, le=16384)]


class Settings(common.Settings):
    """Kept in `meta.json`, so that `--resume` needs no other word.

    `seconds` or, where there is a `count`, so many records. `cpuid` holds at both ends. `driver` is the module's
    parameter; those of streams the kernel's own TLS chooses.
    """

    scenarios: Annotated[
        Words,
        Field(description="transmission, file, echo (records in, plain out), echo-out (the reverse), verify."),
    ] = ["transmission", "file", "echo", "verify"]
    protocols: Annotated[Words, Field(description="dtls, tls (1.2), tls13; udp and tcp, without records.")] = [
        "dtls", "tls", "udp", "tcp",
    ]  # fmt: skip
    paths: Annotated[
        Words,
        Field(description="Who makes the records: library; kernel, kernel-tx (AF_KTLS); mainline, mainline-tx; raw."),
    ] = ["library", "kernel-tx", "kernel", "mainline-tx", "mainline", "raw"]
    ciphers: Annotated[Words, Field(description="aes-128-gcm, aes-256-gcm, chacha20-poly1305.")] = ["aes-128-gcm"]
    payloads: Annotated[list[Payload], Field(min_length=1, description="Bytes of payload of a record.")] = list(
        PAYLOADS
    )
    file_payloads: Annotated[
        list[Payload], Field(min_length=1, description="Bytes of payload where a file is sent.")
    ] = [1400]
    seconds: Annotated[float, Field(gt=0, le=60, description="Seconds of a timed load.")] = 1.0
    count: Annotated[
        int | None, Field(ge=1, le=1_000_000_000, description="So many records instead of so many seconds.")
    ] = None
    size: Annotated[Bytes, Field(ge=1000, le=1_000_000_000, description="The file: 25MB, 100MB, …")] = 25_000_000
    profile: Annotated[
        list[Payload], Field(description="Payloads at which every path is sampled by perf as well.")
    ] = []
    cpuid: Annotated[
        str,
        Field(
            pattern=r"^(0x[0-9a-fA-F]+)?$",
            description="GNUTLS_CPUID_OVERRIDE: which instructions the library may use.",
        ),
    ] = ""
    driver: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9(),_-]*$",
            description="The kernel's driver (/proc/crypto) that AF_KTLS takes for DTLS.",
        ),
    ] = ""
    engine: Choice = Choice(name="vm")
