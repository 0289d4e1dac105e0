# SPDX-License-Identifier: MIT
"""The networks of the measurement range that this machine uses. A wire there would take over their traffic."""

from __future__ import annotations

import json
import subprocess
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

from lab.core.errors import LabError

MEASUREMENTS = IPv4Network("198.18.0.0/15")
"""Reserved for benchmarking (RFC 2544). A wider route leads to the internet; nothing of this range is behind it."""
NOWHERE = ("blackhole", "unreachable", "prohibit", "throw")
"""Routes that drop packets. A wire in such a network takes over no traffic."""


def held() -> dict[IPv4Network, str]:
    """Each network of the range with a route (in any table) or an address on this machine, and its device.

    Raises:
        LabError: routes or addresses cannot be read.
    """
    holders: dict[IPv4Network, str] = {}
    for route in _ip("route", "show", "table", "all"):
        table = f", table {route['table']}" if route.get("table", "main") not in ("main", "local") else ""
        if route.get("type") not in NOWHERE and route["dst"] != "default":
            holders.setdefault(IPv4Network(route["dst"]), f"dev {route.get('dev', 'of several')}{table}")
    # An address whose link is down has no route.
    for link in _ip("address", "show"):
        for address in link.get("addr_info", []):
            network = IPv4Interface(f"{address.get('address', address['local'])}/{address['prefixlen']}").network
            holders.setdefault(network, f"dev {link['ifname']}")
    return {network: holder for network, holder in holders.items() if network.subnet_of(MEASUREMENTS)}


def _ip(*words: str) -> list[dict[str, Any]]:
    argv = ["ip", "-4", "-json", *words]
    try:
        process = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
        if process.returncode:
            raise ValueError(process.stderr.strip())
        return [row for row in json.loads(process.stdout or "[]") if row]
    except FileNotFoundError as error:
        raise LabError(
            "the ip command is missing: it says which networks are taken", "apt-get install iproute2"
        ) from error
    except (ValueError, subprocess.TimeoutExpired) as error:
        raise LabError(f"`{' '.join(argv)}` does not say which networks are taken: {error}") from error
