# SPDX-License-Identifier: MIT
"""The schema of `meta.json` and of a line of `samples.jsonl`. Both are checked when they are read.

A key that this version does not know is accepted if its value can be printed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, model_validator

from lab.core.documents import Document
from lab.results.cell import Cell
from lab.results.looks import AUTO, Look, stages

T = TypeVar("T", bound=Document)
DEPTH = 4
"""Levels of nesting of a value that is only shown."""


def _printable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("no text: half of a surrogate pair") from error
    return text


def _shallow(value: Any, depth: int = DEPTH) -> Any:
    """Check that a value can be printed."""
    if isinstance(value, dict | list):
        if not depth:
            raise ValueError(f"nested more than {DEPTH} deep")
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            _shallow(item, depth - 1)
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
"""How many characters of a wrong value are shown."""
NUMBERED = re.compile(r"\b(?:payload|size)=(?!\d{1,12}(?: |$))")
"""Conditions that must be numbers but are not."""
CONDITIONS = {
    "matrix": r"",
    "crypto": r"\bsize=",
    "ktls": r"\bway=",
    "profile": r"\bpayload=.*\bscenario=|\bscenario=.*\bpayload=",
}
"""The conditions that every cell of each kind of run must name, and those of a profile."""
PROFILE = ("ktls", "profile")
"""The kind and measure of a profile."""


class Strict(Document):
    """A model of a program's output. Types are not converted, and every number is finite."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class Where(Strict):
    """The engine of a run."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[Text, Shown]
    name: Text
    clock: Text
    guest: dict[Text, Shown] | None = None


class Declared(Strict):
    """A figure that a measure declares: `lab.results.quantity.Quantity`."""

    metric: Text
    unit: Text
    name: Text = ""
    better: Literal["more", "less", ""] = ""


class Meta(Strict):
    """All of `meta.json`. `cells` is the plan, as text. Runs of older versions have only its digest, `plan`.

    `conditions` says what values of conditions stand for, in words.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[Text, Shown]
    kind: Text = "matrix"
    columns: dict[Literal["vpn", "variant", "suite", "measure"], Text] = {}
    plan: Text = ""
    cells: list[Text] | None = None
    settings: dict[Text, Shown] | None = None
    controls: list[Text] = []
    conditions: dict[Text, dict[Text, Text]] = {}
    figures: dict[Text, Annotated[list[Declared], Field(min_length=1)]] = {}
    processors: Positive = 1
    engine: Where = Where(name="", clock="")
    machine: dict[Text, Text] = {}
    modules: dict[Text, Text] = {}
    implementations: dict[Text, dict[Text, list[Text]]] = {}
    looks: list[Look] = []

    @property
    def blocks(self) -> int | None:
        """The number of blocks in the plan. Some kinds of run call them `runs`.

        A run of `--blocks auto` has as many as it was decided after, until then its limit.
        """
        if self.decided:
            return self.decided
        settings = self.settings or {}
        name = "most_blocks" if settings.get("blocks") == AUTO else "blocks"
        count = settings.get(name, settings.get("runs"))
        return count if isinstance(count, int) else None

    @property
    def decided(self) -> int | None:
        """The number of blocks after which a run of `--blocks auto` was decided; None if it was not."""
        return next((look.blocks for look in self.looks if look.over), None)

    @property
    def stages(self) -> list[int]:
        """The numbers of blocks at which the run is looked at; empty if it has a fixed number of blocks."""
        settings = self.settings or {}
        most = settings.get("most_blocks")
        return stages(most) if settings.get("blocks") == AUTO and isinstance(most, int) else []


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
    """The part of a sample that the lab reads again. Other keys are kept for people."""

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
    """`data` as `model`, or else a list of the fields that do not fit."""
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, [_fault(fault) for fault in error.errors()]


def _fault(fault: Mapping[str, Any]) -> str:
    location = ".".join(str(part) for part in fault["loc"])
    value_text = repr(fault["input"]) if fault["type"] not in ("missing", "value_error") else ""
    value_text = f", got {value_text[:SHOWN]}{'…' if len(value_text) > SHOWN else ''}" if value_text else ""
    message = f"{fault['msg'].removeprefix('Value error, ')}{value_text}"
    return f"{location}: {message}" if location else message


def fault_of(meta: Meta, cells: Collection[str] | None, data: Any) -> str:
    """Why `data` is no sample of the run of `meta` and `cells` (None: not known); empty if it is one."""
    sample, problems = faults(Sample, data)
    if sample is None:
        return "; ".join(problems)
    cell = Cell(sample.vpn, sample.variant, sample.suite, sample.measure, sample.conditions)
    if cells is not None and str(cell) not in cells:
        return f"the plan has no cell {cell}"
    if meta.blocks is not None and sample.block >= meta.blocks:
        return f"block: the plan has {meta.blocks} blocks, got {sample.block}"
    patterns = [CONDITIONS.get(meta.kind, ""), CONDITIONS["profile"] if (meta.kind, sample.measure) == PROFILE else ""]
    if not all(re.search(pattern, sample.conditions) for pattern in patterns):
        return f"conditions: not those of a run of `lab {meta.kind}`, got {sample.conditions!r}"
    return ""
