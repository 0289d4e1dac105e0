# SPDX-License-Identifier: MIT
"""The script that draws pictures in a page: Vega, Vega-Lite and vega-embed in one piece, as vl-convert bundles them."""

from __future__ import annotations

import os
from functools import cache
from importlib.metadata import version
from pathlib import Path

import vl_convert

from lab.core import files


@cache
def script() -> str:
    """The script. Bundling takes seconds: the user's cache keeps it, under the versions that it was made of."""
    versions = (version("vl-convert-python"), vl_convert.get_vega_version(), vl_convert.get_vega_embed_version())
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lab"
    kept = folder / f"vega-{'-'.join(versions)}.js"
    try:
        if kept.stat().st_uid == os.getuid():
            return kept.read_text(encoding="utf-8")
    except OSError:
        pass
    made: str = vl_convert.javascript_bundle("")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.write(kept, made)
    except OSError:
        pass  # a home that nobody can write to costs seconds, and nothing else
    return made
