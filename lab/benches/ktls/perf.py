# SPDX-License-Identifier: MIT
"""Where the time went: perf's samples, by process and symbol, in the categories of `symbols.yaml`. Pure.

A sample is where the processor was (self), so shares add up. A symbol that matches no pattern is `other`.
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
"""The folder that perf and the bench share."""
MEET = ["sh", "-c", "cd $0 && rm -f control ack && mkfifo control ack", PLACE]
RECORD = [
    "perf", "record", "--quiet", "--all-cpus", "--event", "cpu-clock", "--freq", str(FREQUENCY),
    "--delay", "-1", "--control", f"fifo:{PLACE}/control,{PLACE}/ack",
]  # fmt: skip
"""A kernel timer: neither an emulated processor nor most virtual machines count cycles. The bench signals when its
load begins and ends, so preparation (making the file) is not sampled."""
REPORT = ["perf-table"]
"""What reads that file (kmod/perf-table)."""
COLUMNS = 5
"""Share, samples, process, object, symbol; `perf report`, which older runs have, adds more columns."""
ADDRESS = re.compile(r"0x[0-9a-f]+")
CIPHER, NAMELESS = "cipher instructions", "no name"
"""The names for an address: in a function with cipher instructions, or in any other."""
OTHER = "other"
IDLE = "swapper"
"""The kernel's name for the idle process."""
ENDS = {"ktls-bench": "sender", "ktls-peer": "receiver"}
"""The endpoint of each process name; a softirq runs on the process that it interrupts."""
MODE = re.compile(r"^\[.\] ")
"""The prefix of a symbol: `[k]` in the kernel, `[.]` in user space."""


def _patterns(texts: list[str]) -> list[str]:
    for text in texts:
        re.compile(text)
    return texts


class Category(Document):
    """Symbols with one purpose: each is a regular expression for the whole name, tried in the order of the file."""

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
    """The samples in one symbol of one object (the kernel, a library), in processes of one name."""

    samples: int
    process: str
    object: str
    symbol: str

    @property
    def end(self) -> str:
        """The endpoint whose time it was."""
        return ENDS.get(self.process, "machine")

    @property
    def category(self) -> str:
        """The category of the symbol."""
        return category_of(self.object, self.symbol)


@cache
def category_of(library: str, symbol: str) -> str:
    """The first category that matches a symbol."""
    for row in categories():
        if re.fullmatch(row.objects, library) and any(re.fullmatch(text, symbol) for text in row.symbols):
            return row.category
    return OTHER


Ciphers = Mapping[str, Sequence[Sequence[int]]]
"""The ciphers of stripped libraries (`lab.benches.ktls.cipher_symbols`), by the library's name."""


def parse(text: str, ciphers: Ciphers) -> list[Sampled]:
    """The lines of a profile (kmod/perf-table, or `perf report` in older runs), without idle time.

    Raises:
        ValueError: the report has no samples.
    """
    rows = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) >= COLUMNS and fields[0].endswith("%"):
            _, samples, process, library, symbol = fields[:COLUMNS]
            symbol = _name(MODE.sub("", symbol), ciphers.get(library, ()))
            rows.append(Sampled(int(samples), process, library, symbol))
    if not rows:
        raise ValueError(f"no samples in {text[:200]!r}")
    return [row for row in rows if row.process != IDLE]


def _name(symbol: str, ciphers: Sequence[Sequence[int]]) -> str:
    """A symbol; for an address, CIPHER or NAMELESS."""
    if not ADDRESS.fullmatch(symbol):
        return symbol
    return CIPHER if cipher_symbols.within(ciphers, int(symbol, 16)) else NAMELESS


def shares(samples: Iterable[Sampled]) -> dict[str, dict[str, float]]:
    """The share of each category in the time of each endpoint, and in all time (`all`)."""
    counts: dict[str, Counter[str]] = {}
    for sample in samples:
        for end in (sample.end, "all"):
            counts.setdefault(end, Counter())[sample.category] += sample.samples
    return {end: _parts(counter) for end, counter in counts.items()}


def _parts(counts: Mapping[str, int]) -> dict[str, float]:
    whole = sum(counts.values())
    return {category: number / whole for category, number in counts.items()}


def leading(samples: Sequence[Sampled], category: str, most: int) -> list[tuple[str, float]]:
    """The symbols of a category with the most samples, and the share of all samples that each has."""
    whole = sum(sample.samples for sample in samples)
    counts: Counter[str] = Counter()
    for sample in samples:
        if sample.category == category:
            counts[f"{sample.symbol} ({sample.object})"] += sample.samples
    return [(name, number / whole) for name, number in counts.most_common(most)] if whole else []


def of_samples(taken: Iterable[Mapping[str, Any]]) -> dict[tuple[str, ...], list[list[Sampled]]]:
    """The profiles of a run by cell (protocol, path, suite, conditions): one per block."""
    profiles: dict[tuple[str, ...], list[list[Sampled]]] = {}
    for sample in taken:
        text = sample.get("raw", {}).get("perf")
        if sample["outcome"] == "ok" and text:
            key = tuple(str(sample[name]) for name in ("vpn", "variant", "suite", "conditions"))
            profiles.setdefault(key, []).append(parse(text, sample["raw"].get("ciphers", {})))
    return profiles
