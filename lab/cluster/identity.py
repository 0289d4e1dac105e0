# SPDX-License-Identifier: MIT
"""What a worker is: its machine, and what must be the same on all machines of a run (checkout and images)."""

from __future__ import annotations

import hashlib
import os
import platform
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import lab
from lab.core.paths import ROOT
from lab.engines import images
from lab.engines.engine import connect

FILES = ("docker-compose.yml", "requirements.txt")
"""The files of a checkout that decide what is measured, beside `lab/` and the folders of images."""
NONE = "none"


@dataclass(frozen=True)
class Machine:
    """A worker, and the machine that it is on. Two workers of one machine have the same `host`.

    `processors`: the number of them. `address`: where Dask reaches the worker; a worker that starts anew has another.
    """

    worker: str
    host: str
    cpu: str
    kernel: str
    processors: int
    address: str = ""

    def facts(self) -> dict[str, str]:
        """What `meta.json` keeps of it."""
        return {"host": self.host, "cpu": self.cpu, "kernel": self.kernel, "processors": str(self.processors)}


@dataclass(frozen=True)
class Identity:
    """A machine, and the digests that decide whether it may take part: of the `checkout`, and the ids of `images`."""

    machine: Machine
    checkout: Mapping[str, str]
    images: Mapping[str, str]

    @property
    def digests(self) -> dict[str, str]:
        """All digests, by what they are of."""
        return {**self.checkout, **self.images}


def of_worker(name: str, address: str) -> Identity:
    """The identity of the worker that asks. Raises what `lab.engines.engine.connect` raises."""
    engine = connect()
    tags = [images.tag_of(folder) for folder in images.folders(ROOT / "images")]
    ids = {f"image {tag.partition(':')[0]}": engine.image_id(tag) or NONE for tag in tags}
    # A worker that was given no name is called by its address, which it has only until it starts anew.
    worker = name if name and "://" not in name else f"{socket.gethostname()}-{address.rpartition(':')[2]}"
    machine = Machine(worker, socket.gethostname(), _cpu(), platform.release(), os.cpu_count() or 1, address)
    return Identity(machine, checkout(), ids)


@cache
def checkout() -> dict[str, str]:
    """The digests of the parts of this checkout that decide what is measured, as they were at the first call.

    A worker that runs while its checkout is brought up to date still has the code of before in its memory.
    """
    parts = {"lab/": _digest(Path(lab.__file__).parent)}
    folders = images.folders(ROOT / "images")
    parts |= {f"{_name(folder)}/": images.folder_digest(folder, described=True) for folder in folders}
    present = [ROOT / name for name in FILES if (ROOT / name).is_file()]
    return parts | {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in present}


def differing(digests: Mapping[str, Mapping[str, str]]) -> list[str]:
    """A line for each digest that is not the same for all, by who has it: what it is of, and who has which."""
    names = dict.fromkeys(name for each in digests.values() for name in each)
    return [
        line for name in names for line in _difference(name, {who: each.get(name) for who, each in digests.items()})
    ]


def _difference(name: str, values: Mapping[str, str | None]) -> Iterator[str]:
    if len(set(values.values())) > 1:
        owners: dict[str, list[str]] = {}
        for who, value in values.items():
            owners.setdefault(_short(value), []).append(who)
        yield f"{name}: " + "; ".join(f"{value} on {_listed(who)}" for value, who in owners.items())


def _short(value: str | None) -> str:
    return (value or NONE).removeprefix("sha256:")[:12]


def _listed(names: Iterable[str], most: int = 5) -> str:
    """The first few names, and how many more there are."""
    every = sorted(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def _name(folder: Path) -> str:
    return str(folder.relative_to(ROOT))


def _digest(folder: Path) -> str:
    """A digest of the names and contents of a package's files. Python's caches are not part of it."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            content = path.read_bytes()
            digest.update(f"{path.relative_to(folder)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _cpu() -> str:
    """The name of the processor, as the kernel has it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
