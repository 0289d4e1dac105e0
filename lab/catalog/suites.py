# SPDX-License-Identifier: MIT
"""A ciphersuite: a row of `suites.yaml`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from lab.core.documents import NAME, Document

TEXT = Annotated[str, Field(min_length=1)]


class Suite(Document):
    """One ciphersuite: the lab's name, and its name in each dialect, or why it has none there."""

    suite: NAME
    title: str
    quick: bool = False
    encrypts: bool = True
    native: dict[NAME, TEXT] = {}
    absent: dict[NAME, TEXT] = {}

    @model_validator(mode="after")
    def _is_there_or_not(self) -> Suite:
        if both := sorted(set(self.native) & set(self.absent)):
            raise ValueError(f"{self.suite}: both `native` and `absent` in {', '.join(both)}: one of them is wrong")
        return self
