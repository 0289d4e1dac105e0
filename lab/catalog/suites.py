# SPDX-License-Identifier: MIT
"""A ciphersuite, as a row of `suites.yaml` has it."""

from __future__ import annotations

from lab.core.documents import NAME, Document


class Suite(Document):
    """One ciphersuite by the lab's name, and what each dialect calls it."""

    suite: NAME
    title: str
    quick: bool = False
    encrypts: bool = True
    native: dict[NAME, str] = {}
    absent: dict[NAME, str] = {}
