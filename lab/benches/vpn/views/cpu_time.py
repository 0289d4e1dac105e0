# SPDX-License-Identifier: MIT
"""Where the CPU time went: seconds of each place as shares and per byte carried, and whether the ledger closes.

A VPN in the kernel has no process to charge. Its cost is in the machine's time: in softirq, in kernel threads, and in
the system time of the process that sent, received or was interrupted (mostly the load's own). So data paths in user
space and in the kernel are compared by the time of the whole machine (`cost` at end `machine`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lab.benches.vpn.cpu_ledger import GIGABYTE
from lab.stats.analysis import LOAD_ENDS, ROWS, SAMPLE, VPN_ENDS, measured

if TYPE_CHECKING:
    from collections.abc import Sequence

SYSCALLS = {
    "reads": ("read", "readv", "pread64", "preadv", "recvfrom", "recvmsg", "recvmmsg"),
    "writes": ("write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg", "sendmmsg", "sendfile"),
}
STATES = ("user", "system", "softirq", "irq", "idle", "iowait", "steal")
BUSY = ("user", "system", "softirq", "irq")
NEGLIGIBLE = 0.01
"""An endpoint whose processes used less than this part of the machine's busy time has no meaningful share."""
TAKEN = [*SAMPLE, "mode", "end"]
"""The columns that identify a sample's figures at one endpoint."""


def _wide(df: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """One row per sample and endpoint, one column per metric (NaN if not read)."""
    wide = measured(df, metrics).pivot_table(index=TAKEN, columns="metric", values="value", aggfunc="sum")
    return wide.reindex(columns=list(metrics)).reset_index()


def _rows(frame: pd.DataFrame, metric: str, unit: str, value: pd.Series[float]) -> pd.DataFrame:
    """Derived values as rows of the tidy form; undefined values (0 / 0) are left out."""
    derived = frame[TAKEN].assign(metric=metric, unit=unit, value=value, outcome="ok", reason="", bottleneck="")
    defined: pd.DataFrame = derived.loc[np.isfinite(derived["value"]), ROWS]
    return defined


def busy(df: pd.DataFrame) -> pd.DataFrame:
    """Seconds (`busy`) that the machine was busy in each sample; no row if the ledger is missing."""
    rows = measured(df, [f"cpu_{state}" for state in BUSY], end="machine")
    return rows.groupby(SAMPLE)["value"].sum().rename("busy").reset_index()


def kernel_share(df: pd.DataFrame) -> pd.DataFrame:
    """`kernel_share`: the part of an endpoint's CPU time that the kernel spent.

    Absent if an endpoint spent almost nothing (under 1 % of the machine's busy time). Its records went through the
    kernel, which charges others; a share of the daemon's few ticks would suggest the opposite.
    """
    wide = _wide(df, ["cpu_user", "cpu_system"]).merge(busy(df), on=SAMPLE, how="left")
    cpu_seconds = wide["cpu_user"] + wide["cpu_system"]
    share = (wide["cpu_system"] / cpu_seconds).where(~(cpu_seconds < NEGLIGIBLE * wide["busy"]))
    return _rows(wide, "kernel_share", "fraction", share)


def of_load(df: pd.DataFrame, metrics: Sequence[str] = ("cpu_user", "cpu_system")) -> pd.DataFrame:
    """`metrics` of both load generators together, as rows of the end `load`: they are charged for kernel work."""
    rows = measured(df, metrics)
    rows = rows[rows["end"].isin(LOAD_ENDS)].assign(end="load")
    keys = [column for column in ROWS if column != "value"]
    return rows.groupby(keys, sort=True)["value"].sum().reset_index()[ROWS]


def per_payload(df: pd.DataFrame, metrics: Sequence[str], size: float = GIGABYTE) -> pd.DataFrame:
    """`metrics` per `size` bytes of payload carried (a GB is 10^9 bytes), under the same names."""
    payload = measured(df, "payload").groupby(SAMPLE)["value"].first().rename("payload").reset_index()
    rows = measured(df, metrics).merge(payload, on=SAMPLE, how="inner")
    per = {1e9: "GB", 1e6: "MB"}.get(size, f"{size:g} B")
    value = rows["value"] / (rows["payload"] / size)
    scaled = rows.assign(value=value, unit=rows["unit"] + f"/{per}")
    defined: pd.DataFrame = scaled.loc[np.isfinite(value), ROWS]
    return defined


def reads_and_writes(df: pd.DataFrame) -> pd.DataFrame:
    """`reads` and `writes` of each endpoint: the sum of all system calls that receive or send (count)."""
    rows = measured(df)
    family = rows["metric"].map({f"syscall:{name}": key for key, names in SYSCALLS.items() for name in names})
    rows = rows.assign(metric=family, unit="count")[family.notna()]
    keys = [column for column in ROWS if column != "value"]
    return rows.groupby(keys, sort=True)["value"].sum().reset_index()[ROWS]


def cost_by_place(df: pd.DataFrame) -> pd.DataFrame:
    """`cost` (CPU s/GB) at server, client, and `rest`: the machine's minus theirs.

    The rest contains the kernel's work for a VPN that has no process, and the load generators.
    """
    rows = measured(df, "cost")
    wide = rows.pivot_table(index=[*SAMPLE, "mode"], columns="end", values="value", aggfunc="sum")
    wide = wide.reindex(columns=[*VPN_ENDS, "machine"]).reset_index()
    rest = wide["machine"] - wide["server"].fillna(0) - wide["client"].fillna(0)
    return pd.concat([rows[ROWS], _rows(wide.assign(end="rest"), "cost", "s/GB", rest)], ignore_index=True)


def ledger_closure(df: pd.DataFrame, processors: int, tolerance: float = 0.02) -> pd.DataFrame:
    """Whether each sample's CPU ledger closes: the machine's states sum to wall x processors, within `tolerance`.

    The time of the endpoints must also fit into the machine's busy time. All in seconds. New columns: `whole`, `parts`,
    `gap` (the share of the whole that the parts leave: `cpu_ledger.gap`), `busy`, `ends`, and `closes`.
    """
    wide = _wide(df, ["wall", *(f"cpu_{state}" for state in STATES)])
    machine = wide[wide["end"] == "machine"]
    by_end = wide[wide["end"].isin([*VPN_ENDS, *LOAD_ENDS])]
    ends = by_end.assign(ends=by_end[["cpu_user", "cpu_system"]].sum(axis=1)).groupby(SAMPLE)["ends"].sum()
    states = machine[[f"cpu_{state}" for state in STATES]]
    whole, parts = machine["wall"] * processors, states.sum(axis=1)
    spent_by_all = states[[f"cpu_{state}" for state in BUSY]].sum(axis=1)
    closed = machine[SAMPLE].assign(whole=whole, parts=parts, gap=(whole - parts) / whole, busy=spent_by_all)
    closed = closed.join(ends, on=SAMPLE).reset_index(drop=True)
    fits = closed["ends"].fillna(0) <= closed["busy"] + tolerance * closed["whole"]
    return closed.assign(closes=(closed["gap"].abs() <= tolerance) & fits)
