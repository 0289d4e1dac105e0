# SPDX-License-Identifier: MIT
"""Small frames of results, written out by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from lab.results.store import COLUMNS
from lab.stats.summary import Summary

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
    """The rows as `lab.results.store` gives them."""
    return pd.DataFrame(list(rows), columns=list(COLUMNS))


def summary(df: pd.DataFrame, meta: Mapping[str, Any] | None = None) -> Summary:
    """The run whose rows these are."""
    return Summary(df, meta or {})


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


def one(df: pd.DataFrame) -> dict[Any, Any]:
    assert len(df) == 1
    return df.to_dict("records")[0]


def by(df: pd.DataFrame, column: str) -> dict[Any, dict[Any, Any]]:
    """The rows of a frame by the value of one column."""
    return {record[column]: record for record in df.to_dict("records")}


VM: dict[str, Any] = {"engine": "vm", "clock": "instructions"}
"""What samples of the instruction clock have."""


def kernel_vpn(vpn: str, suite: str, block: int, **other: Any) -> list[dict[str, Any]]:
    """As `ledger`, of a VPN whose records the kernel processes: its daemon hardly runs; load and softirq do."""
    spent = {
        ("cpu_user", "server"): 0.001, ("cpu_system", "server"): 0.002, ("cost", "server"): 3.0,
        ("cpu_user", "client"): 0.0, ("cpu_system", "client"): 0.0, ("cost", "client"): 0.0,
        ("cpu_system", "client-load"): 0.9, ("cpu_softirq", "machine"): 0.8, ("cost", "machine"): 2600.0,
    }  # fmt: skip
    rows = ledger(vpn, suite, block, **{"records": "kernel", **other})
    return [entry | {"value": spent.get((entry["metric"], entry["end"]), entry["value"])} for entry in rows]


def by_packet(vpn: str, fixed: float, by_byte: float, suite: str = "x", **other: Any) -> list[dict[str, Any]]:
    """Instructions by packet of three sizes in three blocks: a third in user space, 100 each in the ends' processes."""
    rows = []
    for size in (64, 512, 1400):
        whole = fixed + by_byte * size
        for part, value in {"": whole, "_user": whole / 3, "_kernel": whole * 2 / 3}.items():
            figure = {"metric": f"instructions_per_packet{part}", "unit": "instructions", "end": "machine"}
            common = {"measure": "cost", "conditions": f"size={size}", **figure, **other}
            rows += cell(vpn, suite, [value] * 3, **common)
        for end in ("server", "client"):
            rows += cell(vpn, suite, [100.0] * 3, **common | {"metric": "instructions_per_packet", "end": end})
    return rows


def whole_matrix(clock: dict[str, Any] = VM) -> pd.DataFrame:
    """Every data path and 38 suites, as many as the real matrix has, three blocks each; one cell in two modes."""
    paths = [
        ("alpha", "dtls", "user", 14), ("alpha", "tls", "user", 14), ("alpha", "tls13", "user", 4),
        ("alpha", "tls-kernel", "kernel", 5), ("alpha", "tls13-kernel", "kernel", 4),
        ("alpha", "tls-kernel-tx", "kernel-tx", 5), ("alpha", "dtls-vhost", "user", 14),
        ("alpha", "tls-vhost", "user", 14), ("beta", "esp", "kernel", 24), ("beta", "esp-in-udp", "kernel", 24),
        ("gamma", "udp", "user", 35), ("gamma", "tcp", "user", 35), ("gamma", "udp-kernel", "kernel", 4),
        ("gamma", "tcp-kernel", "kernel", 4), ("delta", "udp", "kernel", 1),
    ]  # fmt: skip
    rows = []
    for number, (vpn, variant, records, suites) in enumerate(paths):
        for suite in range(suites):
            speed = 60 + 18 * number + 400 / (suite + 1)
            values = [speed, speed * 1.01, speed * 0.99]
            if (variant, suite) == ("udp", 0) and vpn == "gamma":
                values = [speed, speed * 1.01, speed * 0.7]
            common: dict[str, Any] = {"variant": variant, "records": records, **clock}
            rows += cell(vpn, f"suite-{suite:02d}", values, bottleneck="cpu:machine", **common)
            taken = kernel_vpn if records == "kernel" else ledger
            for block in range(3):
                rows += taken(vpn, f"suite-{suite:02d}", block, **common)
    return frame(rows + control([13000, 13100, 13050], **clock))
