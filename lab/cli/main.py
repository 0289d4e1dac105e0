# SPDX-License-Identifier: MIT
"""The `lab` command, put together; and the one place where its errors end."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lab import __version__, benches
from lab.cli import inventory, labs, measure, runs, vm
from lab.cli.options import App
from lab.core.errors import LabError
from lab.core.signals import Stopped, interruptible
from lab.core.terminal import abandon_output, any_locale, complain, console

app = App(
    name="lab",
    help="Compare Linux VPNs, ciphersuite by ciphersuite, and see where the CPU time goes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="markdown",
)
app.command("list")(inventory.list_)
for plain in (
    inventory.doctor, inventory.build, labs.up, labs.down, labs.status, labs.credentials, runs.report, runs.compare,
    runs.thesis,
):  # fmt: skip
    app.command()(plain)
for kind in benches.folders():
    app.command(kind)(measure.command(kind))
app.add_typer(vm.app, name="vm")


@app.callback(invoke_without_command=True)
def version(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Compare Linux VPNs, ciphersuite by ciphersuite, and see where the CPU time goes."""
    if show_version:
        console.print(f"lab {__version__}", highlight=False)
        raise typer.Exit


def main() -> None:
    """Run the command; every error of the lab ends here: its message, its next step, its exit code."""
    any_locale()
    try:
        with interruptible():
            app()
    except LabError as error:
        complain(error.message, error.hint)
        sys.exit(error.exit_code)
    except Stopped as error:
        complain(f"stopped by {error}")
        sys.exit(1)
    except Exception as error:
        if not (said := complaint(error)):
            raise
        complain(said)
        sys.exit(1)
    finally:
        abandon_output()


def complaint(error: Exception) -> str:
    """What an engine refused, or the system; empty where it is a fault of the lab's own.

    The library of engines is there only where one was asked for something.
    """
    engine = sys.modules.get("lab.engines.engine")
    if engine and isinstance(error, engine.LOST):
        return f"the engine refused: {engine.because(error)}"
    return f"{error.filename or 'the output'}: {error.strerror or error}" if isinstance(error, OSError) else ""
