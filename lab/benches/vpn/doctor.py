# SPDX-License-Identifier: MIT
"""What this machine can run, what it lacks, and how to fix that: all checks of a run, done beforehand."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from lab.benches.vpn.bench import data_paths, image_names, lacking, lacking_wires
from lab.catalog.catalog import Catalog
from lab.core.errors import LabError
from lab.core.paths import RESULTS
from lab.engines import cable, guest, images, ownership
from lab.engines.choice import Choice
from lab.engines.engine import Engine, connect
from lab.testbed import link, testbed

DISK = 8 * 10**9
"""Bytes that images, a guest's disk and payloads may need together, in Docker's folder."""
RUNS = 10**9
"""Bytes for runs: the largest has some tens of megabytes."""
QEMU = 512
"""MiB that QEMU and the guest's kernel take beyond the guest's own memory, and the lab itself."""
DOCKER = Path("/var/lib/docker")
"""Docker's folder, if no engine says where it is."""


@dataclass(frozen=True)
class Finding:
    """One thing examined. `fix` is the next step if it is not `ok`."""

    what: str
    state: Literal["ok", "missing", "unsupported", "note"]
    detail: str
    fix: str = ""

    def shown(self) -> dict[str, Any]:
        """As a row of a table."""
        return {"what": self.what, "state": self.state, "detail": self.detail, "fix": self.fix}


def examine(catalog: Catalog) -> list[Finding]:
    """Examine the machine, the engine, the images and each VPN. Nothing is changed."""
    try:
        engine = connect()
    except LabError as error:
        return [*_machine(None), Finding("Docker engine", "missing", error.message, error.hint)]
    findings = list(_machine(engine))
    findings.append(
        Finding("Docker engine", "ok", f"{engine.facts['ServerVersion']}, kernel {engine.facts['KernelVersion']}")
    )
    vpns = list(catalog.vpns.values())
    lacks = lacking(engine, catalog, vpns)
    runnable = [(vpn, variant) for vpn, variant in data_paths(vpns) if (vpn.name, variant) not in lacks]
    findings += _images(engine, catalog, image_names(runnable))
    findings += _vpns(engine, catalog, lacks)
    findings += _wires(catalog, lacking_wires(engine, catalog, list(catalog.wires.values())))
    forgotten = [name for name, state in testbed.labs(engine).items() if state is ownership.State.FORGOTTEN]
    if forgotten:
        findings.append(
            Finding(
                "labs left behind", "note", ", ".join(forgotten), "`lab down --all` removes them, and so does a run"
            )
        )
    return findings


def examine_cable(catalog: Catalog, choice: Choice) -> Iterator[Finding]:
    """Examine two machines on a cable: their engines, interfaces, kernels and images. Nothing is changed."""
    if choice.in_guests:
        yield Finding("cable", "ok", "between two guests, which bring their own")
        return
    for end in cable.ENDS:
        address, interface = choice.place(end)
        what = f"{end}: {address}"
        with ExitStack() as stack:
            try:
                engine = replace(stack.enter_context(cable.answering(address, end)), interface=interface)
            except LabError as error:
                yield Finding(what, "missing", error.message, error.hint)
                continue
            yield Finding(what, "ok", f"{engine.facts['ServerVersion']}, kernel {engine.facts['KernelVersion']}")
            yield from _on_cable(engine, catalog, f"{end}: {interface}")


def _on_cable(engine: Engine, catalog: Catalog, what: str) -> Iterator[Finding]:
    stale = [each.name for each in images.folders(catalog.root / "images") if not images.is_current(engine, each)]
    if "base" in stale:
        yield Finding(what, "missing", "image base is missing or out of date", "`lab build` there")
        return
    if fault := cable.fault_of(engine):
        yield Finding(what, "missing", fault, "`ip link set dev INTERFACE up`, and a cable at both ends")
    elif not cable.has_macvlan(engine):
        yield Finding(what, "unsupported", "the kernel has no macvlan (CONFIG_MACVLAN)", "modprobe macvlan")
    else:
        told = link.describe(engine)
        yield Finding(what, "ok", f"{told.get('driver', 'driver unknown')}, {told.get('speed') or 'speed unknown'}")
    if stale:
        yield Finding(f"{what}: images", "note", f"missing or out of date: {', '.join(stale)}", "`lab build` there")


def _machine(engine: Engine | None) -> Iterator[Finding]:
    cores = os.cpu_count() or 1
    if cores < 2:
        yield Finding("processors", "note", "1: both endpoints and the load share it", "compare ratios, not rates")
    else:
        yield Finding("processors", "ok", str(cores))
    if engine is None or engine.here:
        yield memory(Path("/proc/meminfo").read_text(encoding="ascii"))
        yield disk("disk for Docker", Path(str(engine.facts["DockerRootDir"])) if engine else DOCKER, DISK)
    else:
        yield Finding("disk for Docker", "note", "on another machine: not examined", f"it takes {_gigabytes(DISK)}")
    yield disk("disk for runs", RESULTS, RUNS)
    if Path("/dev/net/tun").exists():
        yield Finding("/dev/net/tun", "ok", "present")
    else:
        yield Finding("/dev/net/tun", "missing", "user-space VPNs need it", "modprobe tun")
    yield kvm(guest.DEVICE)


def memory(meminfo: str) -> Finding:
    """Whether a guest of the default size fits into the memory that /proc/meminfo calls available."""
    match = re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo, re.MULTILINE)
    available = int(match[1]) // 1024 if match else 0
    needed = Choice().memory + QEMU
    if available >= needed:
        return Finding("memory", "ok", f"{available} MiB available")
    return Finding(
        "memory", "note", f"{available} MiB available: a guest of `--engine vm` takes {needed} MiB",
        "stop other programs, or give the guest less: `--memory 2048`",
    )  # fmt: skip


def disk(what: str, folder: Path, needed: int) -> Finding:
    """Whether the file system of a folder has room. If the folder does not exist yet, its parent counts."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free >= needed:
        return Finding(what, "ok", f"{_gigabytes(free)} free in {folder}")
    detail = f"{_gigabytes(free)} free in {folder}, {_gigabytes(needed)} needed"
    return Finding(what, "missing", detail, "make room there: `docker system df` shows what Docker keeps")


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.0f} GB" if size >= 10**10 else f"{size / 1e9:.1f} GB"


def kvm(device: Path) -> Finding:
    """Whether guests of `--engine vm` may run on the processor itself. Otherwise they are emulated."""
    if device.exists():
        return Finding(str(device), "ok", "present: a guest on the wall clock uses it, if its kernel boots with it")
    return Finding(
        str(device), "note", "absent: QEMU emulates the processor of a guest, which works and is slower",
        "none is needed; a machine with nested virtualisation has it. The instruction clock is always emulated",
    )  # fmt: skip


def _images(engine: Engine, catalog: Catalog, needed: Collection[str]) -> Iterator[Finding]:
    """The images. One that `lab matrix` does not need on this machine may be missing."""
    for folder in images.folders(catalog.root / "images"):
        tag = images.tag_of(folder)
        if images.is_current(engine, folder):
            size = engine.client.images.get(tag).attrs["Size"]
            yield Finding(f"image {folder.name}", "ok", f"{size / 1e6:.0f} MB, with the images that it is built on")
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
            yield Finding(f"VPN {vpn.name}", "missing", "its image is missing or out of date", "`lab build`")
        elif runnable:
            spoken = "the control" if vpn.file.control else f"{count} of {len(suites)} suites"
            yield Finding(f"VPN {vpn.name}", "ok", f"{', '.join(runnable)}; {spoken}")
        for reason in dict.fromkeys(lacks[vpn.name, name] for name in vpn.file.variants if name not in runnable):
            variants = ", ".join(name for name in vpn.file.variants if lacks.get((vpn.name, name)) == reason)
            yield Finding(f"VPN {vpn.name}: {variants}", "unsupported", reason, "`--engine vm` brings its own kernel")


def _wires(catalog: Catalog, lacks: Mapping[str, str]) -> Iterator[Finding]:
    yield Finding("wires", "ok", ", ".join(name for name in catalog.wires if name not in lacks))
    for reason in dict.fromkeys(lacks.values()):
        wires = ", ".join(name for name in lacks if lacks[name] == reason)
        yield Finding(f"wires {wires}", "unsupported", reason, "`--engine vm` brings its own kernel")
