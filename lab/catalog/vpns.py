# SPDX-License-Identifier: MIT
"""A VPN, as `images/<vpn>/vpn.yaml` describes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lab.catalog.suites import Suite
from lab.core.documents import NAME, Document


def _regex(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


class Probe(Document):
    """A command run at one end and the regular expression that finds the answer in its output."""

    run: Annotated[list[str], Field(min_length=1)]
    match: Annotated[str, AfterValidator(_regex)]


class Ends(Document):
    """The same question asked at both ends."""

    server: Probe
    client: Probe


class Proof(Document):
    """How a tunnel shows its suite, and optionally its own byte counters (groups `rx` and `tx`)."""

    suite: Ends | None = None
    counters: Ends | None = None


class KernelFeature(Document):
    """Something the kernel must have; `probe` exits 0 in a container of the image where it does."""

    feature: str
    config: Annotated[str, Field(pattern=r"^CONFIG_[A-Z0-9_]+$")]
    probe: Annotated[list[str], Field(min_length=1)]


class Needs(Document):
    """What the two ends of a VPN need: all must be granted by docker-compose.yml, and no more is given."""

    capabilities: list[str] = []
    devices: list[str] = []
    kernel: list[KernelFeature] = []

    def __add__(self, more: Needs) -> Needs:
        """Both together; what both name is named once."""
        return Needs(
            capabilities=list(dict.fromkeys(self.capabilities + more.capabilities)),
            devices=list(dict.fromkeys(self.devices + more.devices)),
            kernel=self.kernel + [feature for feature in more.kernel if feature not in self.kernel],
        )


class Only(Document):
    """The suites that a variant has where it has fewer than its VPN: native names that match, and why no other."""

    match: Annotated[str, AfterValidator(_regex)]
    otherwise: str


class Variant(Document):
    """A data path of a VPN: where records are processed, and what its packets look like on the wire.

    `records`: in user space, in the kernel, or in the kernel when they are sent only. `needs` come on top of the VPN's.
    """

    records: Literal["user", "kernel", "kernel-tx"]
    wire: str
    needs: Needs = Needs()
    suites: Only | None = None
    proof: Proof | None = None


class VpnFile(Document):
    """The contents of `images/<vpn>/vpn.yaml`."""

    title: str
    summary: str
    dialect: NAME
    interface: str
    addresses: Literal["tunnel", "wire"] = "tunnel"
    encrypts: bool = True
    control: bool = False
    variants: Annotated[dict[NAME, Variant], Field(min_length=1)]
    needs: Needs = Needs()
    packages: list[str] = []
    absent: str = ""
    proof: Proof = Proof()


@dataclass(frozen=True)
class Vpn:
    """One VPN: its name is its folder's."""

    name: str
    folder: Path
    file: VpnFile

    def proof(self, variant: str) -> Proof:
        """How `variant` is proved: its own way where it has one, the VPN's otherwise."""
        return self.file.variants[variant].proof or self.file.proof

    def needs(self, variant: str) -> Needs:
        """What both ends need for `variant`: what the VPN always needs, and what this data path needs beyond."""
        return self.file.needs + self.file.variants[variant].needs

    def why_not(self, variant: str, suite: Suite) -> str:
        """Why `variant` has no such suite, empty where it has: the row's reason, the VPN's, or the variant's own."""
        dialect = self.file.dialect
        if dialect in suite.native:
            only = self.file.variants[variant].suites
            return only.otherwise if only and not re.fullmatch(only.match, suite.native[dialect]) else ""
        return suite.absent.get(dialect) or self.file.absent or f"the {dialect} dialect has no name for {suite.suite}"
