"""Small frames of results, written out by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from lab.store import COLUMNS

UP = "direction=up streams=1"


def row(vpn: str, suite: str, block: int, value: float | None, **other: Any) -> dict[str, Any]:
    """One figure; throughput of a CPU-bound `udp` tunnel unless told otherwise."""
    standard = {
        "run": "r1", "block": block, "position": 0, "vpn": vpn, "variant": "udp", "records": "user", "suite": suite,
        "measure": "throughput", "conditions": UP, "metric": "throughput", "unit": "Mbit/s", "end": "server",
        "value": value, "outcome": "ok", "reason": "", "engine": "host", "clock": "wall", "bottleneck": "cpu:client",
    }  # fmt: skip
    return standard | other


def frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """The rows as `lab.store` gives them."""
    return pd.DataFrame(list(rows), columns=list(COLUMNS))


def cell(vpn: str, suite: str, values: Iterable[float], **other: Any) -> list[dict[str, Any]]:
    """A cell's figure in blocks 0, 1, 2 and so on."""
    return [row(vpn, suite, block, value, **other) for block, value in enumerate(values)]


def missing(vpn: str, suite: str, outcome: str, reason: str, **other: Any) -> dict[str, Any]:
    """A sample without figures."""
    nothing = {"metric": None, "unit": None, "end": None, "outcome": outcome, "reason": reason, "bottleneck": ""}
    return row(vpn, suite, 0, None, **nothing, **other)


def control(values: Iterable[float], **other: Any) -> list[dict[str, Any]]:
    """The control's throughput."""
    return cell("plain", "none", values, **{"variant": "wire", "records": "", "bottleneck": "generator"} | other)


def ledger(vpn: str, suite: str, block: int, **other: Any) -> list[dict[str, Any]]:
    """A transfer of 1 MB on two processors in 2 s: 1 s of the server, 0.6 s of the client, 0.2 s of a generator."""
    figures: list[tuple[str, str, str, float]] = [
        ("payload", "B", "machine", 1e6), ("wall", "s", "machine", 2.0), ("cost", "s/GB", "machine", 2000.0),
        ("cpu_user", "s", "server", 0.25), ("cpu_system", "s", "server", 0.75), ("cost", "s/GB", "server", 1000.0),
        ("cpu_user", "s", "client", 0.3), ("cpu_system", "s", "client", 0.3), ("cost", "s/GB", "client", 600.0),
        ("cpu_user", "s", "client-load", 0.1), ("cpu_system", "s", "client-load", 0.1),
        ("cpu_user", "s", "machine", 0.7), ("cpu_system", "s", "machine", 1.1), ("cpu_softirq", "s", "machine", 0.2),
        ("cpu_irq", "s", "machine", 0.0), ("cpu_idle", "s", "machine", 2.0), ("cpu_iowait", "s", "machine", 0.0),
        ("cpu_steal", "s", "machine", 0.0), ("cpu_kernel_threads", "s", "machine", 0.1),
        ("context_switches_voluntary", "count", "server", 300), ("context_switches_involuntary", "count", "server", 7),
        ("syscall:read", "count", "server", 700), ("syscall:recvfrom", "count", "server", 50),
        ("syscall:write", "count", "server", 740), ("syscall:poll", "count", "server", 9000),
        ("throughput", "Mbit/s", "server", 4.0),
    ]  # fmt: skip
    common = {"measure": "transfer", "conditions": "size=1000000", **other}
    return [
        row(vpn, suite, block, value, metric=metric, unit=unit, end=end, **common)
        for metric, unit, end, value in figures
    ]
