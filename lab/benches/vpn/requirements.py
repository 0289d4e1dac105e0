# SPDX-License-Identifier: MIT
"""What the engine's machine lacks for a data path or a wire, checked before anything starts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from docker.errors import APIError, ImageNotFound

from lab.catalog.vpns import KernelFeature, Needs, Vpn
from lab.catalog.wires import Wire
from lab.core.command import Result
from lab.core.errors import LabError
from lab.core.signals import undisturbed
from lab.engines.engine import LOST, Engine, because, once_name
from lab.testbed import testbed, topology

BASE = "lab/base:latest"
"""The image of the probes: a kernel can be asked before the image of any VPN is built."""
NOT_PROBED = ("image", "command", "hostname", "environment")
"""Options of an endpoint that a container that only probes the kernel does not need."""
CONFIG = ["sh", "-c", "for f in /proc/config.gz; do [ -r $f ] && zcat $f; done; :"]
"""The command that prints the options that a kernel was built with, if the kernel reports them."""
STARTS = ["true"]
"""The command that probes devices: a container that starts has them."""
AT_ONCE = 8
"""Probes that run side by side. Each is a container that mostly waits for the engine."""


def lacks(engine: Engine, vpns: Sequence[Vpn]) -> dict[tuple[str, str], str]:
    """Why this engine cannot run a data path, by VPN and variant; a data path that it can run has no entry.

    Only the base image must be there. In a guest, the modules that they need are loaded first.
    """
    load(engine, vpns)
    reasons: dict[tuple[str, str], str] = {}
    with _probing(engine) as probes:
        for vpn in vpns:
            for own in [Needs(), *(variant.needs for variant in vpn.file.variants.values())]:
                probes.start(vpn.file.needs + own, features(vpn, own))
        for vpn in vpns:
            common = _missing(probes, vpn.file.needs, vpn.file.needs.kernel)
            for name, variant in vpn.file.variants.items():
                own = variant.needs
                if reason := common or _missing(probes, vpn.file.needs + own, features(vpn, own)):
                    reasons[vpn.name, name] = _with_way_out(engine, reason)
    return reasons


def lacks_wires(engine: Engine, wires: Sequence[Wire]) -> dict[str, str]:
    """Why this engine cannot have a wire, by its name; of one that it can have, nothing. Raises what `lacks` raises."""
    reasons = {}
    with _probing(engine) as probes:
        for wire in wires:
            if reason := _missing(probes, wire.needs, wire.needs.kernel):
                reasons[wire.wire] = _with_way_out(engine, reason)
    return reasons


def _with_way_out(engine: Engine, reason: str) -> str:
    return f"{reason}; try --engine vm" if engine.name == "host" else reason


def load(engine: Engine, vpns: Sequence[Vpn]) -> None:
    """Load the modules that data paths need, if the engine's machine is the lab's own: a guest.

    Where one cannot be loaded, the feature's probe says so.
    """
    if not engine.facts.get("guest"):
        return
    features = [feature for vpn in vpns for name in vpn.file.variants for feature in vpn.needs(name).kernel]
    modules = {feature.module.image: feature.module for feature in features if feature.module}
    for module in modules.values():
        with suppress(ImageNotFound):
            engine.once(f"lab/{module.image}:latest", module.load, timeout=60, cap_add=["SYS_MODULE"])


@dataclass(frozen=True)
class Probes:
    """Probes that run side by side. The same probe runs once, whoever asks for it."""

    engine: Engine
    pool: ThreadPoolExecutor
    futures: dict[str, Future[Result]] = field(default_factory=dict)

    def start(self, needs: Needs, features: Sequence[KernelFeature]) -> None:
        """Start the probes of `features` in a container with these needs, and that of its devices."""
        if needs.devices:
            self.probe(needs, STARTS)
        for feature in features:
            self.probe(needs, feature.probe)
            self._config()

    def config(self) -> dict[str, str]:
        """The options that the engine's kernel was built with; empty if the kernel does not report them."""
        lines = self._config().result().stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if line.startswith("CONFIG_"))

    def _config(self) -> Future[Result]:
        return self._once(BASE, CONFIG, {})

    def probe(self, needs: Needs, argv: Sequence[str]) -> Future[Result]:
        """The result of a command in a container with these needs. It raises APIError if a device is refused."""
        end = topology.load().resolve({}).services["server"].limited_to(needs)
        options = {key: value for key, value in end.options().items() if key not in NOT_PROBED}
        return self._once(BASE, argv, options)

    def _once(self, image: str, argv: Sequence[str], options: Mapping[str, Any]) -> Future[Result]:
        key = json.dumps([image, argv, options], sort_keys=True)
        if key not in self.futures:
            self.futures[key] = self.pool.submit(self.engine.once, image, argv, **options)
        return self.futures[key]


def features(vpn: Vpn, own: Needs) -> list[KernelFeature]:
    """The kernel features to probe for a variant's `own` needs; those of the VPN, if the variant has none."""
    return vpn.file.needs.kernel if own == Needs() else own.kernel


@contextmanager
def _probing(engine: Engine) -> Iterator[Probes]:
    """Probes of an engine. If the block fails or is stopped, those that still run are removed at once."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        probes = Probes(engine, pool)
        try:
            yield probes
        except BaseException:
            with undisturbed():
                pool.shutdown(wait=False, cancel_futures=True)
                while wait(probes.futures.values(), timeout=0.1).not_done:
                    with suppress(LabError, *LOST):
                        testbed.sweep(engine, once_name())
            raise


def _missing(probes: Probes, needs: Needs, features: Sequence[KernelFeature]) -> str:
    """What is missing of `features` and of the devices of `needs`."""
    try:
        if needs.devices:
            probes.probe(needs, STARTS).result()
        for feature in features:
            result = probes.probe(needs, feature.probe).result()
            if result.status:
                kernel = probes.engine.facts.get("KernelVersion", "?")
                return reason(feature, probes.config(), kernel, result.complaint)
    except APIError as error:
        return f"the engine does not give the devices {', '.join(needs.devices)}: {because(error)}"
    return ""


def reason(feature: KernelFeature, config: Mapping[str, str], kernel: str, complaint: str) -> str:
    """Name what is missing, and how that is known."""
    setting = config.get(feature.config or "")
    if feature.module:
        why = f"its probe says: {complaint.splitlines()[-1]} (it takes the module of {feature.module.image}/)"
    elif not config:
        why = f"its probe says: {complaint.splitlines()[-1]} (it takes {feature.config})"
    elif setting is None:
        why = f"{feature.config} is not set"
    else:
        why = f"{feature.config}={setting}, but its probe says: {complaint.splitlines()[-1]}"
    return f"kernel {kernel} has no {feature.feature}: {why}"
