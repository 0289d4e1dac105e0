# SPDX-License-Identifier: MIT
"""The model of `images/<vpn>/vpn.yaml`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from lab.catalog import filters
from lab.catalog.suites import Suite
from lab.core.documents import NAME, Document, Misfit

SESSION = "session"
"""The group of a suite's pattern that tells one session from the next."""
COUNTERS = ("rx", "tx")
PACKAGED = "packaged"
"""The name of a set of variants, in the place of theirs: `Variant.packaged`."""


def _regex(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


class Probe(Document):
    """A command that runs at one endpoint, and the regular expression for the answer in its output."""

    run: Annotated[list[str], Field(min_length=1)]
    match: Annotated[str, AfterValidator(_regex)]


class Ends(Document):
    """One probe for each endpoint."""

    server: Probe
    client: Probe


BACK = re.compile(r"\(\?P=(\w+)\)")
"""A reference of a pattern to one of its own groups."""


class Proof(Document):
    """How to read a tunnel's suite, and optionally its own byte counters.

    The suite is what the groups without a name hold. The group `session` is another one once the tunnel came up again.
    Any other with a name is there for the pattern itself, which refers back to it: `(?P=device)`.
    Of the counters, the groups `rx` and `tx` are bytes.
    """

    suite: Ends | None = None
    counters: Ends | None = None

    @model_validator(mode="after")
    def _groups_are_there(self) -> Proof:
        for end in Ends.model_fields:
            if self.suite:
                pattern = re.compile(getattr(self.suite, end).match)
                named = set(pattern.groupindex)
                if pattern.groups == len(named) or not named <= {SESSION, *BACK.findall(pattern.pattern)}:
                    message = f"a group without a name is wanted, for the suite, and none with one but `{SESSION}`"
                    raise Misfit(f"{message}, got {_groups(pattern)}", "suite", end, "match")
            if self.counters:
                pattern = re.compile(getattr(self.counters, end).match)
                if set(pattern.groupindex) != {*COUNTERS}:
                    message = f"the named groups `rx` and `tx` are wanted, got {_groups(pattern)}"
                    raise Misfit(message, "counters", end, "match")
        return self


def _groups(pattern: re.Pattern[str]) -> str:
    names = [*(f"`{name}`" for name in pattern.groupindex)]
    nameless = pattern.groups - len(names)
    return f"{', '.join(names) or 'none'} and {nameless} without a name"


class Module(Document):
    """A kernel module that is not the kernel's own: the image that has it, and the command there that loads it."""

    image: str
    load: Annotated[list[str], Field(min_length=1)]


class KernelFeature(Document):
    """A feature that the kernel must have. `probe`, in a container of the base image, exits 0 if it is there.

    It takes an option that the kernel was built with, or a `module` that the lab loads in guests, and nowhere else.
    """

    feature: str
    config: Annotated[str | None, Field(pattern=r"^CONFIG_[A-Z0-9_]+$")] = None
    module: Module | None = None
    probe: Annotated[list[str], Field(min_length=1)]

    @model_validator(mode="after")
    def _takes_one(self) -> KernelFeature:
        if (self.config is None) == (self.module is None):
            raise ValueError(f"{self.feature}: either `config` or `module`")
        return self


class Needs(Document):
    """What both endpoints of a VPN need. docker-compose.yml must grant all of it; the containers get no more."""

    capabilities: list[str] = []
    devices: list[str] = []
    kernel: list[KernelFeature] = []

    def __add__(self, more: Needs) -> Needs:
        """The union of both, without duplicates."""
        return Needs(
            capabilities=list(dict.fromkeys(self.capabilities + more.capabilities)),
            devices=list(dict.fromkeys(self.devices + more.devices)),
            kernel=self.kernel + [feature for feature in more.kernel if feature not in self.kernel],
        )


class Only(Document):
    """The suites of a variant that has fewer than its VPN: a pattern of native names, and why the others are absent."""

    match: Annotated[str, AfterValidator(_regex)]
    otherwise: str


Port = Annotated[str, Field(pattern=r"^(tcp|udp)/[1-9][0-9]{0,4}$")]
"""A port and its protocol: `udp/1194`."""


class Variant(Document):
    """A data path of a VPN: where it processes records, and its packet format on the wire.

    `records`: in user space, in the kernel, or in the kernel for sending only. `needs` are added to the VPN's. `image`
    names another image than the VPN's own: it is built only where a machine can run this variant. `settle` is how many
    seconds a tunnel is left alone before a load, so that every load finds the daemons in the same state. `single`: why
    its server has one client alone, if that of its VPN has more. `listens` is in place of the VPN's.
    """

    records: Literal["user", "kernel", "kernel-tx"]
    image: NAME | None = None
    settle: Annotated[float, Field(ge=0, le=60)] = 0.0
    wire: Annotated[str, AfterValidator(filters.valid)]
    listens: list[Port] | None = None
    needs: Needs = Needs()
    suites: Only | None = None
    proof: Proof | None = None
    single: str = ""

    @property
    def packaged(self) -> bool:
        """Whether its programs are as the distribution packages them: it runs in its VPN's own image."""
        return self.image is None


class VpnFile(Document):
    """The contents of `images/<vpn>/vpn.yaml`.

    `many`: its server has as many clients as there are. `interfaces`: a pattern of those that a server has then, one
    for each client, if not the one `interface` for all. `listens`: the ports at which the server waits, and no other.
    """

    title: str
    summary: str
    dialect: NAME
    interface: Annotated[str, Field(pattern=r"^[^\s/]{1,15}$")]
    interfaces: Annotated[str | None, AfterValidator(lambda pattern: pattern and _regex(pattern))] = None
    many: bool = False
    listens: list[Port] = []
    addresses: Literal["tunnel", "wire"] = "tunnel"
    encrypts: bool = True
    control: bool = False
    variants: Annotated[dict[NAME, Variant], Field(min_length=1)]
    needs: Needs = Needs()
    packages: list[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9+.-]+$")]] = []
    absent: str = ""
    proof: Proof = Proof()

    @model_validator(mode="after")
    def _variants_are_named_and_proved(self) -> VpnFile:
        if PACKAGED in self.variants:
            raise Misfit(f"`{PACKAGED}` is the name of a set of variants: choose another", "variants", PACKAGED)
        for name, variant in self.variants.items():
            if not self.control and (variant.proof or self.proof).suite is None:
                raise Misfit("nothing proves its suite: `suite` is missing under its `proof`, or under the VPN's",
                             "variants", name)  # fmt: skip
        return self


@dataclass(frozen=True)
class Vpn:
    """One VPN. Its name is that of its folder."""

    name: str
    folder: Path
    file: VpnFile

    def limited(self, names: Sequence[str]) -> Vpn:
        """This VPN with those of its variants alone that `names` has, by their own name or as `packaged`."""
        left = {
            name: variant
            for name, variant in self.file.variants.items()
            if name in names or (PACKAGED in names and variant.packaged)
        }
        return replace(self, file=self.file.model_copy(update={"variants": left}))

    def proof(self, variant: str) -> Proof:
        """The proof of `variant`: its own if it has one, else the VPN's."""
        return self.file.variants[variant].proof or self.file.proof

    def listens(self, variant: str) -> list[str]:
        """The ports at which the server of `variant` waits."""
        own = self.file.variants[variant].listens
        return self.file.listens if own is None else own

    def image(self, variant: str) -> str:
        """The name of the image that `variant` runs in."""
        return self.file.variants[variant].image or self.name

    def needs(self, variant: str) -> Needs:
        """What both endpoints need for `variant`: the needs of the VPN and those of this data path."""
        return self.file.needs + self.file.variants[variant].needs

    def images(self, variant: str) -> list[str]:
        """The names of the images that `variant` takes: the VPN's, its own, those of modules that it needs."""
        modules = [feature.module.image for feature in self.needs(variant).kernel if feature.module]
        return list(dict.fromkeys([self.name, self.image(variant), *modules]))

    def why_single(self, variant: str) -> str:
        """Why a server of `variant` has one client alone; empty if it has as many as there are."""
        one = "" if self.file.many else f"the server of {self.file.title} has one client here (vpn.yaml: `many`)"
        return self.file.variants[variant].single or one

    def why_not(self, variant: str, suite: Suite) -> str:
        """Why `variant` lacks the suite; empty if it has it. The reason is the suite's, the VPN's or the variant's."""
        dialect = self.file.dialect
        if dialect in suite.native:
            only = self.file.variants[variant].suites
            return only.otherwise if only and not re.fullmatch(only.match, suite.native[dialect]) else ""
        return suite.absent.get(dialect) or self.file.absent or f"the {dialect} dialect has no name for {suite.suite}"
