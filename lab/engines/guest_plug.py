# SPDX-License-Identifier: MIT
"""A guest's end of a cable to another guest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plug:
    """An `end` (server or client) of a cable between two guests. `folder` has both sockets, `mac` is its card's."""

    end: str
    folder: Path
    mac: str

    def options(self) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """The variables and the mount of the guest's container."""
        return {"CABLE": self.end, "MAC": self.mac}, {str(self.folder): {"bind": "/run/cable", "mode": "rw"}}
