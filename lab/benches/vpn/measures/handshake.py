# SPDX-License-Identifier: MIT
"""Handshake: from the start of the client to the first answer through the tunnel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.benches.vpn.measures import Options
from lab.benches.vpn.tunnel import Tunnel
from lab.results.reading import Reading

TITLE = "time to the first answer"
UNIT = "s"


def conditions(options: Options) -> list[str]:
    """One, without conditions."""
    return [""]


def run(tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Every tunnel is fresh: its own bring-up is the sample. `up` asks for the answer until there is one."""
    return {"handshake": tunnel.handshake}


def parse(raw: Mapping[str, Any]) -> list[Reading]:
    """Seconds, by the clock of the client's kernel."""
    return [Reading("handshake", UNIT, "client", raw["handshake"])]
