# SPDX-License-Identifier: MIT
"""The environment of both endpoints: their part of `meta.json`."""

from __future__ import annotations

from typing import Any

from docker.models.containers import Container

from lab.engines.platform import pairs
from lab.testbed.testbed import Testbed

SYSCTLS = (
    "net/core/rmem_max", "net/core/wmem_max", "net/core/rmem_default", "net/core/default_qdisc",
    "net/ipv4/tcp_rmem", "net/ipv4/tcp_wmem", "net/ipv4/tcp_congestion_control", "net/ipv4/tcp_mtu_probing",
)  # fmt: skip


def describe(bed: Testbed, ends: dict[str, Container]) -> dict[str, Any]:
    """Offloads of the wire and sysctls of the network namespace, at each endpoint."""
    script = "ethtool -k eth0 | grep -E ': (on|off)'; cd /proc/sys; for f; do echo \"$f: $(cat $f 2>/dev/null)\"; done"
    outputs = {end: bed.engine.ask(ends[end], ["sh", "-c", script, "sh", *SYSCTLS]).stdout for end in ends}
    return {end: dict(pairs(text)) for end, text in outputs.items()}
