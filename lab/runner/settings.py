# SPDX-License-Identifier: MIT
"""The settings of a run: those that a user asked for, or those of a run that goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, ValidationError

from lab.core.documents import Document, wanted
from lab.core.errors import UsageError
from lab.engines.choice import Choice
from lab.results.schema import faults as wrong
from lab.results.store import Store, kind_of
from lab.runner.plan import BLOCKS

UNITS = {"GB": 10**9, "MB": 10**6, "KB": 10**3, "B": 1}


def size_in_bytes(text: object) -> object:
    """`10MB` as 10000000: units of a thousand, as the thesis and iperf3's networks count. A number stays as it is.

    Raises:
        ValueError: it is no size.
    """
    if not isinstance(text, str):
        return text
    digits = text.rstrip("BKMGbkmg")
    unit = text[len(digits) :].upper()
    if not (digits.isascii() and digits.isdigit()) or unit not in {*UNITS, ""}:
        raise ValueError(f"{text!r} is not a size; for example 10MB or 1GB")
    return int(digits) * UNITS.get(unit, 1)


def size_text(size: int) -> str:
    """The inverse of `size_in_bytes`: 10000000 as `10MB`."""
    unit = next(unit for unit, factor in UNITS.items() if size % factor == 0)
    return f"{size // UNITS[unit]}{unit}"


Bytes = Annotated[int, BeforeValidator(size_in_bytes)]
"""A number of bytes, that may be asked for as `10MB`."""
Words = Annotated[list[str], Field(min_length=1)]
"""At least one word; on the command line with commas between."""
Blocks = Annotated[int, Field(ge=1, le=BLOCKS, description="How often every cell is measured.")]


class Settings(Document):
    """What every bench can be asked for; its own settings come on top, with a help text (`description`) each."""

    blocks: Blocks = 3
    seed: Annotated[int, Field(description="Orders the cells of each block.")] = 0
    engine: Choice = Choice()


Model = TypeVar("Model", bound=Document)


def settings(model: type[Model], asked: Mapping[str, Any]) -> Model:
    """The settings that a user asked for.

    Raises:
        UsageError: an option has a value that it cannot have.
    """
    try:
        return model.model_validate(asked)
    except ValidationError as error:
        raise faults(error) from error


def settings_of(model: type[Model], store: Store, kind: str) -> Model:
    """The settings of a run of `lab <kind>` that is to go on.

    Raises:
        UsageError: it is a run of something else, or has no such settings; names the file and the field.
    """
    meta = store.meta()
    other = kind_of(meta)
    if other != kind:
        said = f"{store.folder.name} is no run of `lab {kind}`: {store.folder / 'meta.json'} says {other!r}"
        raise UsageError(said, f"`lab {other} --resume` goes on with it")
    found, faulty = wrong(model, meta.get("settings"))
    if found is None:
        raise UsageError("\n".join(f"{store.folder / 'meta.json'}: settings: {fault}" for fault in faulty))
    return found


def faults(error: ValidationError) -> UsageError:
    """What is wrong with the options, in the words of the command line."""
    lines = []
    for fault in error.errors():
        *_, option = [part for part in fault["loc"] if isinstance(part, str)] or ["engine"]
        option = "engine" if option == "name" else option.replace("_", "-")
        lines.append(f"--{option}: {wanted(fault)}")
    return UsageError("\n".join(lines))
