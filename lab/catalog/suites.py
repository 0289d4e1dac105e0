# SPDX-License-Identifier: MIT
"""The model of `suites.yaml`: a ciphersuite is a row."""

from __future__ import annotations

import difflib
from typing import Annotated

from pydantic import Field, model_validator

from lab.core.documents import NAME, TEXT, Document, Misfit

SETS = ("quick", "all")
"""The names of sets of suites."""


class Suite(Document):
    """One ciphersuite: the lab's name, and its name in each dialect, or why it has none there."""

    suite: NAME
    title: TEXT
    quick: bool = False
    encrypts: bool = True
    native: dict[NAME, TEXT] = {}
    absent: dict[NAME, TEXT] = {}

    @model_validator(mode="after")
    def _is_there_or_not(self) -> Suite:
        if self.suite in SETS:
            raise Misfit(f"{self.suite} is the name of a set of suites: choose another", "suite")
        if both := [dialect for dialect in self.absent if dialect in self.native]:
            raise Misfit(f"both `native` and `absent` in {', '.join(both)}: one of them is wrong", "absent", both[0])
        return self


class SuitesFile(Document):
    """The contents of `suites.yaml`: the dialects, each with what a name in it is made of, and the suites."""

    dialects: Annotated[dict[NAME, TEXT], Field(min_length=1)]
    suites: Annotated[list[Suite], Field(min_length=1)]

    @model_validator(mode="after")
    def _suites_are_told_apart(self) -> SuitesFile:
        """A native name is that of one suite: its words prove no other."""
        rows: dict[str, int] = {}
        natives: dict[tuple[str, str], str] = {}
        for number, row in enumerate(self.suites):
            if rows.setdefault(row.suite, number) != number:
                raise Misfit(f"there is a suite {row.suite} already", "suites", number, "suite")
            for key, names in (("native", row.native), ("absent", row.absent)):
                for dialect in names:
                    if dialect not in self.dialects:
                        raise Misfit(self._unknown(dialect), "suites", number, key, dialect)
            for dialect, native in row.native.items():
                if (other := natives.setdefault((dialect, native), row.suite)) != row.suite:
                    message = f"{other} has the same name, {native}: a proof of the one would be a proof of the other"
                    raise Misfit(message, "suites", number, "native", dialect)
        return self

    def _unknown(self, dialect: str) -> str:
        near = difflib.get_close_matches(dialect, self.dialects, n=1, cutoff=0.4)
        return (
            f"there is no such dialect.{f' Did you mean {near[0]!r}?' if near else ''} Valid: "
            f"{', '.join(self.dialects)}; a new one is described under `dialects` first"
        )
