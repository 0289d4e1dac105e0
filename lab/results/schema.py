# SPDX-License-Identifier: MIT
"""What `meta.json` and a line of `samples.jsonl` may hold: checked where they are read, so that nothing stumbles later.

A key that this version does not know is none of its business, as long as a reader can print it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, model_validator

from lab.core.documents import Document
from lab.results.cell import Cell

T = TypeVar("T", bound=Document)
DEPTH = 4
"""How deep a value may be that is only shown."""


def _printable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("no text: half of a surrogate pair") from error
    return text


def _shallow(value: Any, depth: int = DEPTH) -> Any:
    """A value that a reader can print."""
    if isinstance(value, dict | list):
        if not depth:
            raise ValueError(f"nested more than {DEPTH} deep")
        for each in [*value, *value.values()] if isinstance(value, dict) else value:
            _shallow(each, depth - 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no number")
    elif isinstance(value, str):
        _printable(value)
    return value


Text = Annotated[str, AfterValidator(_printable)]
Shown = Annotated[Any, AfterValidator(_shallow)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Positive = Annotated[int, Field(ge=1, lt=2**31)]
SHOWN = 60
"""Characters of a wrong value that are shown."""
NUMBERED = re.compile(r"\b(?:payload|size)=(?!\d{1,12}(?: |$))")
"""Conditions that must be numbers and are not."""
CONDITIONS = {
    "matrix": r"",
    "crypto": r"\bsize=",
    "ktls": r"\bway=",
    "profile": r"\bpayload=.*\bscenario=|\bscenario=.*\bpayload=",
}
"""What the conditions of every cell of a kind of run name, and those of a profile."""
PROFILE = ("ktls", "profile")
"""The kind and measure of a profile."""


class Strict(Document):
    """A model of what a program wrote: nothing is taken for something else, and every number is one."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class Where(Strict):
    """The engine of a run."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[Text, Shown]
    name: Text
    clock: Text
    guest: dict[Text, Shown] | None = None


class Meta(Strict):
    """All of `meta.json`. `cells`: what was planned, as text; runs of older versions have but its digest, `plan`."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[Text, Shown]
    kind: Text = "matrix"
    columns: dict[Literal["vpn", "variant", "suite", "measure"], Text] = {}
    plan: Text = ""
    cells: list[Text] | None = None
    settings: dict[Text, Shown] | None = None
    controls: list[Text] = []
    processors: Positive = 1
    engine: Where = Where(name="", clock="")
    machine: dict[Text, Text] = {}
    modules: dict[Text, Text] = {}
    implementations: dict[Text, dict[Text, list[Text]]] = {}

    @property
    def blocks(self) -> int | None:
        """How many blocks were planned, by whatever name this kind of run has for them."""
        settings = self.settings or {}
        found = settings.get("blocks", settings.get("runs"))
        return found if isinstance(found, int) else None


class Figure(Strict):
    """A reading."""

    metric: Text
    unit: Text
    end: Text
    value: float


def _words(text: str) -> str:
    if any("=" not in word for word in text.split(" ") if text) or NUMBERED.search(text):
        raise ValueError("no words like `size=1400 way=send`")
    return text


class Sample(Strict):
    """The part of a sample that is read again; what it holds besides is kept for people."""

    model_config = ConfigDict(extra="ignore")
    run: Text
    block: Count
    position: Annotated[int, Field(ge=-1, lt=2**31)]
    attempt: Positive = 1
    vpn: Text
    variant: Text
    suite: Text
    measure: Text
    conditions: Annotated[Text, AfterValidator(_words)]
    records: Text
    engine: Text
    clock: Text
    outcome: Literal["ok", "unsupported", "failed", "invalid"]
    reason: Text
    readings: list[Figure] = []
    drivers: dict[str, Text | None] | None = None
    raw: dict[str, Any] = {}

    @model_validator(mode="after")
    def _has_figures(self) -> Sample:
        if self.outcome == "ok" and not self.readings:
            raise ValueError("ok, and without a reading")
        return self


def faults(model: type[T], data: Any) -> tuple[T | None, list[str]]:
    """`data` as `model`; or what does not fit, field by field."""
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, [_fault(fault) for fault in error.errors()]


def _fault(fault: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    got = repr(fault["input"]) if fault["type"] not in ("missing", "value_error") else ""
    got = f", got {got[:SHOWN]}{'…' if len(got) > SHOWN else ''}" if got else ""
    said = f"{fault['msg'].removeprefix('Value error, ')}{got}"
    return f"{where}: {said}" if where else said


def fault_of(meta: Meta, cells: Collection[str] | None, data: Any) -> str:
    """Why `data` is no sample of a run of `meta` and `cells` (None: they are not known); empty where it is one."""
    sample, wrong = faults(Sample, data)
    if sample is None:
        return "; ".join(wrong)
    cell = Cell(sample.vpn, sample.variant, sample.suite, sample.measure, sample.conditions)
    if cells is not None and str(cell) not in cells:
        return f"the plan has no cell {cell}"
    if meta.blocks is not None and sample.block >= meta.blocks:
        return f"block: the plan has {meta.blocks} blocks, got {sample.block}"
    wanted = [CONDITIONS.get(meta.kind, ""), CONDITIONS["profile"] if (meta.kind, sample.measure) == PROFILE else ""]
    if not all(re.search(pattern, sample.conditions) for pattern in wanted):
        return f"conditions: not those of a run of `lab {meta.kind}`, got {sample.conditions!r}"
    return ""
