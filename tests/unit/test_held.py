# SPDX-License-Identifier: MIT
"""What a load is held against: its counters, its interfaces, its wire, and the suite after it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from faked import CELL, Lab, Raw, without_tunnels

from lab.benches.vpn.sample import fate
from lab.catalog.catalog import Catalog
from lab.runner.plan import Step


@pytest.fixture
def lab(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return without_tunnels(catalog, tmp_path, monkeypatch)


def watched(raw: Raw, **changes: Any) -> dict[str, Any]:
    """A transfer of ten megabytes that kept to its data path, but for `changes` to its load."""
    transfer = raw("watched-transfer.json")
    transfer["load"] |= changes
    return transfer


def test_a_load_comes_with_its_ledger(lab: Lab, raw: Raw) -> None:
    lab.fake.raw = watched(raw)
    sample = lab.sample()
    assert (sample["outcome"], sample["reason"]) == ("ok", "")
    metrics = [(reading["metric"], reading["end"]) for reading in sample["readings"]]
    assert metrics.count(("payload", "machine")) == 1
    assert {("duration", "client"), ("cost", "server"), ("ledger_gap", "machine")} <= set(metrics)
    assert sample["proof"] == {"suite": "STRONG", "wire": {"cleartext": False}}


def test_the_tunnel_of_a_sample_is_on_its_wire(lab: Lab, raw: Raw) -> None:
    lab.fake.raw = watched(raw)
    lab.sample()
    lab.sample(replace(CELL, conditions="size=10000000 wire=cut"))
    assert lab.fake.wires == ["whole", "cut"]


def test_packets_have_one_fate_for_all_data_paths_of_a_block(lab: Lab, raw: Raw) -> None:
    """Another in another block, under other conditions, and with another seed of the run."""
    cell = replace(CELL, conditions="size=10000000 wire=dsl")
    steps = [Step(0, 0, cell), Step(0, 5, replace(cell, variant="tcp", suite="weak")), Step(1, 0, cell)]
    steps.append(Step(0, 6, replace(cell, conditions="size=10000000 wire=satellite")))
    lab.fake.raw = watched(raw)
    lab.take([[step] for step in steps])
    one, alike, *others = lab.fake.fates
    assert one == alike
    assert len({one, *others, fate(1, steps[0])}) == 4


def test_counters_that_stood_still_make_a_load_invalid(lab: Lab, raw: Raw) -> None:
    counters = watched(raw)["load"]["counters"]
    lab.fake.raw = watched(raw, counters=counters | {"after": counters["before"]})
    sample = lab.sample()
    assert (sample["outcome"], sample["readings"]) == ("invalid", [])
    assert "own counters saw only 0 of them" in sample["reason"]


def test_an_interface_that_stood_still_makes_a_load_invalid(lab: Lab, raw: Raw) -> None:
    lab.fake.raw = watched(raw)
    for end in ("server", "client"):
        before, after = (lab.fake.raw["load"][when]["ends"][end]["interfaces"] for when in ("before", "after"))
        after["tun0"] = before["tun0"]
    sample = lab.sample()
    assert (sample["outcome"], sample["readings"]) == ("invalid", [])
    assert "tun0 saw only 0 of them" in sample["reason"]


def test_bytes_past_the_data_path_make_a_load_invalid(lab: Lab, raw: Raw) -> None:
    """They are kept with the sample, with all that was measured."""
    strayed = {"packets": 9000, "bytes": 9_000_000, "lost": 0}
    lab.fake.raw = watched(raw, wire={"server": strayed, "client": {"packets": 0, "bytes": 0, "lost": 0}})
    sample = lab.sample()
    assert (sample["outcome"], sample["readings"]) == ("invalid", [])
    assert "9000000 of" in sample["reason"]
    assert sample["raw"]["load"]["wire"]["server"] == strayed


def test_a_wire_that_carried_less_than_the_payload_makes_a_load_invalid(lab: Lab, raw: Raw) -> None:
    lab.fake.raw = watched(raw)
    interfaces = [lab.fake.raw["load"][when]["ends"]["server"]["interfaces"] for when in ("before", "after")]
    interfaces[1]["eth0"] = interfaces[0]["eth0"]
    sample = lab.sample()
    assert (sample["outcome"], sample["readings"]) == ("invalid", [])
    assert "the data path's packets brought the server only 0" in sample["reason"]


def test_a_payload_that_went_the_other_way_makes_a_load_invalid(lab: Lab, raw: Raw) -> None:
    lab.fake.raw = watched(raw) | {"direction": "down"}
    assert lab.sample()["outcome"] == "invalid"


def test_a_suite_that_changes_under_way_makes_a_load_invalid(lab: Lab, raw: Raw) -> None:
    lab.fake.raw = watched(raw)
    lab.fake.fallen_back = True
    sample = lab.sample()
    assert (sample["outcome"], sample["readings"], sample["reason"]) == ("invalid", [], "fell back under way")
