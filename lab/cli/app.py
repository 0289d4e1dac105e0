# SPDX-License-Identifier: MIT
"""What all commands have in common: no empty values, flags that are shown as flags, names and examples in the help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from lab.cli import names
from lab.core.errors import UsageError

Function = TypeVar("Function", bound=Callable[..., Any])


class _Help:
    """The part of a command that its help shows."""

    help: str | None

    def get_params(self, ctx: Any) -> list[Any]:
        """The arguments and options. A flag has no value, so the help shows no type beside it."""
        parameters: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for parameter in parameters:
            if getattr(parameter, "is_flag", False):
                parameter.metavar = ""
        return parameters

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the help, with the names of the catalogue in it."""
        self.help = names.filled(self.help or "")
        for parameter in self.get_params(ctx):
            parameter.help = names.filled(parameter.help or "")
        super().format_help(ctx, formatter)  # type: ignore[misc]


class Group(_Help, TyperGroup):
    """A group of commands."""


class Command(_Help, TyperCommand):
    """A command that refuses an empty value. A variable that is not set leaves one, and it would mean a default."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line.

        Raises:
            UsageError: an option or argument has an empty value, or a list with nothing in it.
        """
        if not ctx.resilient_parsing:  # a shell that completes the line: it is not finished yet
            self._refuse_empty(ctx, args)
        return super().parse_args(ctx, args)

    def _refuse_empty(self, ctx: Any, args: list[str]) -> None:
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        for parameter in self.get_params(ctx):
            value = given.get(str(parameter.name))
            for text in value if isinstance(value, list | tuple) else [value]:
                if isinstance(text, str) and not text.strip(", \t\n"):
                    name = next((word for word in parameter.opts if word[:1] == "-"), str(parameter.name).upper())
                    hint = "is a variable not set? Give a value, or leave it out"
                    raise UsageError(f"{name}: {text!r} is empty", hint)


class App(typer.Typer):
    """A group of such commands."""

    def __init__(self, **options: Any) -> None:
        super().__init__(cls=Group, no_args_is_help=True, rich_markup_mode="markdown", **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[Function], Function]:
        """Add a command."""
        return super().command(name, cls=Command, **options)
