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

MACHINE = "machine"
"""The end of what is a whole machine's. Each of two machines is `client-machine` or `server-machine` as well."""

LINK = 0.9
"""A cable that carries at least this share of its speed is the limit. It is not 1: no interface counts the 24 bytes
that Ethernet puts around each frame."""

KERNEL = "cpu:kernel"
"""The bottleneck of a load whose processor worked in the kernel: also a VPN's work there, if it has no process."""

Values = Mapping[tuple[str, str], float]


def foreign(rows: Sequence[Reading]) -> float | None:
    """CPU seconds that neither the containers of the sample nor kernel threads used; None if `rows` have no CPU times.

    The machine's busy time less that of every control group and of kernel threads, within some ticks of 10 ms, so it
    may be negative. Most kernels charge what interrupts do to the process that they interrupt, so it is part of both.
    Those that account for it apart (CONFIG_IRQ_TIME_ACCOUNTING) are known by the time that they report as `irq`, of
    which a sampling tick sees none: there it is subtracted too. So it is with two machines: of each the other end is
    elsewhere, and interrupts often find it idle, when there is no process to charge.
    """
    value = {(row.metric, row.end): row.value for row in rows}
    return _foreign(value) if _has_ledger(value) else None


def bottleneck(rows: Sequence[Reading], *, shared: bool = True, tunnels: int = 1) -> str:
    """The bottleneck of a load: `link`, `cpu:<end>`, `cpu:machine`, `cpu:kernel`; else `foreign`, `generator`, `other`.

    `foreign`: others used the machine, so that the figure is not the VPN's alone. `link`: the cable between two
    machines carried what it can. An endpoint that ran nearly all the time was the limit; so was a machine that was
    hardly idle (of two the one that was). A load generator that ran all the time spent it in the kernel
    (`cpu:kernel`: with the cipher of a VPN that has no process), or measured itself (`generator`). `other`: a link
    whose speed is not known, or waiting. Empty if `rows` have no CPU times.

    `shared`: others can use the machine; nobody can on the instruction clock, where ticks say too little of a load of a
    tenth of a second. With a load through several `tunnels` no endpoint is named: its processes are more than one, and
    none needs to be at its limit.
    """
    value = {(row.metric, row.end): row.value for row in rows}
    if not _has_ledger(value):
        return ""
    whole = sum(value[(f"cpu_{state}", MACHINE)] for state in SHOWN)
    if shared and _foreign(value) > FOREIGN * whole + TICKS:
        return "foreign"
    if value.get(("link_share", MACHINE), 0.0) >= LINK:
        return "link"
    active = _active(value)
    share = {end: sum(_spent(value, end)) / active for end in _ends(value)}
    busiest = max(("client", "server"), key=lambda end: share.get(end, 0.0))
    if share.get(busiest, 0.0) >= SATURATED and tunnels == 1:
        return f"cpu:{busiest}"
    if full := next((name for name in _machines(value) if _is_full(value, name)), ""):
        return f"cpu:{full}"
    load = max(("client-load", "server-load"), key=lambda end: share.get(end, 0.0))
    if share.get(load, 0.0) >= SATURATED:
        user, system = _spent(value, load)
        return KERNEL if system > user else "generator"
    return KERNEL if value.get(("cpu_kernel_threads", MACHINE), 0.0) >= SATURATED * active else "other"


def _machines(value: Values) -> list[str]:
    """The whole machines that `value` tells of: the single one, or each of two before both together."""
    return sorted({end for metric, end in value if metric == "cpu_idle"}, key=lambda end: (end == MACHINE, end))


def _is_full(value: Values, machine: str) -> bool:
    """Whether a machine was hardly idle."""
    seconds = {state: value[(f"cpu_{state}", machine)] for state in SHOWN}
    return seconds["idle"] + seconds["iowait"] <= SPARE * sum(seconds.values())


def _has_ledger(value: Values) -> bool:
    return bool(value.get(("wall", MACHINE))) and all((f"cpu_{state}", MACHINE) in value for state in SHOWN)


def _ends(value: Values) -> list[str]:
    return [
        end
        for metric, end in value
        if metric == "cpu_user" and ("cpu_system", end) in value and ("cpu_idle", end) not in value
    ]


def _spent(value: Values, end: str) -> tuple[float, float]:
    return value[("cpu_user", end)], value[("cpu_system", end)]


def _foreign(value: Values) -> float:
    busy = sum(value[(f"cpu_{state}", MACHINE)] for state in SHOWN if state in BUSY)
    own = sum(sum(_spent(value, end)) for end in _ends(value)) + value.get(("cpu_kernel_threads", MACHINE), 0.0)
    irq, softirq = value[("cpu_irq", MACHINE)], value[("cpu_softirq", MACHINE)]
    return busy - own - (irq + softirq if irq > 0 or len(_machines(value)) > 1 else 0.0)


def active_seconds(rows: Sequence[Reading]) -> float:
    """Seconds of a load that data flowed."""
    return _active({(row.metric, row.end): row.value for row in rows})


def _active(value: Values) -> float:
    """Seconds that data flowed: the wall time also has the start and the end of the load, some tenths of a second."""
    wall, payload = value[("wall", MACHINE)], value.get(("payload", MACHINE), 0.0)
    rate = next((figure for (metric, _), figure in value.items() if metric == "throughput"), 0.0)  # Mbit/s
    return min(wall, payload * 8 / (rate * 1e6)) if payload and rate else wall
