# SPDX-License-Identifier: MIT
"""The `lab` command with all its subcommands, and the one place that catches their errors."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lab import __version__, benches
from lab.cli import cluster, contract, history, inventory, labs, measure, profiles, runs, vm
from lab.cli.app import App
from lab.core.errors import LabError
from lab.core.signals import Stopped, interruptible
from lab.core.terminal import abandon_output, any_locale, complain, console

PREPARE, MEASURE, SHOW, TRY, ADD = "Prepare", "Measure", "Look at runs", "Try a VPN by hand", "Add a VPN"
"""The titles above the commands in the help."""

app = App(
    name="lab",
    pretty_exceptions_enable=False,
    epilog="`lab COMMAND --help` explains a command and shows examples. `lab --install-completion` makes Tab complete "
    "commands, options and names (bash, zsh, fish, PowerShell): run it once, then open a new terminal.",
)
app.command("list", rich_help_panel=PREPARE)(inventory.list_)
for panel, commands in {
    PREPARE: (inventory.doctor, inventory.build),
    MEASURE: (),
    SHOW: (runs.report, runs.compare, profiles.profile, runs.aa, history.history, runs.thesis),
    TRY: (labs.up, labs.status, labs.down, labs.credentials),
    ADD: (contract.check, contract.capture),
}.items():
    for each in commands:
        app.command(rich_help_panel=panel)(each)
    if panel == MEASURE:
        for kind in benches.folders():
            app.command(kind, rich_help_panel=MEASURE)(measure.command(kind))
app.add_typer(cluster.app, name="cluster", rich_help_panel=PREPARE)
app.add_typer(vm.app, name="vm", rich_help_panel=TRY)


@app.callback(invoke_without_command=True)
def version(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Compare Linux VPNs, ciphersuite by ciphersuite, and see where the CPU time goes."""
    if show_version:
        console.print(f"lab {__version__}", highlight=False)
        raise typer.Exit


def main() -> None:
    """Run the command. Every error ends here: as a message, the next step, and the exit code."""
    any_locale()
    try:
        with interruptible():
            app(prog_name="lab")
    except LabError as error:
        complain(error.message, error.hint)
        sys.exit(error.exit_code)
    except Stopped as error:
        complain(f"stopped by {error}")
        sys.exit(1)
    except Exception as error:
        if not (message := complaint(error)):
            raise
        complain(message)
        sys.exit(1)
    finally:
        abandon_output()


def complaint(error: Exception) -> str:
    """Why the Docker engine or the system refused something; empty if the error is a fault of the lab itself.

    The engine's library is imported only by commands that use an engine.
    """
    engine = sys.modules.get("lab.engines.engine")
    if engine and isinstance(error, engine.LOST):
        return f"the Docker engine refused the request: {engine.because(error)}"
    return f"{error.filename or 'the output'}: {error.strerror or error}" if isinstance(error, OSError) else ""
