# SPDX-License-Identifier: MIT
"""Commands that change nothing: list and doctor."""

from __future__ import annotations

import pytest

from lab.benches.vpn.requirements import lacks, lacks_wires
from lab.catalog.catalog import Catalog

from .command import Lab

pytestmark = pytest.mark.docker


def test_list_vpns(lab: Lab) -> None:
    rows = lab.ok("list", "vpns", "--json").json()
    catalog = Catalog()
    assert [row["vpn"] for row in rows] == list(catalog.vpns)
    for row in rows:
        assert all(variant in row["variants"] for variant in catalog.vpns[row["vpn"]].file.variants)
        assert row["vpn"] in lab.ok("list", "vpns").text


def test_list_suites(lab: Lab) -> None:
    rows = lab.ok("list", "suites", "--json").json()
    assert [row["suite"] for row in rows] == list(Catalog().suites)
    assert len(rows) > 30
    assert "chacha20-poly1305" in lab.ok("list", "suites").text


def test_list_measures(lab: Lab) -> None:
    rows = lab.ok("list", "measures", "--json").json()
    assert {row["measure"]: row["unit"] for row in rows} == {
        "throughput": "Mbit/s",
        "transfer": "Mbit/s",
        "latency": "ms",
        "handshake": "s",
        "cost": "instructions",
        "profile": "instructions",
        "datagrams": "Mbit/s",
        "nuttcp": "Mbit/s",
        "setup": "s",
        "flood": "fraction",
    }


def test_doctor_says_what_can_run(lab: Lab) -> None:
    rows = {row["what"]: row for row in lab.ok("doctor", "--json").json()}
    vpns = Catalog().vpns
    cannot = lacks(lab.engine, list(vpns.values()))
    assert rows["Docker engine"]["state"] == "ok"
    for name in vpns:
        assert rows[f"image {name}"]["state"] == "ok"
        can = [variant for variant in vpns[name].file.variants if (name, variant) not in cannot]
        assert (rows[f"VPN {name}"]["state"] == "ok") if can else (f"VPN {name}" not in rows)
    told = {row["detail"] for row in rows.values() if row["state"] == "unsupported"}
    wires = lacks_wires(lab.engine, list(Catalog().wires.values()))
    assert told == {*cannot.values(), *wires.values()}
    assert "VPN plain" in lab.ok("doctor").text


def test_a_dry_run_asks_the_machine_and_writes_nothing(lab: Lab) -> None:
    vpns = Catalog().vpns
    cannot = lacks(lab.engine, list(vpns.values()))
    told = lab.ok("matrix", "--ciphers", "all", "--dry-run", "--json").json()
    runnable = {(row["vpn"], row["variant"]) for row in told["subjects"] if row["cells"]}
    assert runnable == {(name, path) for name in vpns for path in vpns[name].file.variants} - set(cannot)
    assert set(cannot.values()) <= {row["reason"] for row in told["unsupported"]}
    assert told["notes"] == []
    text = lab.ok("crypto", "--dry-run").text
    assert "time: at least" in text, "there is no run to compare with"
    assert text.endswith("Nothing was measured, and nothing was written.\n")
    assert not lab.results.exists()


def test_unknown_words_are_told_before_anything_starts(lab: Lab) -> None:
    for words, near in (
        (["up", "openvpm"], "openvpn"),
        (["up", "openvpn", "--cipher", "aes-128-gmc"], "aes-128-gcm"),
        (["matrix", "--vpns", "plane"], "plain"),
        (["matrix", "--measures", "througput"], "throughput"),
        (["build", "openvpm"], "openvpn"),
    ):
        done = lab(*words)
        assert done.status == 2, done.text
        assert f"Did you mean '{near}'?" in done.text
        assert "valid names: " in done.text
    assert not lab.results.exists()
