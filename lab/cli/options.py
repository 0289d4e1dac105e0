# SPDX-License-Identifier: MIT
"""The options that several commands share, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lab.cli.names import named
from lab.core.errors import UsageError
from lab.engines.choice import Choice
from lab.engines.ownership import CALLED
from lab.runner.settings import settings

ENGINE, CLUSTER = "Engine options", "Cluster options"
"""The titles above the options of the engine, and of a cluster, in the help of a command that has many others."""
RUN = "The run's name. `lab list runs` lists the runs."

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for a program.")]
Results = Annotated[Path, typer.Option("--results", help="The folder of the runs.", envvar="LAB_RESULTS")]
Run = Annotated[str, typer.Argument(**named(RUN, of="runs"))]
Variant = Annotated[
    str | None,
    typer.Option(**named("The data path; `lab list vpns` lists them. Default: the VPN's first.", of="variants")),
]
Cipher = Annotated[
    str | None,
    typer.Option(**named("The ciphersuite; `lab list suites` lists them. Default: the first.", of="suites")),
]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        **named(
            "Where containers run: `host` (this machine), `vm` (a guest with its own kernel), or `cable`: the "
            "server on one machine and the client on another.",
            of="engines",
        ),
        rich_help_panel=ENGINE,
    ),
]
Clock = Annotated[
    str,
    typer.Option(
        **named(
            "The guest's clock: `wall`, or `instructions`, which advances a nanosecond with each instruction. "
            "Other load on the machine does not change it.",
            of="clocks",
        ),
        rich_help_panel=ENGINE,
    ),
]
Kernel = Annotated[
    str,
    typer.Option(
        **named("The guest's kernel: Debian's `backports` or `stable`.", of="kernels"),
        rich_help_panel=ENGINE,
    ),
]
Processors = Annotated[
    int | None,
    typer.Option(
        help="The guest's processors. Default: 2 on the wall clock, 1 on the instruction clock.",
        show_default=False,
        rich_help_panel=ENGINE,
    ),
]
Memory = Annotated[int, typer.Option(help="The guest's memory in MiB.", rich_help_panel=ENGINE)]
Guests = Annotated[
    int,
    typer.Option(
        help="The number of guests that share the samples. More than one needs `--clock instructions`.",
        rich_help_panel=ENGINE,
    ),
]
Server = Annotated[
    str,
    typer.Option(
        help="The server's machine, where the ends are on two (`--engine cable`): `vm`, a guest with a virtual cable "
        "to the other, or ENGINE%INTERFACE, with its interface on the cable: `ssh://HOST%eth1`, `host%eth1`.",
        show_default=False,
        rich_help_panel=ENGINE,
    ),
]
Client = Annotated[
    str, typer.Option(help="The client's machine, likewise.", show_default=False, rich_help_panel=ENGINE)
]
Resume = Annotated[
    str | None,
    typer.Option(
        "--resume",
        **named(
            "Go on with this run, with its own settings. Samples that failed or were invalid are taken once more. "
            "Every attempt is kept, and the last one counts.",
            of="runs",
        ),
        show_default=False,
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Have the workers of the Dask scheduler at `tls://HOST:PORT` take the samples. This machine needs no "
        "Docker then. `lab cluster certificates` makes what TLS takes; docs/cluster.md says how to start workers.",
        show_default=False,
        rich_help_panel=CLUSTER,
    ),
]
Twice = Annotated[
    int,
    typer.Option(
        min=0,
        max=1000,
        help="With `--cluster`: so many units of the first block are taken by a second worker, too, and the report "
        "compares the two. A unit is a tunnel with its measures; on the wall clock, a whole block.",
        rich_help_panel=CLUSTER,
    ),
]
Hung = Annotated[
    float,
    typer.Option(
        min=1,
        help="With `--cluster`: a worker that takes longer for one sample, in seconds, hangs. It is started anew, and "
        "its unit goes to another worker.",
        rich_help_panel=CLUSTER,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Show the plan, what is unsupported, and about how much time and disk it takes. Nothing is measured, and "
        "nothing is written.",
    ),
]
Report = Annotated[
    bool,
    typer.Option(
        "--report/--no-report",
        help="Draw and show the run at its end. Without that, `lab report` does so whenever it is wanted.",
    ),
]
DEFAULT = Choice()


def called(name: str) -> str:
    """Check the name of a lab or guest, and return it.

    Raises:
        UsageError: it is not a valid name.
    """
    if not CALLED.fullmatch(name):
        raise UsageError(
            f"--name: {name!r} is not a valid name",
            "a name begins with a letter or digit; after it, letters, digits, `.`, `_` and `-` are valid",
        )
    return name


def share(value: float | None) -> float | None:
    """Check a margin, if there is one, and return it.

    Raises:
        UsageError: it is not between 0 and 1.
    """
    if value is not None and not 0 < value < 1:
        raise UsageError(
            f"--margin: more than 0 and less than 1 is wanted, got {value:g}", "0.05 stands for 5 per cent"
        )
    return value


def engine_choice(name: str, clock: str = "wall", **options: Any) -> Choice:
    """The engine that the options name; `options` are the other fields of `Choice`.

    Raises:
        UsageError: an option has an invalid value; lists the valid ones.
    """
    return settings(Choice, {"name": name, "clock": clock, **options})


def words(text: str) -> list[str]:
    """The words of a comma-separated option, each once."""
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
