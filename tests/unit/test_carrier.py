# SPDX-License-Identifier: MIT
"""What ocserv and openconnect have of the kernel module's interface."""

from __future__ import annotations

from lab.core.paths import ROOT


def test_the_programs_have_the_modules_own_header() -> None:
    # Two images, each with a build context of its own.
    ours = (ROOT / "images" / "openconnect-patched" / "offload" / "ktls.h").read_text()
    assert ours == (ROOT / "kmod" / "uapi" / "ktls.h").read_text()
