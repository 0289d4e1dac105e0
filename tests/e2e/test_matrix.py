# SPDX-License-Identifier: MIT
"""matrix, and what is made of a run: report, compare, thesis."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from .command import Lab, samples

pytestmark = pytest.mark.docker

COLUMNS = (
    "run block position vpn variant records suite measure conditions metric unit end value outcome reason engine clock "
    "bottleneck main better"
)
LOADS = {
    ("throughput", "Mbit/s", "server"),
    ("wall", "s", "machine"),
    ("payload", "B", "machine"),
    ("cpu_kernel_threads", "s", "machine"),
    *(("cost", "s/GB", end) for end in ("server", "client", "machine")),
    *(("cpu_user", "s", end) for end in ("server", "client", "server-load", "client-load", "machine")),
    *(("cpu_system", "s", end) for end in ("server", "client", "server-load", "client-load", "machine")),
    *((f"cpu_{state}", "s", "machine") for state in ("softirq", "irq", "idle", "iowait", "steal")),
    *((f"context_switches_{kind}", "count", end) for kind in ("voluntary", "involuntary")
      for end in ("server", "client")),
}  # fmt: skip
OWN = {
    "throughput": {("retransmits", "count", "client")},
    "transfer": {("duration", "s", "client")},
}
CELLS = {("plain", "wire", "none"), ("openvpn", "udp", "aes-128-gcm")}
SMALL = ("--vpns", "openvpn", "--variants", "udp", "--ciphers", "aes-128-gcm", "--duration", "1", "--size", "1MB")


@pytest.fixture(scope="module")
def loads(shared: Lab) -> tuple[Path, str]:
    """A run of both loads in two blocks: its folder, and what was printed."""
    text = shared.ok("matrix", *SMALL, "--measures", "throughput,transfer", "--blocks", "2", "--seed", "7").text
    return shared.run(), text


@pytest.fixture(scope="module")
def times(shared: Lab, loads: tuple[Path, str]) -> Path:
    """A run of all that is timed otherwise, and of throughput once."""
    shared.ok("matrix", *SMALL, "--measures", "throughput,latency,handshake", "--blocks", "1")
    (folder,) = (path.parent for path in shared.results.glob("*/meta.json") if path.parent != loads[0])
    return folder


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def figures(rows: list[dict[str, str]], measure: str, vpn: str) -> dict[tuple[str, str, str], list[float]]:
    """Values by metric, unit and end."""
    found: dict[tuple[str, str, str], list[float]] = {}
    for row in rows:
        if (row["measure"], row["vpn"]) == (measure, vpn):
            found.setdefault((row["metric"], row["unit"], row["end"]), []).append(float(row["value"]))
    return found


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_every_cell_is_measured_once_a_block(loads: tuple[Path, str]) -> None:
    taken = samples(loads[0])
    keys = [(s["block"], s["vpn"], s["variant"], s["suite"], s["measure"]) for s in taken]
    assert sorted(keys) == sorted(
        (block, *cell, measure) for block in range(2) for cell in CELLS for measure in ("throughput", "transfer")
    )
    assert [s["position"] for s in taken] == [0, 1, 2, 3] * 2
    assert {s["outcome"] for s in taken} == {"ok"}, [s["reason"] for s in taken]


def test_a_sample_holds_its_proof_and_what_it_was_made_of(loads: tuple[Path, str]) -> None:
    for sample in samples(loads[0]):
        encrypted = sample["vpn"] != "plain"
        assert sample["proof"]["wire"]["cleartext"] is not encrypted
        assert [line.split()[0] for line in sample["raw"]["load"]["stderr"].splitlines()] == ["bracket", "bracket"]
        for when in ("before", "after"):
            assert set(sample["raw"]["load"][when]["ends"]) == {"server", "client", "server-load", "client-load"}
        assert sample["phases"]["measure"] > 0
        if encrypted:
            assert sample["proof"]["suite"] == {"server": "AES-128-GCM", "client": "AES-128-GCM"}
            assert set(sample["raw"]["load"]["counters"]["after"]) == {"server", "client"}


def test_the_csv_is_tidy_and_whole(loads: tuple[Path, str]) -> None:
    rows = table(loads[0])
    assert list(rows[0]) == COLUMNS.split()
    assert {row["outcome"] for row in rows} == {"ok"}
    assert {(row["engine"], row["clock"]) for row in rows} == {("host", "wall")}
    assert {row["run"] for row in rows} == {loads[0].name}
    for vpn in ("plain", "openvpn"):
        for measure, own in OWN.items():
            found = figures(rows, measure, vpn)
            assert LOADS | own <= set(found)
            assert all(len(values) == 2 for key, values in found.items() if not key[0].startswith("syscall:"))
            assert all(value > 0 for value in found["throughput", "Mbit/s", "server"])


def test_figures_agree_with_one_another(loads: tuple[Path, str]) -> None:
    rows = table(loads[0])
    for measure in OWN:
        found = figures(rows, measure, "openvpn")
        for rate, payload, wall, user, system, cost in zip(
            found["throughput", "Mbit/s", "server"],
            found["payload", "B", "machine"],
            found["wall", "s", "machine"],
            found["cpu_user", "s", "client"],
            found["cpu_system", "s", "client"],
            found["cost", "s/GB", "client"],
            strict=True,
        ):
            assert rate == pytest.approx(payload * 8 / 1e6 / wall, rel=0.25)
            assert cost == pytest.approx((user + system) / (payload / 1e9), rel=0.01)
            assert user + system > 0
    sizes = figures(rows, "transfer", "openvpn")["payload", "B", "machine"]
    assert sizes == [1_000_000, 1_000_000]


def test_system_calls_are_those_of_a_process_in_user_space(loads: tuple[Path, str]) -> None:
    rows = table(loads[0])
    for end in ("server", "client"):
        own = {key[0]: values for key, values in figures(rows, "transfer", "openvpn").items() if key[2] == end}
        assert min(own["syscall:read"] + own["syscall:write"]) > 100  # one a packet: a megabyte is some 700
        none = {key[0] for key in figures(rows, "transfer", "plain") if key[2] == end}
        assert "syscall:sendto" not in none


def test_latency_and_handshake(times: Path) -> None:
    rows = table(times)
    assert {row["outcome"] for row in rows} == {"ok"}
    for vpn in ("plain", "openvpn"):
        own = [row for row in rows if (row["vpn"], row["measure"]) == (vpn, "latency")]
        assert {row["conditions"] for row in own} == {"load=none", "load=busy"}
        for load in ("load=none", "load=busy"):
            value = {row["metric"]: float(row["value"]) for row in own if row["conditions"] == load}
            assert set(value) == {"rtt_p50", "rtt_p90", "rtt_p99", "loss"}
            assert 0 < value["rtt_p50"] <= value["rtt_p90"] <= value["rtt_p99"] < 1000
            assert 0 <= value["loss"] < 1
        found = figures(rows, "handshake", vpn)
        assert set(found) == {("handshake", "s", "client"), ("handshake_bytes", "B", "client")}
        assert 0 < found["handshake", "s", "client"][0] < 20
        # A TLS handshake has two certificates of a kilobyte, at least.
        assert (found["handshake_bytes", "B", "client"][0] > 2000) == (vpn == "openvpn")


def test_meta_says_what_it_ran_on(loads: tuple[Path, str], shared: Lab) -> None:
    meta: dict[str, Any] = json.loads((loads[0] / "meta.json").read_text())
    assert meta["settings"]["seed"] == 7
    assert meta["controls"] == ["plain"]
    assert meta["engine"]["name"] == "host"
    assert {"kernel", "cpu", "flags", "processors"} <= set(meta["machine"])
    assert meta["packages"]["openvpn"]["openvpn"].startswith("2.")
    assert meta["images"]["lab/openvpn:latest"] == shared.engine.image_id("lab/openvpn:latest")
    assert set(meta["folders"]) == {"base", "meter", "plain", "openvpn"}
    assert set(meta["ends"]) == {"server", "client"}
    assert any("segmentation-offload" in key for key in meta["ends"]["server"])


def test_what_runs_is_told_line_by_line(loads: tuple[Path, str]) -> None:
    lines = [line for line in loads[1].splitlines() if line.split(" ", 1)[0].endswith("/8")]
    assert [line.split("/")[0] for line in lines] == [str(number) for number in range(9)]
    first, *taken = lines
    assert re.fullmatch(r"0/8 \((about|at least) .* left\)", first), "how long it will take, before the first sample"
    assert all("Mbit/s" in line and "block " in line for line in taken)
    assert "\x1b" not in loads[1]
    assert loads[0].name in loads[1]


def test_a_report_is_the_same_byte_for_byte(shared: Lab, loads: tuple[Path, str], times: Path) -> None:
    for folder in (loads[0], times):
        written = digests(folder)
        assert {"meta.json", "samples.jsonl", "results.csv", "report.html"} <= set(written)
        assert any(name.endswith(".png") for name in written)
        text = shared.ok("report", folder.name).text
        assert digests(folder) == written
        assert folder == times or loads[1].endswith(text), "what the run itself showed"


def test_a_report_for_a_program(shared: Lab, loads: tuple[Path, str]) -> None:
    told = shared.ok("report", loads[0].name, "--json").json()
    assert told["run"] == [loads[0].name]
    row = next(
        row
        for row in told["summary"]
        if (row["vpn"], row["measure"], row["metric"], row["end"]) == ("openvpn", "throughput", "throughput", "server")
    )
    assert row["n"] == 2
    values = figures(table(loads[0]), "throughput", "openvpn")["throughput", "Mbit/s", "server"]
    assert min(values) <= row["median"] <= max(values)


def test_compare_two_runs(shared: Lab, loads: tuple[Path, str], times: Path) -> None:
    text = shared.ok("compare", loads[0].name, times.name).text
    assert "openvpn" in text
    assert "throughput" in text
    with_itself = shared.ok("compare", loads[0].name, loads[0].name).text
    assert "1.00" in with_itself


def test_beside_the_thesis(shared: Lab, loads: tuple[Path, str]) -> None:
    text = shared.ok("thesis", loads[0].name).text
    assert "AES" in text
    assert "2016" in text


@pytest.mark.parametrize("words", [["report"], ["thesis"], ["matrix", "--resume"]])
def test_a_run_that_there_is_not(shared: Lab, loads: tuple[Path, str], words: list[str]) -> None:
    done = shared(*words, "20000101-000000-nil")
    assert done.status == 2, done.text
    assert "no run at" in done.text
    assert loads[0].name in done.text
