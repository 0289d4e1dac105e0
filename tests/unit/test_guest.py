# SPDX-License-Identifier: MIT
"""What is known of a guest by its console."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.engines import guest_faults


@pytest.mark.parametrize("kernel", ["stable", "backports"])
def test_a_fault_of_the_emulator(captured: Callable[[str], str], kernel: str) -> None:
    assert (
        guest_faults.fault_of(captured(f"vm/timer-{kernel}.txt")) == guest_faults.FAULTS["IO-APIC + timer doesn't work"]
    )


def test_a_panic_of_its_own_is_none(captured: Callable[[str], str]) -> None:
    console = captured("vm/timer-stable.txt").replace("IO-APIC + timer doesn't work!", "VFS: Unable to mount root fs")
    assert "Kernel panic" in console
    assert not guest_faults.fault_of(console)
