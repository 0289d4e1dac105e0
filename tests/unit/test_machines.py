# SPDX-License-Identifier: MIT
"""What a report says of the machines of a run that a cluster took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.report import machines
from lab.results.store import Store
from lab.stats.summary import Summary

WORKERS = {
    "east": {"host": "a", "cpu": "X", "kernel": "6.1", "processors": "2"},
    "west": {"host": "b", "cpu": "Y", "kernel": "6.1", "processors": "2"},
}
FIGURES = {"sum": [{"metric": "speed", "unit": "MB/s", "name": "", "better": "more"}]}


def sample(block: int, worker: str, value: float, **others: Any) -> dict[str, Any]:
    readings = [{"metric": "speed", "unit": "MB/s", "end": "machine", "value": value}]
    return {
        "run": "r1", "block": block, "position": 0, "vpn": "v", "variant": "p", "suite": "s", "measure": "sum",
        "conditions": "", "records": "user", "engine": "vm", "clock": "instructions", "outcome": "ok", "reason": "",
        "readings": readings, "worker": worker, "machine": WORKERS[worker]["host"], **others,
    }  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "r1", {"workers": WORKERS, "figures": FIGURES})


def test_different_processors_are_never_pooled_without_a_word(store: Store) -> None:
    store.append(sample(0, "east", 100.0))
    store.append(sample(1, "west", 100.0))
    texts = machines.sentences(Summary.of(store))
    assert texts == ["Taken by 2 workers on 2 machines: a (X); b (Y).", "These figures are of 2 different processors."]
    assert machines.tables(Summary.of(store)) == []


def test_one_machine_is_named_and_that_is_all(store: Store) -> None:
    store.append(sample(0, "east", 100.0))
    assert machines.sentences(Summary.of(store)) == ["Taken by 1 worker on 1 machine: a (X)."]


def test_what_two_workers_took_stands_side_by_side_and_counts_once(store: Store) -> None:
    store.append(sample(0, "east", 100.0))
    store.twins.append(sample(0, "west", 101.0))
    run = Summary.of(store)
    assert list(run.figures["n"]) == [1]
    (table,) = machines.tables(run)
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["v p s sum", "MB/s of instruction-clock time", "100 (east)", "101 (west)", "+1.00 %"]
    ]
    assert machines.sentences(run)[-1] == (
        "1 sample taken by two workers: the figures differ by 1.0 % (median), 1.0 % at most."
    )
    assert machines.data(run)["machines"]["twice"][0]["difference"] == pytest.approx(0.01)


def test_an_end_that_has_next_to_nothing_is_not_what_two_workers_differ_by(store: Store) -> None:
    """A VPN in the kernel has no process: of its ends a figure is what a rounding left."""
    for log, worker, whole, end in ((store, "east", 100.0, 0.7), (store.twins, "west", 101.0, 0.5)):
        taken = sample(0, worker, whole)
        taken["readings"].append({"metric": "speed", "unit": "MB/s", "end": "client", "value": end})
        log.append(taken)
    assert [row.difference for row in machines.compared(Summary.of(store)).itertuples()] == pytest.approx([0.01])


def test_a_block_of_two_machines_is_named_on_the_wall_clock(store: Store) -> None:
    store.append(sample(0, "east", 100.0, clock="wall"))
    store.append(sample(0, "west", 100.0, clock="wall", position=1, suite="t"))
    assert any(
        text.startswith("Samples of more than one machine are in 1 block")
        for text in machines.sentences(Summary.of(store))
    )


def test_a_run_without_a_cluster_says_nothing(store: Store) -> None:
    alone = sample(0, "east", 100.0)
    del alone["worker"], alone["machine"]
    store.append(alone)
    run = Summary.of(store)
    assert (machines.sentences(run), machines.tables(run), machines.data(run)) == ([], [], {})
