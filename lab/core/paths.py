# SPDX-License-Identifier: MIT
"""The folders of the checkout, and the user's own."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(os.environ.get("LAB_ROOT") or Path(__file__).resolve().parents[2])
"""The folder of docker-compose.yml, images/ and lab/. It is this checkout, or the one that LAB_ROOT names."""
RESULTS = ROOT / "results"
"""The default folder of runs."""
USER = Path(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")) / "lab"  # noqa: PTH111 - no home is no error
"""The user's own folder. It need not be there."""


def shown(path: Path) -> str:
    """A path for a person: from the checkout on, if it lies there."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
