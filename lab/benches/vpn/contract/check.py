# SPDX-License-Identifier: MIT
"""All checks of a VPN's folder that take no engine, in one place: what `lab check` says, and what the tests demand."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.benches.vpn.contract import captures, description, fault, image
from lab.benches.vpn.contract.fault import NEIGHBOUR, Fault
from lab.catalog.catalog import Catalog
from lab.catalog.vpns import Vpn
from lab.core.documents import Malformed
from lab.core.errors import unknown

SHELL = re.compile(rb"#!.*[/ ](?:ba|da)?sh(?: |\n)")
"""The first line of a shell script."""


@dataclass(frozen=True)
class Checked:
    """What is wrong with a VPN. `uncaptured`: the variants of which nobody has kept what their ends answer."""

    vpn: str
    faults: list[Fault]
    uncaptured: list[str]


def check(catalog: Catalog, names: Sequence[str] = ()) -> list[Checked]:
    """Check the named VPNs, or all. What is wrong with the table of suites stands first, under no VPN's name.

    Raises:
        UsageError: there is no such VPN; lists the valid names.
    """
    known = [*catalog.readable, *catalog.malformed]
    for name in names:
        if name not in known and not (catalog.root / "images" / name).is_dir():
            raise unknown("VPN", name, known)
    try:
        _ = catalog.suites
    except Malformed as error:
        table = [Checked("", list(fault.of(error, "the table's head says what a row is made of")), [])]
        return [*table, *(Checked(name, list(_unreadable(catalog, name)), []) for name in names or known)]
    return [_checked(catalog, name) for name in names or known]


def _unreadable(catalog: Catalog, name: str) -> Iterator[Fault]:
    """What is wrong with a vpn.yaml that cannot be read."""
    if name not in catalog.readable:
        missing = Malformed(catalog.root / "images" / name / "vpn.yaml", [(0, "it is missing")])
        yield from fault.of(catalog.malformed.get(name, missing), NEIGHBOUR)


def _checked(catalog: Catalog, name: str) -> Checked:
    if name not in catalog.readable:
        return Checked(name, list(_unreadable(catalog, name)), [])
    vpn = catalog.readable[name]
    found = [*description.faults(vpn, catalog), *image.faults(vpn), *captures.faults(vpn, catalog), *_shell(vpn)]
    return Checked(name, found, captures.missing(catalog, vpn))


def shellcheck() -> str | None:
    """The program that reads shell scripts, if there is one: `make setup` installs it beside `lab`."""
    beside = Path(sys.executable).with_name("shellcheck")
    return str(beside) if beside.exists() else shutil.which("shellcheck")


def _shell(vpn: Vpn) -> Iterator[Fault]:
    """What shellcheck says of the scripts; nothing where it is not installed."""
    program, folders = shellcheck(), [vpn.folder, *(vpn.folder.parent / name for name in _images(vpn))]
    paths = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    scripts = [str(path) for path in paths if SHELL.match(path.read_bytes()[:80])]
    if program and scripts:
        said = subprocess.run([program, "--format=json1", *scripts], capture_output=True, text=True, check=False)
        for comment in json.loads(said.stdout)["comments"]:
            code = f"SC{comment['code']}"
            fix = f"https://www.shellcheck.net/wiki/{code} explains it"
            yield Fault(Path(comment["file"]), comment["line"], f"{code}: {comment['message']}", fix)


def _images(vpn: Vpn) -> list[str]:
    return sorted({variant.image for variant in vpn.file.variants.values() if variant.image})
