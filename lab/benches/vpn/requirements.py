# SPDX-License-Identifier: MIT
"""What the engine's machine lacks for a data path, checked before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from docker.errors import APIError

from lab.catalog.vpns import KernelFeature, Needs, Vpn
from lab.engines.engine import Engine, because
from lab.testbed import topology

BASE = "lab/base:latest"
"""The image of the probes: a kernel can be asked before the image of any VPN is built."""
NOT_PROBED = ("image", "command", "hostname", "environment")
"""Options of an endpoint that a container that only probes the kernel does not need."""

CONFIG = "for f in /proc/config.gz; do [ -r $f ] && zcat $f; done; :"


def lacks(engine: Engine, vpns: Sequence[Vpn]) -> dict[tuple[str, str], str]:
    """Why this engine cannot run a data path, by VPN and variant; a data path that it can run has no entry.

    Only the base image must be there.
    """
    machine = _Machine(engine)
    reasons: dict[tuple[str, str], str] = {}
    for vpn in vpns:
        common = machine.missing(vpn.file.needs)
        for name, variant in vpn.file.variants.items():
            has_own = variant.needs != Needs() and not common
            if reason := machine.missing(vpn.needs(name)) if has_own else common:
                reasons[vpn.name, name] = f"{reason}; try --engine vm" if engine.name == "host" else reason
    return reasons


@dataclass
class _Machine:
    """What an engine's machine was asked; nothing is asked twice."""

    engine: Engine
    answers: dict[str, str] = field(default_factory=dict)

    def missing(self, needs: Needs) -> str:
        """The first of `needs` that the machine lacks, and why; empty if it has all."""
        key = needs.model_dump_json()
        if key not in self.answers:
            self.answers[key] = self._ask(needs)
        return self.answers[key]

    def _ask(self, needs: Needs) -> str:
        end = topology.load().resolve({}).services["server"].limited_to(needs)
        options = {key: value for key, value in end.options().items() if key not in NOT_PROBED}
        try:
            if needs.devices:
                self.engine.once(BASE, ["true"], **options)
            for feature in needs.kernel:
                result = self.engine.once(BASE, feature.probe, **options)
                if result.status:
                    kernel = self.engine.facts.get("KernelVersion", "?")
                    return reason(feature, self.config, kernel, result.complaint)
        except APIError as error:
            return f"the engine does not give the devices {', '.join(needs.devices)}: {because(error)}"
        return ""

    @cached_property
    def config(self) -> dict[str, str]:
        """The options that the kernel was built with; empty if the kernel does not report them."""
        text = self.engine.once(BASE, ["sh", "-c", CONFIG]).stdout
        lines = [line.split("=", 1) for line in text.splitlines() if line.startswith("CONFIG_")]
        return dict(lines)


def reason(feature: KernelFeature, config: dict[str, str], kernel: str, complaint: str) -> str:
    """Name what is missing, and how that is known."""
    setting = config.get(feature.config)
    if not config:
        why = f"its probe says: {complaint.splitlines()[-1]} (it takes {feature.config})"
    elif setting is None:
        why = f"{feature.config} is not set"
    else:
        why = f"{feature.config}={setting}, but its probe says: {complaint.splitlines()[-1]}"
    return f"kernel {kernel} has no {feature.feature}: {why}"
