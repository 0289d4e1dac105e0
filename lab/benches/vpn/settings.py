# SPDX-License-Identifier: MIT
"""The options of `lab matrix`. Light to import: the command line is built from them."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lab.runner import settings as common
from lab.runner.settings import Blocks, Bytes, Names, Words

KIND = "matrix"
TITLE = "Measure VPNs with each ciphersuite, in randomised blocks, and show the tables."


def measure_names() -> list[str]:
    """Every measure: the files of the folder `measures`. Nothing is imported."""
    return [module.name for module in pkgutil.iter_modules([str(Path(__file__).with_name("measures"))])]


class Settings(common.Settings):
    """The settings of a run, in `meta.json`: `--resume` takes them from there."""

    names: ClassVar[Mapping[str, Names]] = {"measures": measure_names}
    examples: ClassVar[Sequence[str]] = (
        "lab matrix --vpns {vpn} --ciphers {suite} --blocks 3 --duration 1",
        "lab matrix --ciphers all --dry-run",
        "lab matrix --engine vm --clock instructions --guests 2",
        "lab matrix --blocks auto --most-blocks 40",
        "lab matrix --resume RUN",
    )

    vpns: Annotated[list[str], Field(description="VPNs, separated by commas: {vpns}. Default: all.")] = []
    variants: Annotated[list[str], Field(description="Data paths: {variants}. Default: all of each VPN.")] = []
    ciphers: Annotated[
        Words, Field(description="Ciphersuites: {sets}, or names. `quick` is {quick}. The others: {others}.")
    ] = ["quick"]
    measures: Annotated[Words, Field(description="What to measure: {measures}.")] = ["throughput", "transfer"]
    duration: Annotated[int, Field(ge=1, le=600, description="Seconds of a timed load.")] = 5
    streams: Annotated[
        list[Annotated[int, Field(ge=1, le=64)]], Field(min_length=1, description="Numbers of TCP streams: `1,4`.")
    ] = [1]
    directions: Annotated[
        list[Literal["up", "down"]],
        Field(min_length=1, description="Directions: `up` (client to server), `down`, or `up,down`."),
    ] = ["up"]
    size: Annotated[Bytes, Field(ge=1000, le=1_000_000_000, description="The file of a transfer: `10MB`, `1GB`.")] = (
        10_000_000
    )
    blocks: Blocks = 5
