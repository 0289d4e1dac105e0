# SPDX-License-Identifier: MIT
"""vpn.yaml beside the rest of the lab: what its own model cannot see, since it stands in other files."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from lab.benches.vpn.contract.fault import Fault
from lab.catalog.catalog import Catalog
from lab.catalog.suites import Suite
from lab.catalog.vpns import SESSION, Ends, Vpn
from lab.core.documents import line_of
from lab.core.errors import UsageError
from lab.engines import images
from lab.testbed import topology


def faults(vpn: Vpn, catalog: Catalog) -> Iterator[Fault]:
    """Everything that is wrong with the description of a VPN which could be read."""
    yield from _proofs(vpn)
    yield from _needs(vpn)
    yield from _images(vpn)
    if not vpn.file.packages and not vpn.file.control:
        fix = "name the Debian packages of its programs: their versions are kept with every run"
        yield _fault(vpn, "packages: there is none", fix, "packages")
    if vpn.file.dialect in catalog.table.dialects:
        yield from _suites(vpn, catalog)
    else:
        yield _unknown_dialect(vpn, catalog)


def _fault(vpn: Vpn, what: str, fix: str, *place: str) -> Fault:
    path = vpn.folder / "vpn.yaml"
    return Fault(path, line_of(path, *place), what, fix)


def _proofs(vpn: Vpn) -> Iterator[Fault]:
    """Where anything is encrypted, both ends of every variant say which session their suite is of."""
    without: dict[int, tuple[str, ...]] = {}
    for name, variant in vpn.file.variants.items():
        if (ends := vpn.proof(name).suite) and vpn.file.encrypts:
            place = ("variants", name, "proof", "suite") if variant.proof else ("proof", "suite")
            for end in Ends.model_fields:
                if SESSION not in re.compile(getattr(ends, end).match).groupindex:  # aliases have one line
                    without.setdefault(line_of(vpn.folder / "vpn.yaml", *place, end, "match"), (*place, end))
    for where in without.values():
        what = f"{'.'.join(where)}.match: it has no group `{SESSION}`"
        fix = (
            "name one that is another once the tunnel came up again: a tunnel that was lost in between is noticed by it"
        )
        yield _fault(vpn, what, fix, *where, "match")


def _needs(vpn: Vpn) -> Iterator[Fault]:
    """docker-compose.yml grants both ends what they need."""
    services = topology.load().resolve({}).services
    refused: dict[str, str] = {}
    for end in Ends.model_fields:
        for name in vpn.file.variants:
            try:
                services[end].limited_to(vpn.needs(name))
            except UsageError as error:
                refused[error.message] = error.hint
    for message, hint in refused.items():
        yield _fault(vpn, f"needs: {message}", hint, "needs")


def _images(vpn: Vpn) -> Iterator[Fault]:
    """Other images that variants and modules name are folders."""
    folder = vpn.folder.parent
    for name, variant in vpn.file.variants.items():
        named = [("image", variant.image)] if variant.image else []
        named += [("needs", feature.module.image) for feature in vpn.needs(name).kernel if feature.module]
        for key, image in named:
            if not (images.folder(folder, image) / "Dockerfile").is_file():
                valid = ", ".join(each.name for each in images.folders(folder))
                what = f"variants.{name}.{key}: there is no image {image}"
                yield _fault(vpn, what, f"valid names: {valid}", "variants", name, key)


def _unknown_dialect(vpn: Vpn, catalog: Catalog) -> Fault:
    dialects = catalog.table.dialects
    near = difflib.get_close_matches(vpn.file.dialect, dialects, n=1, cutoff=0.4)
    what = f"dialect: there is none called {vpn.file.dialect!r}{f', but {near[0]!r}' if near else ''}"
    fix = f"valid: {', '.join(dialects)}; or describe a new one under `dialects` in {catalog.ciphers.name}"
    return _fault(vpn, what, fix, "dialect")


def _suites(vpn: Vpn, catalog: Catalog) -> Iterator[Fault]:
    """Every variant has a suite, and of each suite that the VPN lacks it is said why."""
    dialect, rows = vpn.file.dialect, catalog.suites.values()
    if not any(dialect in row.native for row in rows):
        fix = f"give the suites that it has a name under `native` in {catalog.ciphers.name}"
        yield _fault(vpn, f"dialect: no suite has a name in {dialect}", fix, "dialect")
        return
    for name in vpn.file.variants:
        if all(vpn.why_not(name, row) for row in rows):
            fix = f"names in {dialect}: {', '.join(row.native[dialect] for row in rows if dialect in row.native)}"
            yield _fault(vpn, f"variants.{name}.suites: no suite is left", fix, "variants", name, "suites")
    silent = [row.suite for row in rows if _is_silent(row, dialect, catalog)]
    if silent and not vpn.file.absent and not vpn.file.control:
        what = f"dialect: nothing says why {dialect} has no {', '.join(silent)}"
        fix = f"say so under `absent` of these rows of {catalog.ciphers.name}, or once under `absent` here"
        yield _fault(vpn, what, fix, "dialect")


def _is_silent(row: Suite, dialect: str, catalog: Catalog) -> bool:
    """Whether a row says nothing of a dialect. The control's own suites are no other VPN's concern."""
    return not ({dialect} & {*row.native, *row.absent}) and not set(row.native) <= _of_controls(catalog)


def _of_controls(catalog: Catalog) -> set[str]:
    return {vpn.file.dialect for vpn in catalog.readable.values() if vpn.file.control}
