# SPDX-License-Identifier: MIT
"""The options of `lab matrix`. Light to import: the command line is built from them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lab.runner import settings as common
from lab.runner.settings import Blocks, Bytes, Words

KIND = "matrix"
TITLE = "Measure every VPN with every suite in randomised blocks, and show the tables."


class Settings(common.Settings):
    """Kept in `meta.json`, so that `--resume` needs no other word."""

    vpns: Annotated[list[str], Field(description="VPNs, with commas between; all where none is named.")] = []
    variants: Annotated[list[str], Field(description="Only these data paths.")] = []
    ciphers: Annotated[Words, Field(description="all, quick, or suites with commas between.")] = ["quick"]
    measures: Annotated[Words, Field(description="What to measure.")] = ["throughput", "transfer"]
    duration: Annotated[int, Field(ge=1, le=600, description="Seconds of a timed load.")] = 5
    streams: Annotated[
        list[Annotated[int, Field(ge=1, le=64)]], Field(min_length=1, description="TCP streams, for example 1,4.")
    ] = [1]
    directions: Annotated[
        list[Literal["up", "down"]], Field(min_length=1, description="up (client to server), down, or up,down.")
    ] = ["up"]
    size: Annotated[Bytes, Field(ge=1000, le=1_000_000_000, description="File of a transfer: 10MB, 1GB, …")] = (
        10_000_000
    )
    blocks: Blocks = 5
