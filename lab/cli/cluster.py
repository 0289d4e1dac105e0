# SPDX-License-Identifier: MIT
"""`lab cluster`: what a cluster of machines needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.cli.app import App
from lab.core.terminal import console

app = App(help="Prepare a cluster: many machines that take the samples of one run (`--cluster`).")


@app.callback()
def cluster() -> None:
    """Prepare a cluster: many machines that take the samples of one run (`--cluster`)."""


@app.command()
def certificates(
    folder: Annotated[Path, typer.Argument(help="The folder of the cluster's authority. Keep it to yourself.")],
    names: Annotated[list[str], typer.Argument(help="A name for each machine, and one for whoever measures.")],
) -> None:
    """Make the certificates of a cluster: for each name a folder with a key, and the configuration that Dask takes.

    Dask runs the code that it is sent, so its scheduler, its workers and `lab` accept nobody without a certificate of
    the same authority. What is there and valid for 30 days is left as it is; a year later it is made anew.

    Examples:
    - `lab cluster certificates ~/.config/lab/cluster client one two`
    """
    from lab.cluster.certificates import make

    for path in make(folder, names):
        console.print(f"DASK_CONFIG={path.resolve()}", highlight=False, soft_wrap=True)
