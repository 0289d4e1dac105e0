# SPDX-License-Identifier: MIT
"""What of the range for measurements this machine uses already: a wire there would take that traffic over."""

from __future__ import annotations

import json
import subprocess
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

from lab.core.errors import LabError

MEASUREMENTS = IPv4Network("198.18.0.0/15")
"""Reserved for benchmarking (RFC 2544). A route to more than that is one to the internet: nothing here is behind it."""
NOWHERE = ("blackhole", "unreachable", "prohibit", "throw")
"""Routes that lead to nobody: who drops what is reserved loses nothing by a wire."""


def held() -> dict[IPv4Network, str]:
    """Each network of the range that a route or an address of this machine has, in whatever table, and what has it.

    Raises:
        LabError: they cannot be read.
    """
    found: dict[IPv4Network, str] = {}
    for route in _ip("route", "show", "table", "all"):
        table = f", table {route['table']}" if route.get("table", "main") not in ("main", "local") else ""
        if route.get("type") not in NOWHERE and route["dst"] != "default":
            found.setdefault(IPv4Network(route["dst"]), f"dev {route.get('dev', 'of several')}{table}")
    # One whose link is down has no route.
    for link in _ip("address", "show"):
        for each in link.get("addr_info", []):
            network = IPv4Interface(f"{each.get('address', each['local'])}/{each['prefixlen']}").network
            found.setdefault(network, f"dev {link['ifname']}")
    return {network: by for network, by in found.items() if network.subnet_of(MEASUREMENTS)}


def _ip(*words: str) -> list[dict[str, Any]]:
    argv = ["ip", "-4", "-json", *words]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
        if done.returncode:
            raise ValueError(done.stderr.strip())
        return [row for row in json.loads(done.stdout or "[]") if row]
    except FileNotFoundError as error:
        raise LabError(
            "the ip command is missing: it says which networks are taken", "apt-get install iproute2"
        ) from error
    except (ValueError, subprocess.TimeoutExpired) as error:
        raise LabError(f"`{' '.join(argv)}` does not say which networks are taken: {error}") from error
