"""What the engine's kernel lacks, found before anything starts."""

from __future__ import annotations

from collections.abc import Sequence

from lab import topology
from lab.catalog import KernelFeature, Vpn
from lab.engine import Engine

NOT_PROBED = ("image", "command", "hostname", "environment")
"""What a container that only probes the kernel does not take from the end it stands for."""

CONFIG = "for f in /proc/config.gz; do [ -r $f ] && zcat $f; done; :"


def lacks(engine: Engine, vpns: Sequence[Vpn]) -> dict[str, str]:
    """Why this engine cannot run a VPN, by the VPN's name; a VPN that it can run is not in it."""
    if not any(vpn.file.needs.kernel for vpn in vpns):
        return {}
    config = kernel_config(engine)
    found = {vpn.name: _missing(engine, vpn, config) for vpn in vpns}
    return {name: reason for name, reason in found.items() if reason}


def _missing(engine: Engine, vpn: Vpn, config: dict[str, str]) -> str:
    end = topology.load().resolve({"LAB_VPN": vpn.name}).services["server"].limited_to(vpn.file.needs)
    options = {key: value for key, value in end.options().items() if key not in NOT_PROBED}
    for feature in vpn.file.needs.kernel:
        result = engine.once(end.image, feature.probe, **options)
        if result.status:
            return reason(feature, config, engine.facts.get("KernelVersion", "?"), result.complaint)
    return ""


def reason(feature: KernelFeature, config: dict[str, str], kernel: str, complaint: str) -> str:
    """Name what is missing, how that is known, and the way out."""
    setting = config.get(feature.config)
    if not config:
        why = f"its probe says: {complaint.splitlines()[-1]}"
    elif setting is None:
        why = f"{feature.config} is not set"
    else:
        why = f"{feature.config}={setting}, but its probe says: {complaint.splitlines()[-1]}"
    return f"kernel {kernel} has no {feature.feature}: {why}"


def kernel_config(engine: Engine) -> dict[str, str]:
    """The options that the engine's kernel was built with; empty where it does not tell."""
    text = engine.once("lab/base:latest", ["sh", "-c", CONFIG]).stdout
    lines = [line.split("=", 1) for line in text.splitlines() if line.startswith("CONFIG_")]
    return dict(lines)
