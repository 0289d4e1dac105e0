# SPDX-License-Identifier: MIT
"""What the engine's machine lacks for a data path, checked before anything starts."""

from __future__ import annotations

from collections.abc import Sequence

from docker.errors import APIError

from lab.catalog.vpns import KernelFeature, Needs, Vpn
from lab.engines.engine import Engine, because
from lab.testbed import topology

NOT_PROBED = ("image", "command", "hostname", "environment")
"""Options of an endpoint that a container that only probes the kernel does not need."""

CONFIG = "for f in /proc/config.gz; do [ -r $f ] && zcat $f; done; :"


def lacks(engine: Engine, vpns: Sequence[Vpn]) -> dict[tuple[str, str], str]:
    """Why this engine cannot run a data path, by VPN and variant; a data path that it can run has no entry."""
    reasons: dict[tuple[str, str], str] = {}
    for vpn in vpns:
        common = _missing(engine, vpn, vpn.file.needs)
        for name, variant in vpn.file.variants.items():
            has_own = variant.needs != Needs() and not common
            if reason := _missing(engine, vpn, vpn.needs(name)) if has_own else common:
                reasons[vpn.name, name] = f"{reason}; try --engine vm" if engine.name == "host" else reason
    return reasons


def _missing(engine: Engine, vpn: Vpn, needs: Needs) -> str:
    end = topology.load().resolve({"LAB_VPN": vpn.name}).services["server"].limited_to(needs)
    options = {key: value for key, value in end.options().items() if key not in NOT_PROBED}
    try:
        if needs.devices:
            engine.once(end.image, ["true"], **options)
        for feature in needs.kernel:
            result = engine.once(end.image, feature.probe, **options)
            if result.status:
                kernel = engine.facts.get("KernelVersion", "?")
                return reason(feature, kernel_config(engine), kernel, result.complaint)
    except APIError as error:
        return f"the engine does not give the devices {', '.join(needs.devices)}: {because(error)}"
    return ""


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


def kernel_config(engine: Engine) -> dict[str, str]:
    """The options that the engine's kernel was built with; empty if the kernel does not report them."""
    text = engine.once("lab/base:latest", ["sh", "-c", CONFIG]).stdout
    lines = [line.split("=", 1) for line in text.splitlines() if line.startswith("CONFIG_")]
    return dict(lines)
