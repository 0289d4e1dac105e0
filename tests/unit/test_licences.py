# SPDX-License-Identifier: MIT
"""Each file says which licence holds for it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from lab.core.paths import ROOT

SAYS = re.compile(r"SPDX-License-Identifier: (.+?)(?: \*/| -#\})?$", re.MULTILINE)
TREES = ("lab", "images", "kmod", "tests", "benchmarks", "playbooks", "scripts")
# What cannot say it, and what was captured from programs of others.
WITHOUT = re.compile(r"\.(md|json|png|ipynb|pyc)$|ignore$|^tests/data/|/LICENSE$|__pycache__")
PATCHED = {
    "patches/gnutls28": "LGPL-2.1-or-later",
    "patches/ocserv": "GPL-2.0-or-later",
    "patches/openconnect": "LGPL-2.1-only",
    "openvpn-patched": "GPL-2.0-only",
}


def sources() -> Iterator[str]:
    for tree in TREES:
        for path in sorted((ROOT / tree).rglob("*")):
            name = str(path.relative_to(ROOT))
            if path.is_file() and path.stat().st_size and not WITHOUT.search(name):
                yield name


def wanted(name: str) -> set[str]:
    if name.endswith("/ktls.h"):  # the module's, which programs of any licence include
        return {"GPL-2.0-only WITH Linux-syscall-note"}
    if name.startswith("kmod/"):
        return {"GPL-2.0-only"}
    if "/patches/" in name:
        return {next(licence for program, licence in PATCHED.items() if f"/{program}" in name)}
    return {"MIT"}


def test_each_file_says_its_licence_in_its_first_lines() -> None:
    wrong = {}
    for name in sources():
        try:
            head = "".join((ROOT / name).read_text(encoding="utf-8").splitlines(keepends=True)[:2])
        except UnicodeDecodeError:
            continue  # a program that a build left here
        found = SAYS.search(head)
        if found is None or found[1] not in wanted(name):
            wrong[name] = found[1] if found else ""
    assert not wrong


@pytest.mark.parametrize("name", ["LICENSE", "kmod/LICENSE"])
def test_the_texts_are_there(name: str) -> None:
    assert len((ROOT / name).read_text()) > 1000
