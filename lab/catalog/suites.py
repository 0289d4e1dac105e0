# SPDX-License-Identifier: MIT
"""A ciphersuite: a row of `suites.yaml`."""

from __future__ import annotations

from lab.core.documents import NAME, Document


class Suite(Document):
    """One ciphersuite: the lab's name, and its name in each dialect."""

    suite: NAME
    title: str
    quick: bool = False
    encrypts: bool = True
    native: dict[NAME, str] = {}
    absent: dict[NAME, str] = {}
