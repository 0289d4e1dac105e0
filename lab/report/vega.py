# SPDX-License-Identifier: MIT
"""The script that draws pictures in a page: Vega, Vega-Lite and vega-embed in one piece, as vl-convert bundles them."""

from __future__ import annotations

import os
from functools import cache
from importlib.metadata import version
from pathlib import Path

import vl_convert

from lab.core import files
from lab.core.errors import LabError

CALLED = "window.vegaEmbed="
"""What the page's own script calls is a property of the window."""
SNIPPET = "window.vegaEmbed = vegaEmbed; window.vega = vega; window.vegaLite = vegaLite;"
"""What a bundle is made for: of an empty snippet it would be empty."""


def whole(script: str) -> bool:
    """Whether this script, from the cache or the library, offers what the page calls."""
    return CALLED in script


@cache
def script() -> str:
    """The script. Bundling takes seconds: the user's cache keeps it, under the versions that it was made of.

    Raises:
        LabError: the bundle lacks what the page calls.
    """
    versions = (version("vl-convert-python"), vl_convert.get_vega_version(), vl_convert.get_vega_embed_version())
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lab"
    kept = folder / f"vega-{'-'.join(versions)}.js"
    try:
        if kept.stat().st_uid == os.getuid() and whole(text := kept.read_text(encoding="utf-8")):
            return text
    except (OSError, UnicodeDecodeError):
        pass
    made = vl_convert.javascript_bundle(SNIPPET)
    if not whole(made):
        hint = "install the packages of requirements.txt again: make setup"
        raise LabError(f"vl-convert {versions[0]} bundles no vega-embed: the page could not draw its pictures", hint)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.write(kept, made)
    except OSError:
        pass  # a home that nobody can write to costs seconds, and nothing else
    return made
