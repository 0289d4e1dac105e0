# SPDX-License-Identifier: MIT
"""How much of a VPN's cost is encryption: what its tables ask of whoever knows how fast the ciphers are alone."""

from __future__ import annotations

from typing import Protocol


class CipherShare(Protocol):
    """The ciphers alone, as they were timed on the same machine."""

    run: str
    """The run that they were timed in."""

    def share(self, vpn: str, records: str, suite: str, throughput: float) -> float:
        """What part of one processor encryption alone takes at `throughput` (Mbit/s); NaN where it is not known."""

    def note(self) -> str:
        """What the share is, and where the speeds are from."""
