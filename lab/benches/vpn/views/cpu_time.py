# SPDX-License-Identifier: MIT
"""Where the CPU time went: seconds of each place as shares and per byte carried, and whether the ledger closes.

A VPN in the kernel has no process to charge. What it costs is in the machine's time: in softirq, in kernel threads,
and in the system time of whoever sent, received or was interrupted, which is mostly the load's own processes. So data
paths in user space and in the kernel are compared by what the whole machine spent (`cost` at end `machine`).
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
"""An end whose processes took less of the machine's busy time than this did no work that a share could describe."""
TAKEN = [*SAMPLE, "mode", "end"]
"""What names a sample's figures at one end."""


def _wide(df: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """One row per sample and end, one column per metric (NaN where not read)."""
    wide = measured(df, metrics).pivot_table(index=TAKEN, columns="metric", values="value", aggfunc="sum")
    return wide.reindex(columns=list(metrics)).reset_index()


def _rows(frame: pd.DataFrame, metric: str, unit: str, value: pd.Series[float]) -> pd.DataFrame:
    """Derived values as rows of the tidy form; those that are undefined (0 / 0) are left out."""
    derived = frame[TAKEN].assign(metric=metric, unit=unit, value=value, outcome="ok", reason="", bottleneck="")
    defined: pd.DataFrame = derived.loc[np.isfinite(derived["value"]), ROWS]
    return defined


def busy(df: pd.DataFrame) -> pd.DataFrame:
    """Seconds (`busy`) that the machine was busy in each sample; none where its ledger is not there."""
    rows = measured(df, [f"cpu_{state}" for state in BUSY], end="machine")
    return rows.groupby(SAMPLE)["value"].sum().rename("busy").reset_index()


def kernel_share(df: pd.DataFrame) -> pd.DataFrame:
    """`kernel_share`: what part of an end's CPU time the kernel spent.

    Absent where an end spent next to nothing (under 1 % of what the machine was busy): its records went through the
    kernel, which charges others, and a share of the daemon's own few ticks would say the contrary.
    """
    wide = _wide(df, ["cpu_user", "cpu_system"]).merge(busy(df), on=SAMPLE, how="left")
    spent = wide["cpu_user"] + wide["cpu_system"]
    share = (wide["cpu_system"] / spent).where(~(spent < NEGLIGIBLE * wide["busy"]))
    return _rows(wide, "kernel_share", "fraction", share)


def of_load(df: pd.DataFrame, metrics: Sequence[str] = ("cpu_user", "cpu_system")) -> pd.DataFrame:
    """`metrics` of both load generators together, as rows of the end `load`: they carry what the kernel does."""
    rows = measured(df, metrics)
    rows = rows[rows["end"].isin(LOAD_ENDS)].assign(end="load")
    kept = [column for column in ROWS if column != "value"]
    return rows.groupby(kept, sort=True)["value"].sum().reset_index()[ROWS]


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
    """`reads` and `writes` of each end: system calls of all names that receive or send, summed (count)."""
    rows = measured(df)
    family = rows["metric"].map({f"syscall:{name}": key for key, names in SYSCALLS.items() for name in names})
    rows = rows.assign(metric=family, unit="count")[family.notna()]
    kept = [column for column in ROWS if column != "value"]
    return rows.groupby(kept, sort=True)["value"].sum().reset_index()[ROWS]


def cost_by_place(df: pd.DataFrame) -> pd.DataFrame:
    """`cost` (CPU s/GB) at server, client, and `rest`: the machine's less theirs.

    The rest holds the kernel's own work for a VPN that has no process, and the load generators.
    """
    rows = measured(df, "cost")
    wide = rows.pivot_table(index=[*SAMPLE, "mode"], columns="end", values="value", aggfunc="sum")
    wide = wide.reindex(columns=[*VPN_ENDS, "machine"]).reset_index()
    rest = wide["machine"] - wide["server"].fillna(0) - wide["client"].fillna(0)
    return pd.concat([rows[ROWS], _rows(wide.assign(end="rest"), "cost", "s/GB", rest)], ignore_index=True)


def ledger_closure(df: pd.DataFrame, processors: int, tolerance: float = 0.02) -> pd.DataFrame:
    """Does each sample's CPU ledger close: do the machine's states sum to wall x processors, within `tolerance`?

    Also whether the ends fit into what the machine was busy (all in seconds). Columns beside the sample's: `whole`,
    `parts`, `gap` (what they leave of the whole, as a share of it: `cpu_ledger.gap`), `busy`, `ends`, and `closes`.
    """
    wide = _wide(df, ["wall", *(f"cpu_{state}" for state in STATES)])
    machine = wide[wide["end"] == "machine"]
    spent = wide[wide["end"].isin([*VPN_ENDS, *LOAD_ENDS])]
    ends = spent.assign(ends=spent[["cpu_user", "cpu_system"]].sum(axis=1)).groupby(SAMPLE)["ends"].sum()
    states = machine[[f"cpu_{state}" for state in STATES]]
    whole, parts = machine["wall"] * processors, states.sum(axis=1)
    spent_by_all = states[[f"cpu_{state}" for state in BUSY]].sum(axis=1)
    closed = machine[SAMPLE].assign(whole=whole, parts=parts, gap=(whole - parts) / whole, busy=spent_by_all)
    closed = closed.join(ends, on=SAMPLE).reset_index(drop=True)
    fits = closed["ends"].fillna(0) <= closed["busy"] + tolerance * closed["whole"]
    return closed.assign(closes=(closed["gap"].abs() <= tolerance) & fits)
