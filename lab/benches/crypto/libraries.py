# SPDX-License-Identifier: MIT
"""The libraries: the command for each suite, and the parser of its output. Parsing is pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from lab.catalog.suites import Suite
from lab.core.command import Result
from lab.core.documents import NAME, Document, read
from lab.core.errors import LabError, Unsupported
from lab.results.reading import Reading

FILE = Path(__file__).with_name("libraries.yaml")
COLUMNS = {"vpn": "library", "variant": "place"}
"""What the subject of a sample is called, on the disk and in tables."""
PLACES = ("host", "container")
"""Where a library may be timed: on the host, or in a container."""
UNIT = "B/s"
END = "machine"
STITCHED = "openssl-stitched"
"""The column of suites.yaml for OpenSSL's ciphers that encrypt and hash in one pass."""
PROVIDERS = ["-provider", "default", "-provider", "legacy"]
UNKNOWN = re.compile(r"is an unknown|unsupported|not supported", re.IGNORECASE)
DETECTED = re.compile(r"^gnutls\[\d+\]: (.+) was detected$", re.MULTILINE)
REFUSED = 127
NEEDED = ("speed", "cipher", "mac")
"""The parts that a figure needs; not every processor supports the others."""
Commands = Mapping[str, list[str]]
"""The commands of one sample by part: `speed`, or `cipher` and `mac`, and `stitched`."""


class Library(Document):
    """A row of `libraries.yaml`."""

    library: NAME
    title: str
    dialect: NAME
    program: NAME
    records: Literal["user", "kernel"]
    serves: list[NAME]
    what: str
    facts: Annotated[list[list[str]], Field(min_length=1)]

    def covers(self, records: str, dialect: str) -> bool:
        """Whether it protects the records of a data path. The kernel covers all records in the kernel, for any VPN."""
        return records == self.records and (records == "kernel" or dialect in self.serves)

    def why_not(self, suite: Suite) -> str:
        """Why the suite cannot be timed; empty if it can."""
        if self.dialect in suite.native:
            return ""
        return suite.absent.get(self.dialect) or f"the {self.dialect} dialect has no name for {suite.suite}"

    def commands(self, suite: Suite, size: int, seconds: int) -> Commands:
        """The commands for one sample of `size` bytes of payload."""
        native = suite.native[self.dialect]
        if self.program != "openssl":
            return {"speed": [self.program, *native.split(), str(size), str(seconds)]}
        cipher, plus, digest = native.partition("+")
        timed = ["openssl", "speed", "-mr", "-seconds", str(seconds), "-bytes", str(size)]
        if not plus:
            return {"speed": [*timed, "-aead", "-evp", cipher]}
        mac = [*timed, "-hmac", digest.lower()]
        if cipher == "none":
            return {"speed": mac}
        parts = {"cipher": [*timed, *PROVIDERS, "-evp", cipher], "mac": mac}
        if STITCHED in suite.native:
            parts["stitched"] = [*timed, "-evp", suite.native[STITCHED]]
        return parts


@cache
def load() -> Mapping[str, Library]:
    """Every library by name. The file is read once: a report asks for each of its figures."""
    return {row.library: row for row in read(FILE, list[Library])}


@dataclass(frozen=True)
class Timing:
    """The result of a bench: bytes per second of CPU time, and the code path if the bench names one.

    `busy` is the share of the time in which it had a processor; NaN if the bench does not report it.
    """

    speed: float
    implementation: str = ""
    busy: float = float("nan")


def check(result: Result) -> None:
    """Raise Unsupported if the library lacks a cipher, LabError if the program failed otherwise.

    Raises:
        Unsupported: the library or the kernel lacks the cipher. LabError: any other failure.
    """
    if not result.status:
        return
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    if result.status == REFUSED:
        raise Unsupported(lines[-1] if lines else "the bench refused it, and did not say why")
    unknown = next((line for line in lines if UNKNOWN.search(line)), "")
    if unknown:
        raise Unsupported(unknown.removeprefix("speed: "))
    raise LabError(f"the bench ended with {result.status}: {result.complaint}")


def parse(program: str, text: str, log: str = "") -> Timing:
    """Parse the output of a bench.

    `openssl speed -mr` prints `+F:<its number>:<name>:<bytes a second of user time>`; the others print a line of JSON.
    GnuTLS names its code path in its `log`.

    Raises:
        ValueError, LookupError, ArithmeticError: the output has another form.
    """
    if program == "openssl":
        speed = float(re.findall(r"^\+F:\d+:[^:\n]+:([\d.]+)$", text, re.MULTILINE)[0])
        timing = Timing(speed)
    else:
        answer = json.loads(text)
        path = answer["implementation"] or "; ".join(DETECTED.findall(log))
        timing = Timing(answer["bytes"] / answer["cpu"], path, answer["cpu"] / answer["wall"])
    if timing.speed <= 0:
        raise ValueError(f"a speed of {timing.speed} B/s")
    return timing


def readings(timings: Mapping[str, Timing]) -> list[Reading]:
    """The figures of a sample, `speed` first. A cipher and an HMAC timed separately cost the sum of their times."""
    figures = {part: timing.speed for part, timing in timings.items()}
    if "speed" not in figures:
        figures = {"speed": in_turn(figures["cipher"], figures["mac"]), **figures}
    rows = [Reading(metric, UNIT, END, value) for metric, value in figures.items()]
    busy = [timing.busy for timing in timings.values() if timing.busy == timing.busy]  # NaN is not itself
    return rows + ([Reading("busy", "fraction", END, min(busy))] if busy else [])


def in_turn(one: float, two: float) -> float:
    """The speed of two passes over the same bytes, one after the other."""
    return 1 / (1 / one + 1 / two)
