# SPDX-License-Identifier: MIT
"""A wire: a row of `wires.yaml`, here or in the user's folder. What it does to packets is netem's (tc-netem(8))."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from lab.catalog.vpns import KernelFeature, Needs
from lab.core.documents import NAME, Document

TIMES = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}
RATES = {"bit/s": 1, "kbit/s": 10**3, "Mbit/s": 10**6, "Gbit/s": 10**9}
SHARES = {"%": 10**4}
"""In millionths: what is left of a per cent after its decimals is a whole number, as of all other units here."""
LIMIT = 100_000
"""Packets that a wire holds if it does not say: more than are under way on any, so that nothing is dropped for it."""

LEAST_OF_IPV6 = 1280
"""The least MTU of a link with IPv6 (RFC 8200, section 5)."""

Way = Literal["up", "down"]
WAYS: tuple[Way, ...] = ("up", "down")


def _amount(units: dict[str, int], example: str, most: str) -> Callable[[object], int]:
    """Reads a number with its unit, up to `most`, as a whole number of the smallest unit."""

    def number(value: object) -> Decimal:
        found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(\S+)", value) if isinstance(value, str) else None
        if found is None or found[2] not in units:
            raise ValueError(f"{value!r} is no number with a unit, such as {example}; units: {', '.join(units)}")
        return Decimal(found[1]) * units[found[2]]

    def read(value: object) -> int:
        amount = number(value)
        if amount != int(amount) or not 0 < amount <= number(most):
            raise ValueError(
                f"at least {_text(1, units)} and at most {most} is wanted, in steps of the former, got {value}"
            )
        return int(amount)

    return read


def _text(amount: int, units: dict[str, int]) -> str:
    """An amount with the largest unit of which it is at least one: 250000 as `250us`."""
    name, factor = next(
        ((name, factor) for name, factor in reversed(units.items()) if amount >= factor), next(iter(units.items()))
    )
    return f"{Decimal(amount) / factor:f}{name}"


Time = Annotated[int, BeforeValidator(_amount(TIMES, "`2ms`", "10s"))]
"""Nanoseconds."""
Rate = Annotated[int, BeforeValidator(_amount(RATES, "`20Mbit/s`", "100Gbit/s"))]
"""Bits a second."""
Share = Annotated[int, BeforeValidator(_amount(SHARES, "`0.25%`", "50%"))]
"""Millionths."""

NEEDS = Needs(
    capabilities=["NET_ADMIN"],
    kernel=[
        KernelFeature(
            feature="netem",
            config="CONFIG_NET_SCH_NETEM",
            probe=["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"],
        )
    ],
)
"""What a machine must have whose wires do anything to packets. The kernel loads the module itself, if it has one."""


class Netem(Document):
    """What happens to packets on one way."""

    delay: Time | None = None
    jitter: Time | None = None
    loss: Share | None = None
    duplicate: Share | None = None
    reorder: Share | None = None
    rate: Rate | None = None
    limit: Annotated[int, Field(ge=1, le=1_000_000)] | None = None

    def words(self, seed: int) -> list[str]:
        """The options of netem for `tc`. With the same `seed` the n-th packet has the same fate."""
        words = ["limit", str(self.limit or LIMIT)]
        if self.delay:
            words += ["delay", *(f"{time}ns" for time in (self.delay, self.jitter) if time)]
        for name, share in (("loss", self.loss), ("duplicate", self.duplicate), ("reorder", self.reorder)):
            words += [name, _text(share, SHARES)] if share else []
        if self.rate:
            words += ["rate", f"{self.rate}bit"]
        return [*words, "seed", str(seed)]

    def told(self) -> dict[str, float]:
        """What `tc -j qdisc show` must say of it: in seconds, fractions and bytes a second."""
        told: dict[str, float | None] = {
            "limit": self.limit or LIMIT,
            "delay.delay": self.delay and self.delay / 1e9,
            "delay.jitter": self.jitter and self.jitter / 1e9,
            "loss-random.loss": self.loss and self.loss / 1e6,
            "duplicate.duplicate": self.duplicate and self.duplicate / 1e6,
            "reorder.reorder": self.reorder and self.reorder / 1e6,
            "rate.rate": self.rate and self.rate / 8,
        }
        return {key: value or 0.0 for key, value in told.items()}

    def __str__(self) -> str:
        parts = [f"{_text(self.rate, RATES)}"] if self.rate else []
        parts += [f"{_text(self.delay, TIMES)} delay"] if self.delay else []
        parts += [f"± {_text(self.jitter, TIMES)} jitter"] if self.jitter else []
        shares = (("lost", self.loss), ("doubled", self.duplicate), ("out of order", self.reorder))
        parts += [f"{_text(share, SHARES)} {name}" for name, share in shares if share]
        parts += [f"at most {self.limit} packets"] if self.limit else []
        return ", ".join(parts)


IPV6 = Needs(kernel=[KernelFeature(feature="IPv6", config="CONFIG_IPV6", probe=["test", "-d", "/proc/sys/net/ipv6"])])
"""What a machine must have for IPv6 on the wire or in the tunnel."""


class Wire(Netem):
    """A wire: what both ways have, what one has beyond or instead, and the MTU of both ends' interfaces.

    `ip` is the version of the Internet Protocol on it, and `inside` the one in the tunnel. Without a VPN the load
    itself is on the wire: in IPv6 if one of the two is.
    """

    wire: NAME
    title: str
    whole: bool = False
    up: Netem = Netem()
    down: Netem = Netem()
    mtu: Annotated[int, Field(ge=576, le=9000)] | None = None
    ip: Literal[4, 6] = 4
    inside: Literal[4, 6] = 4

    def way(self, way: Way) -> Netem:
        """What happens to packets that go `up`, client to server, or `down`."""
        own: Netem = getattr(self, way)
        names = Netem.model_fields
        common = {name: getattr(self, name) for name in names}
        return Netem.model_construct(**common | {name: getattr(own, name) for name in own.model_fields_set})

    @property
    def shaped(self) -> list[Way]:
        """The ways on which something happens to packets."""
        return [way for way in WAYS if self.way(way) != Netem()]

    @property
    def ipv6(self) -> bool:
        """Whether anything on it or in the tunnel is IPv6."""
        return 6 in (self.ip, self.inside)

    @property
    def needs(self) -> Needs:
        """What the engine's machine must have for it."""
        return (NEEDS if self.shaped else Needs()) + (IPV6 if self.ipv6 else Needs())

    @property
    def sentence(self) -> str:
        """What it is and all that it does, in words."""
        up, down = (str(self.way(way)) for way in WAYS)
        ways = [f"{up} each way"] if up == down and up else [f"{way} {text}" for way, text in
                                                              (("up", up), ("down", down)) if text]  # fmt: skip
        parts = [
            self.title,
            "" if self.whole else "each packet by itself",
            "IPv6" if self.ip == 6 else "",
            "IPv6 in the tunnel" if self.inside == 6 else "",
            *ways,
            f"MTU {self.mtu}" if self.mtu else "",
        ]
        return "; ".join(part for part in parts if part)

    @model_validator(mode="after")
    def _fits(self) -> Wire:
        if self.whole and self.model_fields_set - {"wire", "title", "whole", "ip", "inside"}:
            raise ValueError(
                f"{self.wire}: a `whole` wire does nothing to packets: what else is said here needs a cut one"
            )
        if self.ipv6 and (self.mtu or LEAST_OF_IPV6) < LEAST_OF_IPV6:
            raise ValueError(f"{self.wire}: IPv6 takes an `mtu` of at least {LEAST_OF_IPV6}, got {self.mtu}")
        for way in WAYS:
            netem = self.way(way)
            if (netem.jitter or 0) > (netem.delay or 0):
                raise ValueError(f"{self.wire}: {way}: `jitter` is at most the `delay`")
            if netem.reorder and not netem.delay:
                raise ValueError(
                    f"{self.wire}: {way}: `reorder` takes a `delay`: what arrives at once overtakes the others"
                )
            if netem.limit and not (netem.delay or netem.rate):
                raise ValueError(
                    f"{self.wire}: {way}: `limit` takes a `delay` or a `rate`: without, the wire holds nothing"
                )
        return self


def fits(netem: Netem, shown: Mapping[str, Any]) -> str:
    """What differs of `netem` in what `tc -j qdisc show` said of one qdisc; empty if it is as asked for."""
    if shown.get("kind") != "netem":
        return f"{shown.get('kind')} instead of netem"
    for key, wanted in netem.told().items():
        value: Any = shown.get("options", {})
        for part in key.split("."):
            value = value.get(part, 0) if isinstance(value, Mapping) else value
        if abs(value - wanted) > wanted / 1000:  # the kernel has 32 bits for a share
            return f"{key} {value:g} instead of {wanted:g}"
    return ""
