# SPDX-License-Identifier: MIT
"""What this machine can run, what it lacks, and the fix for each: all checks of a run, done beforehand."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lab.benches.vpn.bench import data_paths, image_names, lacking
from lab.catalog.catalog import Catalog
from lab.core.errors import LabError
from lab.core.paths import ROOT
from lab.engines import images, ownership
from lab.engines.engine import Engine, connect
from lab.testbed import testbed

DISK = 8 * 10**9
"""Bytes that images, a guest's disk, runs and payloads may need together."""


@dataclass(frozen=True)
class Finding:
    """One thing examined; `fix` is the next step if it is not `ok`."""

    what: str
    state: Literal["ok", "missing", "unsupported", "note"]
    detail: str
    fix: str = ""

    def shown(self) -> dict[str, Any]:
        """As a row of a table."""
        return {"what": self.what, "state": self.state, "detail": self.detail, "fix": self.fix}


def examine(catalog: Catalog) -> list[Finding]:
    """Examine the machine, the engine, the images and each VPN; nothing is changed."""
    findings = list(_machine())
    try:
        engine = connect()
    except LabError as error:
        return [*findings, Finding("Docker engine", "missing", error.message, error.hint)]
    findings.append(
        Finding("Docker engine", "ok", f"{engine.facts['ServerVersion']}, kernel {engine.facts['KernelVersion']}")
    )
    vpns = list(catalog.vpns.values())
    lacks = lacking(engine, catalog, vpns)
    runnable = [(vpn, variant) for vpn, variant in data_paths(vpns) if (vpn.name, variant) not in lacks]
    findings += _images(engine, catalog, image_names(runnable))
    findings += _vpns(engine, catalog, lacks)
    forgotten = [name for name, state in testbed.labs(engine).items() if state is ownership.State.FORGOTTEN]
    if forgotten:
        findings.append(
            Finding("labs left behind", "note", ", ".join(forgotten), "`lab down --all`, or the next run removes them")
        )
    return findings


def _machine() -> Iterator[Finding]:
    cores = os.cpu_count() or 1
    if cores < 2:
        yield Finding("processors", "note", "1: both ends and the load share it", "compare ratios, not rates")
    else:
        yield Finding("processors", "ok", str(cores))
    free = shutil.disk_usage(ROOT).free
    state: Literal["ok", "missing"] = "ok" if free > DISK else "missing"
    yield Finding(
        "disk", state, f"{free / 1e9:.0f} GB free", "" if state == "ok" else f"make room: {DISK / 1e9:.0f} GB"
    )
    if Path("/dev/net/tun").exists():
        yield Finding("/dev/net/tun", "ok", "present")
    else:
        yield Finding("/dev/net/tun", "missing", "user-space VPNs need it", "modprobe tun")


def _images(engine: Engine, catalog: Catalog, needed: Collection[str]) -> Iterator[Finding]:
    """The images; those that `lab matrix` does not need on this machine are no fault where they are missing."""
    for folder in images.folders(catalog.root / "images"):
        tag = images.tag_of(folder)
        if images.is_current(engine, folder):
            size = engine.client.images.get(tag).attrs["Size"]
            yield Finding(f"image {folder.name}", "ok", f"{size / 1e6:.0f} MB with what it stands on")
            continue
        detail = "out of date" if engine.image_id(tag) else "not built"
        if folder.name in needed:
            yield Finding(f"image {folder.name}", "missing", detail, "`lab build`")
        else:
            yield Finding(
                f"image {folder.name}", "note", f"{detail}; `lab matrix` does not need it here", "`lab build`"
            )


def _vpns(engine: Engine, catalog: Catalog, lacks: Mapping[tuple[str, str], str]) -> Iterator[Finding]:
    controls = {vpn.file.dialect for vpn in catalog.vpns.values() if vpn.file.control}
    suites = [suite for suite in catalog.suites.values() if set(suite.native) - controls]
    for vpn in catalog.vpns.values():
        count = sum(1 for suite in suites if vpn.file.dialect in suite.native)
        runnable = [name for name in vpn.file.variants if (vpn.name, name) not in lacks]
        if runnable and not images.is_current(engine, vpn.folder):
            yield Finding(f"VPN {vpn.name}", "missing", "its image is not built as it is now", "`lab build`")
        elif runnable:
            spoken = "the control" if vpn.file.control else f"{count} of {len(suites)} suites"
            yield Finding(f"VPN {vpn.name}", "ok", f"{', '.join(runnable)}; {spoken}")
        for reason in dict.fromkeys(lacks[vpn.name, name] for name in vpn.file.variants if name not in runnable):
            variants = ", ".join(name for name in vpn.file.variants if lacks.get((vpn.name, name)) == reason)
            yield Finding(f"VPN {vpn.name}: {variants}", "unsupported", reason, "`--engine vm` brings a kernel along")
