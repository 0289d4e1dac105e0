"""What exists: the VPNs under `images/`, the ciphersuites of `ciphers.yaml`. Nothing here knows one by name."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lab.documents import Document, read
from lab.errors import UsageError, unknown

ROOT = Path(os.environ.get("LAB_ROOT") or Path(__file__).resolve().parent.parent)
"""The folder of docker-compose.yml, images/ and lab/ciphers.yaml: this checkout, or the one that LAB_ROOT names."""

NAME = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=40)]


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


class Suite(Document):
    """One ciphersuite by the lab's name, and what each dialect calls it."""

    suite: NAME
    title: str
    quick: bool = False
    encrypts: bool = True
    native: dict[NAME, str] = {}
    absent: dict[NAME, str] = {}


@dataclass(frozen=True)
class Catalog:
    """Everything that can be compared. `root` holds `images/`; `ciphers` is the table of suites."""

    root: Path = ROOT
    ciphers: Path = ROOT / "lab" / "ciphers.yaml"

    @cached_property
    def vpns(self) -> dict[str, Vpn]:
        """Each VPN by name: each folder of `images/` that has a vpn.yaml; controls first."""
        files = sorted((self.root / "images").glob("*/vpn.yaml"))
        if not files:
            raise UsageError(f"there is no VPN: no {self.root}/images/*/vpn.yaml", "LAB_ROOT names where images/ is")
        found = [Vpn(path.parent.name, path.parent, read(path, VpnFile)) for path in files]
        return {vpn.name: vpn for vpn in sorted(found, key=lambda vpn: (not vpn.file.control, vpn.name))}

    @cached_property
    def suites(self) -> dict[str, Suite]:
        """Each suite by name, in the order of the file."""
        rows = read(self.ciphers, list[Suite])
        if not rows:
            raise UsageError(f"{self.ciphers}: there is no suite in it", "it needs a row for each")
        table = {row.suite: row for row in rows}
        if len(table) != len(rows):
            names = [row.suite for row in rows]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise UsageError(f"{self.ciphers}: suite named twice: {', '.join(twice)}")
        return table

    def choose_vpns(self, names: Sequence[str]) -> list[Vpn]:
        """The VPNs named, and the controls: a comparison without its sentinel cannot be judged."""
        wanted = set(names or self.vpns)
        for name in names:
            if name not in self.vpns:
                raise unknown("VPN", name, self.vpns)
        return [vpn for vpn in self.vpns.values() if vpn.name in wanted or vpn.file.control]

    def choose_suites(self, names: Sequence[str]) -> list[Suite]:
        """The suites named; `all` and `quick` name sets."""
        sets = ("all", "quick")
        for name in names:
            if name not in self.suites and name not in sets:
                raise unknown("suite", name, [*self.suites, *sets])
        if not names or "all" in names:
            return list(self.suites.values())
        return [row for row in self.suites.values() if row.suite in names or ("quick" in names and row.quick)]
