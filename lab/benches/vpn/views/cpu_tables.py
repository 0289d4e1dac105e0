# SPDX-License-Identifier: MIT
"""Where the CPU time went, as tables: the shape of the thesis's 3.15 to 3.18, and the cost of a gigabyte."""
# ruff: noqa: RUF001 - en dashes are what a reader of tables expects

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from lab.benches.vpn.cpu_ledger import GIGABYTE, TICKS
from lab.benches.vpn.views import cpu_time
from lab.report.tables import (
    Cell,
    Notes,
    Table,
    by_cell,
    figure,
    named,
    of_clock,
    percent,
    sizes,
    spread,
    spread_name,
    spread_note,
    value,
    with_spread,
)
from lab.stats import analysis
from lab.stats.analysis import VPN_ENDS, summarise

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from lab.stats.summary import Load, Summary

MACHINE = ("user", "system", "softirq", "kernel_threads")
ELSEWHERE = (
    "its processes took less than 1 % of the time that the machine was busy: the kernel did the work, and charged it "
    "to softirq, to kernel threads, and as system time to whoever sent, received or was interrupted, which is mostly "
    "the load's own processes; a share of the daemon's own time would say nothing of it"
)
COARSE = 0.02
KEYS = ["vpn/variant", "suite", "records in"]


def kernel_and_user(run: Summary, load: Load) -> Table:
    """Tables 3.15 and 3.17: kernel and user seconds per GB of each endpoint's processes, the share, the machine."""
    rows, clock = run.under(load).measured, run.clock
    shares = cpu_time.kernel_share(rows)
    shares = shares[shares["end"].isin(VPN_ENDS)]
    notes, lines = Notes(), []
    for key, figures in by_cell(summarise(seconds(rows)), summarise(shares)).items():
        cells = []
        for end in VPN_ENDS:
            cells += [pair(figures, end), kernel_share(figures, end, notes)]
        cells += [pair(figures, "load"), " / ".join(value(figures.get((f"cpu_{name}", "machine"))) for name in MACHINE)]
        lines.append([Cell(text) for text in (*key, *cells, sizes(figures))])
    columns = [*KEYS, *(name for end in VPN_ENDS for name in (f"{end}: kernel / user", f"{end}: kernel share"))]
    columns += ["load: kernel / user", "machine: user / system / softirq / kernel threads", "n"]
    title = (
        f"Kernel and user time of the VPN's processes and of the machine, CPU {of_clock('s/GB', clock)}, "
        f"{named(load)}: medians, {spread_name(run)} of the share"
    )
    remarks = ["machine: all of it, the ends and the load included; kernel threads are part of system and softirq"]
    remarks += [*grain(rows), *spread_note(clock), *notes.lines()]
    return Table(f"cpu {named(load)}", title, columns, lines, 3, remarks, run.where)


def seconds(rows: pd.DataFrame) -> pd.DataFrame:
    """CPU seconds per GB: of both endpoints, of the load generators together, and of the machine by state."""
    ends = rows[rows["end"].isin([*VPN_ENDS, "machine"])]
    parts = [ends, cpu_time.of_load(rows)]
    combined = pd.concat([part for part in parts if len(part)], ignore_index=True) if len(ends) else ends
    return cpu_time.per_payload(combined, [f"cpu_{name}" for name in MACHINE])


def pair(figures: Mapping[tuple[str, str], list[Any]], end: str) -> str:
    """Kernel and user seconds of an endpoint."""
    return " / ".join(value(figures.get((f"cpu_{part}", end))) for part in ("system", "user"))


def kernel_share(figures: Mapping[tuple[str, str], list[Any]], end: str, notes: Notes) -> str:
    """The kernel's share of an endpoint's time; if its processes used almost none, a note of where it went."""
    share = figures.get(("kernel_share", end))
    if share:
        return with_spread(share, percent)
    return f"–{notes.mark(ELSEWHERE)}" if figures.get(("cpu_system", end)) else "–"


def switches(run: Summary, load: Load) -> Table:
    """Tables 3.16 and 3.18: context switches, and read and write system calls, per endpoint and MB carried."""
    rows = run.under(load).measured
    counts = ["context_switches_voluntary", "context_switches_involuntary"]
    calls = cpu_time.reads_and_writes(rows)
    carried = analysis.measured(rows, "payload")[analysis.ROWS]
    combined = pd.concat([analysis.measured(rows, counts)[analysis.ROWS], calls, carried], ignore_index=True)
    per_mb = cpu_time.per_payload(combined, [*counts, "reads", "writes"], 1e6)
    lines = []
    for key, figures in by_cell(summarise(per_mb)).items():
        cells = []
        for end in VPN_ENDS:
            cells.append(" / ".join(value(figures.get((metric, end))) for metric in counts))
            cells.append(" / ".join(value(figures.get((metric, end))) for metric in ("reads", "writes")))
        lines.append([Cell(text) for text in (*key, *cells, sizes(figures))])
    names = ("voluntary / involuntary", "read / write calls")
    columns = [*KEYS, *(f"{end}: {name}" for end in VPN_ENDS for name in names), "n"]
    title = f"Context switches and read/write system calls of the VPN's processes per MB, {named(load)}: medians"
    notes = spread_note(run.clock) if lines else []
    return Table(f"switches {named(load)}", title, columns, lines, 3, notes, run.where)


def cost(run: Summary, load: Load) -> Table:
    """CPU seconds of the whole machine per GB carried, and where they were spent."""
    rows, clock = run.under(load).measured, run.clock
    lines = []
    each = sorted(end for end in rows["end"].unique() if end.endswith("-machine"))
    places = (*VPN_ENDS, "rest", *each, "machine")
    for key, figures in by_cell(summarise(cpu_time.cost_by_place(rows))).items():
        machine = figures.get(("cost", "machine"))
        cells = [*(value(figures.get(("cost", place))) for place in places), spread(machine)]
        lines.append([Cell(text) for text in (*key, *cells, sizes(figures))])
    columns = [*KEYS, *places, f"{spread_name(run)} (machine)", "n"]
    notes = [
        "rest: the machine's time less that of the VPN's processes: the kernel's own work and the load generators",
        "data paths in user space and in the kernel compare by `machine`: no process is charged for a kernel's VPN",
        *(["machine: both together, for the time of the load"] if each else []),
        *grain(rows),
        *spread_note(clock),
    ]
    title = f"Cost, CPU {of_clock('s/GB', clock)}, {named(load)}: medians"
    return Table(f"cost {named(load)}", title, columns, lines, 3, notes, run.where)


def grain(rows: pd.DataFrame) -> list[str]:
    """The resolution of the machine's time, if a tick is more than `COARSE` of the cost of a GB."""
    carried, spent_there = (analysis.measured(rows, metric, end="machine")["value"] for metric in ("payload", "cost"))
    if carried.empty or spent_there.empty:
        return []
    tick = GIGABYTE / TICKS / carried.median()
    if tick <= COARSE * spent_there.median():
        return []
    return [f"the machine's time is counted in ticks of 10 ms: {figure(tick)} s/GB of a load as small as this"]


def closure(run: Summary) -> list[str]:
    """One line on the CPU ledger, if the number of processors is known."""
    processors = run.meta.get("processors")
    checked = cpu_time.ledger_closure(run.measured, int(processors)) if isinstance(processors, int) else pd.DataFrame()
    if checked.empty:
        return []
    worst = checked["gap"].abs().max()
    line = (
        f"CPU ledger: the machine's states sum to wall time × {processors} processors and hold the ends' time in "
        f"{int(checked['closes'].sum())} of {len(checked)} samples (tolerance 2 %, largest gap {percent(worst)})"
    )
    return [line]
