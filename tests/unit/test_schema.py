# SPDX-License-Identifier: MIT
"""What meta.json and a line of samples.jsonl may not hold is named where it is read."""

from __future__ import annotations

from typing import Any

import pytest
from stored import sample

from lab.core.errors import LabError, UsageError
from lab.results.store import Store, cell_of

DEEP = '{"a":' * 100_000 + "1" + "}" * 100_000


WRONG = {
    "{": "cannot be read",
    DEEP: "cannot be read",
    "[]": r"meta\.json is of no run: it holds \[\]",
    "null": "is of no run: it holds null",
    "7": "is of no run: it holds 7",
    '{"schema": 99}': "has schema 99",
    "{}": "has schema None",
    '{"schema": 1, "engine": "host"}': "meta.json: engine: ",
    '{"schema": 1, "engine": null}': "meta.json: engine: ",
    '{"schema": 1, "engine": {"name": "host"}}': r"meta.json: engine\.clock: Field required",
    '{"schema": 1, "engine": {"name": "vm", "clock": "wall", "guest": [1]}}': r"meta.json: engine\.guest: ",
    '{"schema": 1, "machine": ["Linux"]}': "meta.json: machine: .*got \\['Linux'\\]",
    '{"schema": 1, "machine": {"kernel": 7}}': r"meta.json: machine\.kernel: .*got 7",
    '{"schema": 1, "controls": "plain"}': "meta.json: controls: ",
    '{"schema": 1, "settings": []}': "meta.json: settings: ",
    '{"schema": 1, "processors": true}': "meta.json: processors: ",
    '{"schema": 1, "processors": 1e999}': "meta.json: processors: ",
    '{"schema": 1, "implementations": {"openssl": []}}': r"meta.json: implementations\.openssl: ",
    '{"schema": 1, "modules": [1]}': "meta.json: modules: ",
    '{"schema": 1, "cells": "all"}': "meta.json: cells: ",
    '{"schema": 1, "more": [[[[[1]]]]]}': "meta.json: more: nested more than 4 deep",
    '{"schema": 1, "more": NaN}': "meta.json: more: nan is no number",
    '{"schema": 1, "plan": "\\ud800"}': "meta.json: plan: no text",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:60])
def test_a_meta_that_cannot_be_used(store: Store, text: str) -> None:
    store.append(sample(0))
    (store.folder / "meta.json").write_text(text, encoding="utf-8")
    for use in (store.meta, store.frame, store.last, lambda: store.go_on({}, ["plan"])):
        with pytest.raises(UsageError, match=WRONG[text]):
            use()


def test_nothing_is_written_that_could_not_be_read_again(store: Store) -> None:
    with pytest.raises(ValueError, match="engine: "):
        store.write_meta({"engine": "host"})
    assert store.meta()["plan"] == "abc"


FORGED: dict[str, tuple[dict[str, Any], str]] = {
    "no block": ({"block": None}, "block: "),
    "a block as text": ({"block": "0"}, "block: "),
    "a block before the first": ({"block": -1}, "block: "),
    "a block beyond the last": ({"block": 2}, "block: the plan has 2 blocks, got 2"),
    "a block beyond any number": ({"block": 10**30}, "block: "),
    "half a position": ({"position": 0.5}, "position: "),
    "a position twice": ({"block": 0, "position": 0}, "position 0 of block 0 is that of alpha udp strong"),
    "a list for a suite": ({"suite": ["strong"]}, "suite: "),
    "half a character": ({"reason": "\ud800"}, "reason: no text"),
    "another outcome": ({"outcome": "good"}, "outcome: .*got 'good'"),
    "readings that are no list": ({"readings": {}}, "readings: "),
    "ok without a figure": ({"readings": []}, "ok, and without a reading"),
    "a figure without a metric": ({"readings": [{"value": 1.0}]}, r"readings\.0\.metric: Field required"),
    "a figure too many": (
        {"readings": [{"metric": "m", "unit": "s", "end": "e", "value": 1, "n": 2}]},
        r"readings\.0\.n: ",
    ),
    "a figure as text": (
        {"readings": [{"metric": "m", "unit": "s", "end": "e", "value": "1"}]},
        r"readings\.0\.value: ",
    ),
    "NaN": ({"readings": [{"metric": "m", "unit": "s", "end": "e", "value": float("nan")}]}, r"readings\.0\.value: "),
    "infinity": (
        {"readings": [{"metric": "m", "unit": "s", "end": "e", "value": float("inf")}]},
        r"readings\.0\.value: ",
    ),
    "too large": ({"readings": [{"metric": "m", "unit": "s", "end": "e", "value": 10**400}]}, r"readings\.0\.value: "),
    "conditions that are no words": ({"conditions": "up"}, "conditions: "),
    "a size that is none": ({"conditions": "size=big"}, "conditions: "),
    "raw that is no object": ({"raw": [1]}, "raw: "),
    "drivers that are none": ({"drivers": {"tx": 7}}, r"drivers\.tx: "),
    "attempt 0": ({"attempt": 0}, "attempt: "),
    "another cell": ({"vpn": "gamma"}, "the plan has no cell gamma udp weak throughput direction=up streams=1"),
}


PLANNED = [
    f"alpha udp {suite} throughput{conditions}"
    for suite in ("strong", "weak", "odd")
    for conditions in (" direction=up streams=1", " size=big", " up")
]


@pytest.mark.parametrize("which", FORGED)
def test_a_forged_sample_is_named_whatever_its_checksum_says(store: Store, which: str) -> None:
    store.write_meta({"plan": "abc", "cells": PLANNED, "settings": {"blocks": 2}})
    changes, said = FORGED[which]
    store.append(sample(0))
    store.append(sample(1))
    forged = {**sample(1, suite="weak"), "position": 2}
    forged = {key: value for key, value in (forged | changes).items() if value is not None}
    store.append(forged)
    for use in (store.frame, store.last, lambda: store.go_on({"plan": "abc"}, ["plan"])):
        with pytest.raises(LabError, match=rf"samples\.jsonl:3: {said}") as caught:
            use()
        assert "`--resume r1`" in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("crypto", {}), ("ktls", {}), ("ktls", {"measure": "profile", "conditions": "way=send payload=1400"}),
        ("crypto", {"conditions": "size="}),
    ],
)  # fmt: skip
def test_samples_of_another_kind_of_run_are_named(store: Store, kind: str, changes: dict[str, Any]) -> None:
    store.write_meta({"kind": kind})
    store.append(sample(0, **changes))
    with pytest.raises(LabError, match=r"samples\.jsonl:1: conditions: "):
        store.frame()


def test_going_on_holds_an_old_run_against_the_plan_of_now(store: Store) -> None:
    """Runs of older versions keep but a digest of it."""
    store.append(sample(0))
    assert store.go_on({"plan": "abc", "cells": [str(cell_of(sample(0)))]}, ["plan"]) is store
    with pytest.raises(LabError, match=r"samples\.jsonl:1: the plan has no cell alpha udp strong"):
        store.go_on({"plan": "abc", "cells": ["alpha udp weak throughput"]}, ["plan"])
