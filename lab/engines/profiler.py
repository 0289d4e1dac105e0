# SPDX-License-Identifier: MIT
"""QEMU's part of an exact profile: a plugin that counts every instruction while a window is open (images/vm/profile.c).

The plugin is there in each guest on the instruction clock, and counts nothing until a program in the guest opens the
window. The guest cannot notice it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from docker.models.containers import Container

from lab.core.errors import LabError

WINDOW = "/usr/local/lib/lab/window"
"""Where the guest's image has the program that opens the window around a command."""
WRITTEN = 60.0
"""Seconds within which QEMU writes the profile of a window that was closed: it is some megabytes."""


@dataclass(frozen=True)
class Profiler:
    """The plugin of one guest: the container that QEMU runs in, and the folder that both share."""

    container: Container
    directory: Path

    @property
    def _profile(self) -> Path:
        return self.directory / "profile"

    def window(self) -> bytes:
        """The program that opens the window, as a tar archive."""
        archive, _ = self.container.get_archive(WINDOW)
        return b"".join(archive)

    def forget(self) -> None:
        """Remove the profile of an earlier window."""
        self._profile.unlink(missing_ok=True)

    def take(self) -> str:
        """The profile of the window that was just closed (the form: images/vm/profile.c).

        Raises:
            LabError: there is none.
        """
        deadline = time.monotonic() + WRITTEN
        while not self._profile.exists():
            if time.monotonic() > deadline:
                raise LabError("the guest's QEMU wrote no profile", "`lab vm logs` shows what it said")
            time.sleep(0.05)
        text = self._profile.read_text(errors="replace")
        self.forget()
        return text
