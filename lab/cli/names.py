# SPDX-License-Identifier: MIT
"""The names that commands take, drawn from the catalogue: the help lists them, and Tab offers them.

A help text holds a set of names as `{vpns}`. An example holds one name as `{vpn}`, the first of the set.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, get_args

from lab import benches
from lab.catalog.catalog import Catalog
from lab.catalog.suites import SETS
from lab.catalog.vpns import PACKAGED
from lab.core.errors import LabError
from lab.core.paths import RESULTS, ROOT
from lab.engines import choice
from lab.runner.settings import Names

SET = re.compile(r"\{([a-z]+)\}")


def filled(text: str) -> str:
    """A help text with the names in the place of their set. If the catalogue cannot be read, the set's name stays."""
    sets = every()

    def names(match: re.Match[str]) -> str:
        word = match[1]
        try:
            return ", ".join(sets[word]()) if word in sets else next(iter(sets[f"{word}s"]()), word.upper())
        except LabError:
            return word.upper()

    return SET.sub(names, text)


def named(text: str, of: str = "") -> dict[str, Any]:
    """The arguments of `typer.Option` or `typer.Argument` for a name: its help, and how Tab completes it.

    The name belongs to the sets in the help text, or to the set `of`.
    """
    keys = SET.findall(text) + ([of] if of else [])

    def complete(incomplete: str) -> list[str]:
        return completions(keys, incomplete)

    return {"help": text, "autocompletion": complete if keys else None}


def completions(keys: Sequence[str], typed: str) -> list[str]:
    """The names of these sets that begin with what was `typed`. In a comma-separated list the last word counts."""
    former, comma, word = typed.rpartition(",")
    sets = every()
    try:
        names = [name for key in keys for name in sets[key]()]
    except LabError:
        return []
    return [f"{former}{comma}{name}" for name in names if name.startswith(word) and name not in former.split(",")]


def every() -> Mapping[str, Names]:
    """Every set of names: those of the catalogue, and those of each bench."""
    common: dict[str, Names] = {
        "vpns": _vpns, "variants": _variants, "packaged": lambda: [PACKAGED], "images": _images, "runs": _runs,
        "sets": lambda: SETS, "quick": _quick, "others": _others, "suites": lambda: [*_quick(), *_others()],
        "wires": _wires,
        "engines": partial(get_args, choice.Name), "clocks": partial(get_args, choice.Clock),
        "kernels": partial(get_args, choice.Kernel),
    }  # fmt: skip
    for kind in benches.folders():
        common |= benches.settings(kind).Settings.names
    return common


@cache
def _catalog() -> Catalog:
    return Catalog()


def _vpns() -> list[str]:
    """Every VPN; the control, which is measured anyway, comes last."""
    return [vpn.name for vpn in sorted(_catalog().vpns.values(), key=lambda vpn: vpn.file.control)]


def _variants() -> list[str]:
    return list(dict.fromkeys(variant for vpn in _catalog().vpns.values() for variant in vpn.file.variants))


def _quick() -> list[str]:
    return [suite.suite for suite in _catalog().choose_suites(["quick"])]


def _others() -> list[str]:
    return [suite.suite for suite in _catalog().suites.values() if not suite.quick]


def _wires() -> list[str]:
    return list(_catalog().wires)


def _images() -> list[str]:
    from lab.engines import images

    return [folder.name for folder in images.folders(ROOT / "images")]


def _runs() -> list[str]:
    """Every run, the newest first."""
    from lab.results.store import listed

    metas, _ = listed(Path(os.environ.get("LAB_RESULTS") or RESULTS))
    return sorted(metas, key=lambda name: str(metas[name].get("created", "")), reverse=True)
