# SPDX-License-Identifier: MIT
"""The options that several commands share, each described once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand

from lab.core.errors import UsageError
from lab.engines.choice import Choice
from lab.engines.ownership import CALLED
from lab.runner.settings import settings

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for a program to read.")]
Results = Annotated[Path, typer.Option("--results", help="Where runs are kept.", envvar="LAB_RESULTS")]
EngineName = Annotated[
    str,
    typer.Option("--engine", help="Where containers run: host (this machine), or vm (a guest with its own kernel)."),
]
Clock = Annotated[
    str, typer.Option(help="vm: wall, or instructions (a nanosecond each: the same whatever else the machine does).")
]
Kernel = Annotated[str, typer.Option(help="vm: the guest's kernel, Debian's backports or stable.")]
Processors = Annotated[
    int | None, typer.Option(help="vm: the guest's processors; 2, or 1 on the instruction clock.", show_default=False)
]
Memory = Annotated[int, typer.Option(help="vm: the guest's memory in MiB.")]
Guests = Annotated[int, typer.Option(help="vm, instructions: guests side by side, each with its share of the run.")]
Function = TypeVar("Function", bound=Callable[..., Any])
Resume = Annotated[
    str | None,
    typer.Option(
        "--resume",
        help="Go on with this run; its own settings hold. What failed or was invalid is taken once more, each time: "
        "every attempt is kept, the last one counts. What is unsupported stays so.",
        show_default=False,
    ),
]
DEFAULT = Choice()


class Command(TyperCommand):
    """A command that takes no empty word: it is what a variable leaves that is not set, and would mean a default."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line.

        Raises:
            UsageError: an option or argument has an empty value, or a list with nothing in it.
        """
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        for parameter in self.get_params(ctx):
            value = given.get(str(parameter.name))
            if isinstance(value, str) and not value.strip(", \t\n"):
                name = next((word for word in parameter.opts if word[:1] == "-"), str(parameter.name).upper())
                raise UsageError(
                    f"{name}: {value!r} is empty", "is a variable not set? give it a value, or leave it out"
                )
        return super().parse_args(ctx, args)


class App(typer.Typer):
    """Commands that take no empty words."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[Function], Function]:
        """Add a command."""
        return super().command(name, cls=Command, **options)


def called(name: str) -> str:
    """The name of a lab or guest, as it is.

    Raises:
        UsageError: nothing can be called that.
    """
    if not CALLED.fullmatch(name):
        raise UsageError(f"--name: {name!r} is no name", "letters, digits, and after the first also . _ and -")
    return name


def share(value: float) -> float:
    """A part of one, as it is.

    Raises:
        UsageError: it is none.
    """
    if not 0 < value < 1:
        raise UsageError(f"--margin: more than 0 and less than 1 is wanted, got {value:g}", "0.05 is five in a hundred")
    return value


def engine_choice(name: str, clock: str = "wall", **options: Any) -> Choice:
    """The engine that the options name; `options` are the other fields of `Choice`.

    Raises:
        UsageError: an option has no such value; with those that it may have.
    """
    return settings(Choice, {"name": name, "clock": clock, **options})


def words(text: str) -> list[str]:
    """A comma-separated option as a list, each word once."""
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
