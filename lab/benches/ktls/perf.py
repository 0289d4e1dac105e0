# SPDX-License-Identifier: MIT
"""Where the time went: what `perf` sampled, by process and symbol, put into the categories of `symbols.yaml`. Pure.

A sample is of where the processor was (self), so shares add up. What no pattern knows is `other`, and shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from lab.benches.ktls import cipher_symbols
from lab.core.documents import NAME, Document, read

FILE = Path(__file__).with_name("symbols.yaml")
FREQUENCY = 4000
PLACE = "/perf"
"""Where perf and the bench meet."""
MEET = ["sh", "-c", "cd $0 && rm -f control ack && mkfifo control ack", PLACE]
RECORD = [
    "perf", "record", "--quiet", "--all-cpus", "--event", "cpu-clock", "--freq", str(FREQUENCY),
    "--delay", "-1", "--control", f"fifo:{PLACE}/control,{PLACE}/ack",
]  # fmt: skip
"""A timer of the kernel's: neither an emulated processor nor most virtual machines count cycles. The bench says when
its load begins and ends: what it prepares, a file of so many bytes, is none of it."""
REPORT = [
    "perf", "report", "--stdio", "--quiet", "--no-children", "--show-nr-samples", "--field-separator", "\t",
    "--sort", "comm,dso,symbol",
]  # fmt: skip
COLUMNS = 5
"""Share, samples, process, object, symbol; some versions have more after them."""
ADDRESS = re.compile(r"0x[0-9a-f]+")
CIPHER, NAMELESS = "cipher instructions", "no name"
"""What stands in the place of an address: of a function that has such instructions, or of any other."""
OTHER = "other"
IDLE = "swapper"
"""What the kernel calls the process that runs when there is none."""
ENDS = {"ktls-bench": "sender", "ktls-peer": "receiver"}
"""Whose time it is, by the name of the process; softirqs run on whoever they interrupt."""
MODE = re.compile(r"^\[.\] ")
"""Before a symbol: `[k]` in the kernel, `[.]` not."""


def _patterns(texts: list[str]) -> list[str]:
    for text in texts:
        re.compile(text)
    return texts


class Category(Document):
    """Symbols that do one thing: each a regular expression for the whole name, tried in the order of the file."""

    category: NAME
    title: str
    objects: str = ".*"
    symbols: Annotated[list[str], AfterValidator(_patterns), Field(min_length=1)]


@cache
def categories() -> list[Category]:
    """The rows of `symbols.yaml`, in order."""
    return read(FILE, list[Category])


@dataclass(frozen=True)
class Sampled:
    """So many samples in one symbol of one object (the kernel, a library), in processes of one name."""

    samples: int
    process: str
    object: str
    symbol: str

    @property
    def end(self) -> str:
        """Whose time it was."""
        return ENDS.get(self.process, "machine")

    @property
    def category(self) -> str:
        """What it was spent on."""
        return category_of(self.object, self.symbol)


@cache
def category_of(library: str, symbol: str) -> str:
    """The first category that knows a symbol."""
    for row in categories():
        if re.fullmatch(row.objects, library) and any(re.fullmatch(text, symbol) for text in row.symbols):
            return row.category
    return OTHER


Ciphers = Mapping[str, Sequence[Sequence[int]]]
"""Where in a stripped library its ciphers are (`lab.benches.ktls.cipher_symbols`), by the library's name."""


def parse(text: str, ciphers: Ciphers) -> list[Sampled]:
    """The lines of `perf report`, without the time in which nothing ran.

    Raises:
        ValueError: there is no sample in it.
    """
    found = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) >= COLUMNS and fields[0].endswith("%"):
            _, samples, process, library, symbol = fields[:COLUMNS]
            symbol = _name(MODE.sub("", symbol), ciphers.get(library, ()))
            found.append(Sampled(int(samples), process, library, symbol))
    if not found:
        raise ValueError(f"no samples in {text[:200]!r}")
    return [one for one in found if one.process != IDLE]


def squeezed(text: str) -> str:
    """A report without the blanks by which perf fills its columns: half as long."""
    return "".join("\t".join(field.strip() for field in line.split("\t")) + "\n" for line in text.splitlines())


def _name(symbol: str, ciphers: Sequence[Sequence[int]]) -> str:
    """A symbol, or for an address what is known of it."""
    if not ADDRESS.fullmatch(symbol):
        return symbol
    return CIPHER if cipher_symbols.within(ciphers, int(symbol, 16)) else NAMELESS


def shares(samples: Iterable[Sampled]) -> dict[str, dict[str, float]]:
    """The share of each category in each end's time, and in that of all (`all`)."""
    counts: dict[str, Counter[str]] = {}
    for one in samples:
        for end in (one.end, "all"):
            counts.setdefault(end, Counter())[one.category] += one.samples
    return {end: _parts(each) for end, each in counts.items()}


def _parts(counts: Mapping[str, int]) -> dict[str, float]:
    whole = sum(counts.values())
    return {category: number / whole for category, number in counts.items()}


def leading(samples: Sequence[Sampled], category: str, most: int) -> list[tuple[str, float]]:
    """The symbols of a category with the most samples, and the share of all that each has."""
    whole = sum(one.samples for one in samples)
    counts: Counter[str] = Counter()
    for one in samples:
        if one.category == category:
            counts[f"{one.symbol} ({one.object})"] += one.samples
    return [(name, number / whole) for name, number in counts.most_common(most)] if whole else []


def of_samples(taken: Iterable[Mapping[str, Any]]) -> dict[tuple[str, ...], list[list[Sampled]]]:
    """The profiles of a run by cell (protocol, path, suite, conditions): one for each block."""
    found: dict[tuple[str, ...], list[list[Sampled]]] = {}
    for sample in taken:
        text = sample.get("raw", {}).get("perf")
        if sample["outcome"] == "ok" and text:
            key = tuple(str(sample[name]) for name in ("vpn", "variant", "suite", "conditions"))
            found.setdefault(key, []).append(parse(text, sample["raw"].get("ciphers", {})))
    return found
