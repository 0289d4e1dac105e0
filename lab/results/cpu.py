# SPDX-License-Identifier: MIT
"""The states of CPU time in the readings of a sample, the CPU time that was not the lab's, and the bottleneck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.results.reading import Reading

BUSY = ("user", "nice", "system", "irq", "softirq")


SHOWN = ("user", "system", "softirq", "irq", "idle", "iowait", "steal")
"""The states that reports show. `user` includes `nice`."""


SATURATED = 0.8
"""A process that runs for at least this share of the time that data flowed is the limit. It is not 1: a pipeline
stutters, and its processes are interrupted."""


SPARE = 0.15
"""Up to this share of the machine's time, idle time is the stutter of a pipeline, not spare capacity."""


FOREIGN = 0.05
"""Above this share of the machine's time, processes that are not the lab's have slowed a load: its figure is not the
VPN's. Undisturbed loads of a second read -0.04 to 0.03; those beside another program, on two processors, 0.37."""


TICKS = 0.04
"""Seconds that the machine's states may be off, since /proc/stat counts in steps of 10 ms."""

KERNEL = "cpu:kernel"
"""The bottleneck of a load whose processor worked in the kernel: also a VPN's work there, if it has no process."""

Values = Mapping[tuple[str, str], float]


def foreign(rows: Sequence[Reading]) -> float | None:
    """CPU seconds that neither the containers of the sample nor kernel threads used; None if `rows` have no CPU times.

    The machine's busy time less that of every control group and of kernel threads, within some ticks of 10 ms, so it
    may be negative. Most kernels charge what interrupts do to the process that they interrupt, so it is part of both.
    Those that account for it apart (CONFIG_IRQ_TIME_ACCOUNTING) are known by the time that they report as `irq`, of
    which a sampling tick sees none: there it is subtracted too.
    """
    value = {(row.metric, row.end): row.value for row in rows}
    return _foreign(value) if _has_ledger(value) else None


def bottleneck(rows: Sequence[Reading], *, shared: bool = True, tunnels: int = 1) -> str:
    """The bottleneck of a load: `cpu:<end>`, `cpu:machine` or `cpu:kernel`; else `foreign`, `generator` or `other`.

    `foreign`: others used the machine, so that the figure is not the VPN's alone. An endpoint that ran nearly all the
    time was the limit; so was the machine if it was hardly idle. A load generator that ran all the time spent it in the
    kernel (`cpu:kernel`: with the cipher of a VPN that has no process), or measured itself (`generator`). `other`: the
    link, or waiting. Empty if `rows` have no CPU times. `shared`: others can use the machine; nobody can on the
    instruction clock, where ticks say too little of a load of a tenth of a second. With a load through several
    `tunnels` no endpoint is named: its processes are more than one, and none needs to be at its limit.
    """
    value = {(row.metric, row.end): row.value for row in rows}
    if not _has_ledger(value):
        return ""
    machine = {state: value[(f"cpu_{state}", "machine")] for state in SHOWN}
    whole = sum(machine.values())
    if shared and _foreign(value) > FOREIGN * whole + TICKS:
        return "foreign"
    active = _active(value)
    share = {end: sum(_spent(value, end)) / active for end in _ends(value)}
    busiest = max(("client", "server"), key=lambda end: share.get(end, 0.0))
    if share.get(busiest, 0.0) >= SATURATED and tunnels == 1:
        return f"cpu:{busiest}"
    if machine["idle"] + machine["iowait"] <= SPARE * whole:
        return "cpu:machine"
    load = max(("client-load", "server-load"), key=lambda end: share.get(end, 0.0))
    if share.get(load, 0.0) >= SATURATED:
        user, system = _spent(value, load)
        return KERNEL if system > user else "generator"
    return KERNEL if value.get(("cpu_kernel_threads", "machine"), 0.0) >= SATURATED * active else "other"


def _has_ledger(value: Values) -> bool:
    return bool(value.get(("wall", "machine"))) and all((f"cpu_{state}", "machine") in value for state in SHOWN)


def _ends(value: Values) -> list[str]:
    return [end for metric, end in value if metric == "cpu_user" and end != "machine" and ("cpu_system", end) in value]


def _spent(value: Values, end: str) -> tuple[float, float]:
    return value[("cpu_user", end)], value[("cpu_system", end)]


def _foreign(value: Values) -> float:
    busy = sum(value[(f"cpu_{state}", "machine")] for state in SHOWN if state in BUSY)
    own = sum(sum(_spent(value, end)) for end in _ends(value)) + value.get(("cpu_kernel_threads", "machine"), 0.0)
    irq, softirq = value[("cpu_irq", "machine")], value[("cpu_softirq", "machine")]
    return busy - own - (irq + softirq if irq > 0 else 0.0)


def _active(value: Values) -> float:
    """Seconds that data flowed: the wall time also has the start and the end of the load, some tenths of a second."""
    wall, payload = value[("wall", "machine")], value.get(("payload", "machine"), 0.0)
    rate = next((figure for (metric, _), figure in value.items() if metric == "throughput"), 0.0)  # Mbit/s
    return min(wall, payload * 8 / (rate * 1e6)) if payload and rate else wall
