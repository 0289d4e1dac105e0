# SPDX-License-Identifier: MIT
"""The settings of a run: those that the user gave, or those of the run that is resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from lab.core.documents import Document, wanted
from lab.core.errors import UsageError
from lab.engines.choice import Choice
from lab.results.looks import AUTO, stages
from lab.results.schema import faults as faults_of
from lab.results.store import Store, kind_of
from lab.runner.plan import BLOCKS

UNITS = {"GB": 10**9, "MB": 10**6, "KB": 10**3, "B": 1}


def size_in_bytes(text: object) -> object:
    """`10MB` as 10000000. The units are decimal, as in the thesis and in iperf3's rates. A number stays as it is.

    Raises:
        ValueError: the text is not a size.
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
"""A number of bytes. The command line also takes it as `10MB`."""
Words = Annotated[list[str], Field(min_length=1)]
"""At least one word. On the command line they are separated by commas."""


def number_of_blocks(value: int | str) -> int | str:
    """Check a number of blocks, or `auto`.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, str) and value != AUTO:
        raise ValueError(f"a whole number or `{AUTO}` is wanted, got {value!r}")
    if isinstance(value, int) and not 1 <= value <= BLOCKS:
        raise ValueError(f"{'at least 1' if value < 1 else f'at most {BLOCKS}'} is wanted, got {value}")
    return value


Blocks = Annotated[
    int | str,
    Field(
        union_mode="left_to_right",
        description="The number of blocks. A block measures every cell once, in random order. `auto`: until every "
        "comparison within the run is decided.",
    ),
    AfterValidator(number_of_blocks),
]
Names = Callable[[], Iterable[str]]
"""The valid names of an option."""


class Settings(Document):
    """The settings of every bench. A bench adds its own, each with a help text (`description`).

    In a help text, `{key}` stands for the valid names, which `names` returns for each key. `examples` are command
    lines for the help.
    """

    names: ClassVar[Mapping[str, Names]] = {}
    examples: ClassVar[Sequence[str]] = ()
    two_machines: ClassVar[bool] = False
    """Whether its ends may be on two machines."""

    blocks: Blocks = 3
    most_blocks: Annotated[
        int, Field(ge=1, le=BLOCKS, description="With `--blocks auto`: a run has no more blocks than this.")
    ] = 20
    seed: Annotated[int, Field(description="The seed of the random order. The same seed gives the same order.")] = 0
    engine: Choice = Choice()

    @model_validator(mode="after")
    def _has_machines(self) -> Settings:
        if self.engine.name == "cable" and not self.two_machines:
            raise ValueError("--engine: it measures on one machine: host or vm is wanted, got 'cable'")
        return self

    @property
    def limit(self) -> int:
        """The number of blocks, or the most of them."""
        return self.most_blocks if self.blocks == AUTO else int(self.blocks)

    @property
    def stages(self) -> list[int]:
        """The numbers of blocks at which the run is looked at; empty if it has a fixed number of blocks."""
        return stages(self.most_blocks) if self.blocks == AUTO else []


Model = TypeVar("Model", bound=Document)


def settings(model: type[Model], asked: Mapping[str, Any]) -> Model:
    """The settings that the user gave.

    Raises:
        UsageError: an option has an invalid value.
    """
    try:
        return model.model_validate(asked)
    except ValidationError as error:
        raise faults(error) from error


def settings_of(model: type[Model], store: Store, kind: str) -> Model:
    """The settings of a run of `lab <kind>`.

    Raises:
        UsageError: it is a run of another command, or its settings are invalid; names the file and the field.
    """
    meta = store.meta()
    other = kind_of(meta)
    if other != kind:
        message = f"{store.folder.name} is not a run of `lab {kind}`: {store.folder / 'meta.json'} says {other!r}"
        raise UsageError(message, f"`lab {other} --resume {store.folder.name}` resumes it")
    stored, problems = faults_of(model, meta.get("settings"))
    if stored is None:
        raise UsageError("\n".join(f"{store.folder / 'meta.json'}: settings: {problem}" for problem in problems))
    return stored


def faults(error: ValidationError) -> UsageError:
    """The error for invalid options. It names them as on the command line."""
    lines = []
    for fault in error.errors():
        *_, option = [part for part in fault["loc"] if isinstance(part, str)] or ["engine"]
        option = "engine" if option == "name" else option.replace("_", "-")
        said = wanted(fault)
        lines.append(said if said.startswith("--") else f"--{option}: {said}")
    return UsageError("\n".join(lines))
