# SPDX-License-Identifier: MIT
"""The faults of an emulator that another start of a guest may avoid."""

FAULTS = {
    "IO-APIC + timer doesn't work": "its kernel saw no interrupt of the emulated timer in time",
    "failed to report alive state": "not all of its emulated processors came up in time",
}
"""Faults of an emulator on a busy machine: the kernel's message, and the lab's."""


def fault_of(console: str) -> str:
    """The emulator's fault that a console shows; empty if there is none."""
    return next((fault for symptom, fault in FAULTS.items() if symptom in console), "")
