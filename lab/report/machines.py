# SPDX-License-Identifier: MIT
"""The machines of a run that a cluster took: which they are, and how much the figures of two of them differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lab.core.terminal import counted
from lab.report.tables import Cell, Table, each, figure, of_clock, percent
from lab.results.store import MACHINE, WORKER
from lab.stats import modes
from lab.stats.analysis import of_main
from lab.stats.summary import Summary

KEY = ["block", "vpn", "variant", "suite", "measure", "conditions"]


def compared(run: Summary) -> pd.DataFrame:
    """The main figure of each sample that two workers took: KEY, metric, unit, and of each its worker and value.

    `difference`: the second value divided by the first, less one.
    """
    if WORKER not in run.df or run.twins is None or run.twins.empty:
        return pd.DataFrame(columns=[*KEY, "difference"])
    first, second = (of_main(df[df["outcome"] == "ok"], run.quantities) for df in (run.df, run.twins))
    pairs = first.merge(second[[*KEY, "metric", "end", "worker", "value"]], on=[*KEY, "metric", "end"])
    return pairs.assign(difference=pairs["value_y"] / pairs["value_x"] - 1)


def processors(run: Summary) -> dict[str, list[str]]:
    """The machines whose samples are in the run, by their processors' name."""
    workers: Mapping[str, Mapping[str, str]] = run.meta.get("workers", {})
    found: dict[str, list[str]] = {}
    for worker in sorted(run.df[WORKER].dropna().unique()) if WORKER in run.df else ():
        facts = workers.get(worker, {})
        hosts = found.setdefault(facts.get("cpu", "not known"), [])
        if (host := facts.get("host", "not known")) not in hosts:
            hosts.append(host)
    return found


def sentences(run: Summary) -> list[str]:
    """What a reader must know of the machines of a run; nothing if no cluster took it."""
    if not (found := processors(run)):
        return []
    hosts = sorted({host for hosts in found.values() for host in hosts})
    workers = run.df[WORKER].dropna().nunique()
    texts = [f"Taken by {counted(workers, 'worker')} on {counted(len(hosts), 'machine')}: {_listed(found)}."]
    if len(found) > 1:
        texts.append(f"These figures are of {len(found)} different processors.")
    if mixed := _mixed(run):
        texts.append(
            f"Samples of more than one machine are in {counted(mixed, 'block')}: ratios there are no machine's."
        )
    if not (pairs := compared(run)).empty:
        sizes = pairs["difference"].abs()
        texts.append(
            f"{counted(len(pairs), 'sample')} taken by two workers: the figures differ by {percent(sizes.median())} "
            f"(median), {percent(sizes.max())} at most."
        )
    return texts


def tables(run: Summary) -> list[Table]:
    """The samples that two workers took, side by side."""
    if (pairs := compared(run)).empty:
        return []
    rows = [
        [
            Cell(" ".join(text for text in (row.vpn, row.variant, row.suite, row.measure, row.conditions) if text)),
            Cell(of_clock(row.unit, run.clock)),
            Cell(f"{figure(row.value_x)} ({row.worker_x})"),
            Cell(f"{figure(row.value_y)} ({row.worker_y})"),
            Cell(f"{row.difference * 100:+.2f} %"),
        ]
        for row in each(pairs)
    ]
    columns = ["cell", "unit", "one worker", "another", "difference"]
    return [Table("machines", "The same samples on two workers", columns, rows, 1, sentences(run), run.where)]


def data(run: Summary) -> dict[str, Any]:
    """The same for a program; empty if no cluster took the run."""
    if not (found := processors(run)):
        return {}
    columns = {"worker_x": "worker", "value_x": "value", "worker_y": "other_worker", "value_y": "other_value"}
    pairs = compared(run).rename(columns=columns)
    kept = [*KEY, "metric", "unit", *columns.values(), "difference"] if not pairs.empty else []
    twice = pairs[kept].to_dict("records") if kept else []
    return {"machines": {"processors": found, "mixed_blocks": _mixed(run), "twice": twice}}


def _mixed(run: Summary) -> int:
    """Blocks on the wall clock that have samples of more than one machine. Samples without one are one machine's."""
    if MACHINE not in run.df or run.clock == modes.EXACT:
        return 0
    rows = run.df[run.df["position"] >= 0]
    return int((rows[MACHINE].fillna("").groupby(rows["block"]).nunique() > 1).sum())


def _listed(found: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{', '.join(hosts)} ({cpu})" for cpu, hosts in found.items())
