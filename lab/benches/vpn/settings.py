# SPDX-License-Identifier: MIT
"""The options of `lab matrix`, and of its measures. Light to import: the command line is built from them."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, create_model

from lab.benches.vpn import measures
from lab.runner import settings as common
from lab.runner.settings import Blocks, Names, Words

KIND = "matrix"
TITLE = "Measure VPNs with each ciphersuite, in randomised blocks, and show the tables."


def measure_names() -> list[str]:
    """Every measure: the files of the folder `measures`. Nothing is imported."""
    return [module.name for module in pkgutil.iter_modules([str(Path(__file__).with_name("measures"))])]


class Own(common.Settings):
    """The settings of the bench, whatever it measures: `Settings` has the options of the measures too."""

    names: ClassVar[Mapping[str, Names]] = {"measures": measure_names}
    two_machines: ClassVar[bool] = True
    examples: ClassVar[Sequence[str]] = (
        "lab matrix --vpns {vpn} --ciphers {suite} --blocks 3 --duration 1",
        "lab matrix --ciphers all --dry-run",
        "lab matrix --engine vm --clock instructions --guests 2",
        "lab matrix --blocks auto --most-blocks 40",
        "lab matrix --wires cut,dsl --engine vm",
        "lab matrix --server vm --client vm",
        "lab matrix --resume RUN",
    )

    vpns: Annotated[list[str], Field(description="VPNs, separated by commas: {vpns}. Default: all.")] = []
    variants: Annotated[
        list[str],
        Field(
            description="Data paths: {variants}, or `{packaged}`: those whose programs are as the distribution "
            "packages them. Default: all of each VPN."
        ),
    ] = []
    ciphers: Annotated[
        Words, Field(description="Ciphersuites: {sets}, or names. `quick` is {quick}. The others: {others}.")
    ] = ["quick"]
    measures: Annotated[Words, Field(description="What to measure: {measures}.")] = ["throughput", "transfer"]
    wires: Annotated[
        Words,
        Field(
            description="The wires between the ends: {wires}. On `whole` packets pass as between containers, on `cut` "
            "each by itself, as on a cable. `lab list wires` says what each does; its help, where yours are."
        ),
    ] = ["whole"]
    blocks: Blocks = 5


def composed() -> type[Own]:
    """The settings of the bench and the options of every measure."""
    own: dict[str, Any] = {
        name: (field.annotation, field)
        for measure in measures.every().values()
        for name, field in measure.Options.model_fields.items()
    }
    return create_model("Settings", __base__=Own, __module__=__name__, **own)


Settings = composed()
"""The settings of a run, in `meta.json`: `--resume` takes them from there."""
