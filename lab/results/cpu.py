# SPDX-License-Identifier: MIT
"""The states of the machine's CPU time in the readings of a sample, and what held its load back."""

from __future__ import annotations

from collections.abc import Sequence

from lab.results.reading import Reading

BUSY = ("user", "nice", "system", "irq", "softirq")


SHOWN = ("user", "system", "softirq", "irq", "idle", "iowait", "steal")
"""The states as they are shown: `user` includes `nice`."""


SATURATED = 0.8
"""The share of a load's wall time from which on a process that ran was the limit. Not 1: the wall time of a load holds
its own start and end, for iperf3 some tenths of a second."""


SPARE = 0.15
"""The share of the machine's time up to which idleness is the stutter of a pipeline rather than room for more."""


def bottleneck(rows: Sequence[Reading]) -> str:
    """What held a load back: `cpu:<end>` or `cpu:machine`, `generator`, or `other` (the link, or waiting).

    A VPN's end that ran nearly all the time was the limit; so was the machine when hardly any of it was idle. A load
    generator that ran all the time on a machine with room measured itself. Empty where `rows` hold no ledger.
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
