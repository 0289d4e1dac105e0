# SPDX-License-Identifier: MIT
"""The VPNs under `images/`, the ciphersuites of `suites.yaml`, the wires of `wires.yaml`. The code here names none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lab.catalog.suites import SETS, Suite, SuitesFile
from lab.catalog.vpns import PACKAGED, Vpn, VpnFile
from lab.catalog.wires import Wire
from lab.core.documents import Malformed, read
from lab.core.errors import UsageError, unknown
from lab.core.paths import ROOT, USER


@dataclass(frozen=True)
class Catalog:
    """Everything that can be compared. `root` holds `images/`; `ciphers` is the table of suites.

    `cables` are the tables of wires: the lab's own, and the user's, which need not be there.
    """

    root: Path = ROOT
    ciphers: Path = ROOT / "lab" / "catalog" / "suites.yaml"
    cables: tuple[Path, Path] = (Path(__file__).with_name("wires.yaml"), USER / "wires.yaml")

    @cached_property
    def vpns(self) -> dict[str, Vpn]:
        """Each VPN by name, controls first. A VPN is a folder of `images/` with a vpn.yaml."""
        for error in self.malformed.values():
            raise error
        return self.readable

    @cached_property
    def readable(self) -> dict[str, Vpn]:
        """The VPNs whose vpn.yaml can be read."""
        files = self._read
        vpns = [Vpn(path.parent.name, path.parent, file) for path, file in files if isinstance(file, VpnFile)]
        return {vpn.name: vpn for vpn in sorted(vpns, key=lambda vpn: (not vpn.file.control, vpn.name))}

    @property
    def malformed(self) -> dict[str, Malformed]:
        """What is wrong with the others, by VPN."""
        return {path.parent.name: file for path, file in self._read if isinstance(file, Malformed)}

    @cached_property
    def _read(self) -> list[tuple[Path, VpnFile | Malformed]]:
        files: list[tuple[Path, VpnFile | Malformed]] = []
        for path in sorted((self.root / "images").glob("*/vpn.yaml")):
            try:
                files.append((path, read(path, VpnFile)))
            except Malformed as error:
                files.append((path, error))
        if not files:
            raise UsageError(f"there is no VPN: no {self.root}/images/*/vpn.yaml", "LAB_ROOT names where images/ is")
        return files

    @cached_property
    def table(self) -> SuitesFile:
        """The file of suites."""
        return read(self.ciphers, SuitesFile)

    @cached_property
    def suites(self) -> dict[str, Suite]:
        """Each suite by name, in the order of the file."""
        return {row.suite: row for row in self.table.suites}

    @cached_property
    def wires(self) -> dict[str, Wire]:
        """Each wire by name, in the order of the files, the lab's own first."""
        own, users = self.cables
        wires = _wires(own)
        more = _wires(users) if users.exists() else {}
        if both := [name for name in more if name in wires]:
            raise UsageError(f"{users}: the lab has a wire of that name: {', '.join(both)}", "choose another name")
        return wires | more

    def choose_vpns(self, names: Sequence[str], variants: Sequence[str] = ()) -> list[Vpn]:
        """The named VPNs, and the controls. Without a control, a comparison cannot be judged.

        If `variants` are named, the VPNs have only these, and one that has none is left out. A control has all its own.

        Raises:
            UsageError: there is no such VPN or variant; lists the valid ones. Or only controls are left.
        """
        chosen_names = set(names or self.vpns)
        for name in names:
            if name not in self.vpns:
                raise unknown("VPN", name, self.vpns)
        vpns = [vpn for vpn in self.vpns.values() if vpn.name in chosen_names or vpn.file.control]
        return _limited(vpns, variants) if variants else vpns

    def choose_suites(self, names: Sequence[str]) -> list[Suite]:
        """The named suites. A name may be that of a set."""
        for name in names:
            if name not in self.suites and name not in SETS:
                raise unknown("suite", name, [*self.suites, *SETS])
        if not names or "all" in names:
            return list(self.suites.values())
        return [row for row in self.suites.values() if row.suite in names or ("quick" in names and row.quick)]

    def choose_wires(self, names: Sequence[str]) -> list[Wire]:
        """The named wires.

        Raises:
            UsageError: there is no such wire; lists the valid ones.
        """
        for name in names:
            if name not in self.wires:
                raise unknown("wire", name, self.wires)
        return [self.wires[name] for name in names]


def _wires(path: Path) -> dict[str, Wire]:
    """The wires of a file by name, in their order."""
    rows = read(path, list[Wire])
    if not rows:
        raise UsageError(f"{path}: there is no wire in it", "it needs a row for each")
    names = [row.wire for row in rows]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"{path}: wire named twice: {', '.join(twice)}")
    return dict(zip(names, rows, strict=True))


def _limited(vpns: Sequence[Vpn], variants: Sequence[str]) -> list[Vpn]:
    valid = {PACKAGED, *(name for vpn in vpns for name in vpn.file.variants)}
    for name in variants:
        if name not in valid:
            raise unknown("variant", name, valid)
    limited = [vpn if vpn.file.control else vpn.limited(variants) for vpn in vpns]
    left = [vpn for vpn in limited if vpn.file.variants]
    if PACKAGED in variants and all(vpn.file.control for vpn in left):
        raise UsageError(
            f"`--variants {PACKAGED}` leaves no data path but the control's",
            f"valid names: {', '.join(sorted(valid - {PACKAGED}))}",
        )
    return left
