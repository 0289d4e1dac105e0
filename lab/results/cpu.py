# SPDX-License-Identifier: MIT
"""The states of CPU time in the readings of a sample, and the bottleneck of its load."""

from __future__ import annotations

from collections.abc import Sequence

from lab.results.reading import Reading

BUSY = ("user", "nice", "system", "irq", "softirq")


SHOWN = ("user", "system", "softirq", "irq", "idle", "iowait", "steal")
"""The states that reports show. `user` includes `nice`."""


SATURATED = 0.8
"""A process that runs for at least this share of a load's wall time is the limit. It is not 1: the wall time includes
the start and end of the load, for iperf3 some tenths of a second."""


SPARE = 0.15
"""Up to this share of the machine's time, idle time is the stutter of a pipeline, not spare capacity."""


def bottleneck(rows: Sequence[Reading]) -> str:
    """The bottleneck of a load: `cpu:<end>` or `cpu:machine`, `generator`, or `other` (the link, or waiting).

    An endpoint that ran nearly all the time was the limit; so was the machine if it was hardly idle. If a load
    generator ran all the time on a machine with spare capacity, it measured itself. Empty if `rows` have no CPU times.
    """
    value = {(row.metric, row.end): row.value for row in rows}
    wall = value.get(("wall", "machine"), 0.0)
    if not wall or any((f"cpu_{state}", "machine") not in value for state in SHOWN):
        return ""
    ends = [end for metric, end in value if metric == "cpu_user" and end != "machine" and ("cpu_system", end) in value]
    share = {end: (value[("cpu_user", end)] + value[("cpu_system", end)]) / wall for end in ends}
    busiest = max(("client", "server"), key=lambda end: share.get(end, 0.0))
    if share.get(busiest, 0.0) >= SATURATED:
        return f"cpu:{busiest}"
    states = {state: value[(f"cpu_{state}", "machine")] for state in SHOWN}
    if states["idle"] + states["iowait"] <= SPARE * sum(states.values()):
        return "cpu:machine"
    if max(share.get("server-load", 0.0), share.get("client-load", 0.0)) >= SATURATED:
        return "generator"
    return "other"
