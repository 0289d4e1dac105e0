# SPDX-License-Identifier: MIT
"""What the ends of real tunnels answered to a proof's commands, kept under tests/data/<vpn>/.

`<variant>-<suite>-<end>.txt` is the answer to the question for the suite. With another word than a suite's name in the
middle, it is that of a tunnel that must not be believed. `counters-<variant>-<end>.txt` is the answer to the question
for the counters, or `counters-<end>.txt` where all variants are asked alike; where one command answers both questions,
the first file holds both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.benches.vpn import proof
from lab.benches.vpn.contract.fault import Fault
from lab.catalog.catalog import Catalog
from lab.catalog.vpns import COUNTERS, Ends, Vpn

FIX = "correct the pattern in vpn.yaml, or capture the answer anew: `lab capture`"
KEY = re.compile(r"PRIVATE KEY-----|\b0x[0-9a-f]{32,}", re.IGNORECASE)
"""What a key looks like, in PEM and as ip-xfrm(8) shows it. No capture may hold one."""


@dataclass(frozen=True)
class Capture:
    """What one end answered. `case` is a suite's name where the tunnel was up by it, or what was wrong with it."""

    vpn: Vpn
    variant: str
    case: str
    end: str
    path: Path

    @property
    def text(self) -> str:
        """The answer."""
        return self.path.read_text(encoding="utf-8")

    def read(self, variant: str) -> str:
        """The suite that is read from it by the way in which `variant` is proved; empty if there is none in it."""
        ends = self.vpn.proof(variant).suite
        return proof.session(getattr(ends, self.end).match, self.text)[0] if ends else ""


def folder(catalog: Catalog, vpn: Vpn) -> Path:
    """Where the captures of a VPN are."""
    return catalog.root / "tests" / "data" / vpn.name


def every(catalog: Catalog, vpn: Vpn) -> Iterator[Capture]:
    """The captures of a VPN's suites."""
    variants = "|".join(map(re.escape, sorted(vpn.file.variants, key=len, reverse=True)))
    for path in sorted(folder(catalog, vpn).glob("*.txt")):
        if parts := re.fullmatch(rf"({variants})-(.+)-(server|client)", path.stem):
            yield Capture(vpn, parts[1], parts[2], parts[3], path)


def path_of(catalog: Catalog, vpn: Vpn, variant: str, suite: str, end: str) -> Path:
    """The file for what an end answers to the question for the suite."""
    return folder(catalog, vpn) / f"{variant}-{suite}-{end}.txt"


def path_of_counters(catalog: Catalog, vpn: Vpn, variant: str, end: str) -> Path | None:
    """The file for what an end answers to the question for the counters; None where the suite's file holds it too."""
    own = vpn.proof(variant)
    if own.suite and own.counters and getattr(own.suite, end).run == getattr(own.counters, end).run:
        return None
    path = folder(catalog, vpn) / f"counters-{variant}-{end}.txt"
    alike = all(vpn.proof(other).counters == own.counters for other in vpn.file.variants)
    return path.with_name(f"counters-{end}.txt") if alike and not path.exists() else path


def counters(catalog: Catalog, vpn: Vpn, variant: str, end: str) -> list[Path]:
    """The files with an end's counters: the variant's or that of all, and those of its suites that hold them too."""
    own = [folder(catalog, vpn) / f"{stem}-{end}.txt" for stem in (f"counters-{variant}", "counters")]
    paths = [path for path in own if path.exists()][:1]
    if path_of_counters(catalog, vpn, variant, end) is None:
        each = every(catalog, vpn)
        paths += [c.path for c in each if (c.variant, c.end) == (variant, end) and c.case in catalog.suites]
    return paths


def missing(catalog: Catalog, vpn: Vpn) -> list[str]:
    """The variants that nobody has captured yet, nor another that is proved alike."""
    there = {(c.variant, c.end) for c in every(catalog, vpn) if c.case in catalog.suites}
    lacking = []
    for variant in vpn.file.variants:
        own = vpn.proof(variant)
        alike = [other for other in vpn.file.variants if vpn.proof(other) == own]
        for end in Ends.model_fields:
            suite = not own.suite or any((other, end) in there for other in alike)
            if not suite or (own.counters and not counters(catalog, vpn, variant, end)):
                lacking.append(variant)
                break
    return lacking


def faults(vpn: Vpn, catalog: Catalog) -> Iterator[Fault]:
    """Every capture that holds a key, or from which the patterns read something else than what it is."""
    for path in sorted(folder(catalog, vpn).glob("*.txt")):
        if KEY.search(path.read_text(encoding="utf-8")):
            yield Fault(path, 0, "it holds what looks like a key", "have the command in vpn.yaml print less")
    dialect = vpn.file.dialect
    if dialect not in catalog.table.dialects:
        return  # which is a fault of vpn.yaml
    for capture in every(catalog, vpn):
        native = catalog.suites[capture.case].native.get(dialect) if capture.case in catalog.suites else ""
        read = capture.read(capture.variant)
        if native is None:
            fix = "name it after a suite that the VPN has, or after what is wrong with this tunnel"
            yield Fault(capture.path, 0, f"the {dialect} dialect has no suite {capture.case}", fix)
        elif read != native:
            what = f"the {capture.end}'s pattern reads {read or 'nothing'} from it, not {native or 'nothing'}"
            yield Fault(capture.path, 0, what, FIX)
    patterns = {
        (path, getattr(ends, end).match): f"the {end}'s pattern of {variant}"
        for variant in vpn.file.variants
        for end in Ends.model_fields
        if (ends := vpn.proof(variant).counters)
        for path in counters(catalog, vpn, variant, end)
    }
    for (path, match), whose in patterns.items():
        if set(proof.named(match, path.read_text(encoding="utf-8"))) != {*COUNTERS}:
            yield Fault(path, 0, f"{whose} reads no counters from it", FIX)
