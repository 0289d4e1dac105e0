# SPDX-License-Identifier: MIT
"""Exact profiles in a guest on the instruction clock: the sum is the clock's, and functions have their names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from e2e.command import samples

from .guests import Patient

pytestmark = [pytest.mark.docker, pytest.mark.vm, pytest.mark.timeout(1800)]

WORDS = (
    "matrix", "--engine", "vm", "--clock", "instructions", "--measures", "profile", "--vpns", "plain,openvpn,wireguard",
    "--variants", "udp", "--ciphers", "chacha20-poly1305", "--blocks", "1", "--size", "2MB", "--no-report",
)  # fmt: skip
SIZE = 2_000_000


@pytest.fixture(scope="module")
def run(shared: Patient) -> tuple[Path, dict[str, dict[str, Any]]]:
    """A run of two VPNs and none: its folder, and its samples by VPN."""
    shared.ok(*WORDS)
    folder = shared.run()
    return folder, {sample["vpn"]: sample for sample in samples(folder)}


def figure(sample: dict[str, Any], metric: str, end: str = "machine") -> float:
    (value,) = (each["value"] for each in sample["readings"] if (each["metric"], each["end"]) == (metric, end))
    return float(value)


def instructions(sample: dict[str, Any], **wanted: str) -> int:
    """The instructions of all functions with these words."""
    names = ("by", "task", "object", "name")
    rows: Iterable[Any] = sample["raw"]["functions"]
    return sum(row[4] for row in rows if all(row[names.index(key)] == value for key, value in wanted.items()))


def test_all_is_counted(run: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    for sample in run[1].values():
        assert sample["outcome"] == "ok", sample["reason"]
        assert 0.5 < figure(sample, "counted") < 1.001
        parts = figure(sample, "instructions_per_byte_user") + figure(sample, "instructions_per_byte_kernel")
        assert parts == pytest.approx(figure(sample, "instructions_per_byte"))
        counted = sum(row[4] for row in sample["raw"]["functions"])
        assert counted == pytest.approx(figure(sample, "counted") * sample["raw"]["clock"])
        assert instructions(sample, object="?") < counted / 10


def test_who_encrypts_and_where(run: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    openvpn, wireguard, plain = (run[1][name] for name in ("openvpn", "wireguard", "plain"))
    for end in ("server", "client"):
        assert instructions(openvpn, by=end, task="openvpn", object="libcrypto.so.3") > 3 * SIZE
        assert instructions(openvpn, by=end, object="openvpn") > 0
    assert instructions(wireguard, object="libcrypto.so.3") == 0
    # The kernel's random numbers are ChaCha too: poly1305 is the cipher's alone.
    assert any("poly1305" in row[3] and row[2].startswith("[") for row in wireguard["raw"]["functions"])
    assert not any("poly1305" in row[3] for row in plain["raw"]["functions"])
    assert instructions(plain, by="client-load", task="nc", object="nc.openbsd") > 0
    assert instructions(plain, by="server-load") > 0
    assert figure(openvpn, "instructions_per_byte") > figure(wireguard, "instructions_per_byte")
    assert figure(wireguard, "instructions_per_byte") > figure(plain, "instructions_per_byte")


def test_calls_are_counted(run: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    """Every packet of OpenVPN's is a system call to write it: at least one for each 1500 bytes."""
    rows = [row for row in run[1]["openvpn"]["raw"]["functions"] if row[0] == "client"]
    writes = sum(row[5] for row in rows if row[2:4] == ["[kernel]", "__x64_sys_sendto"] or row[3] == "__sys_sendmsg")
    assert SIZE / 1500 <= writes < SIZE / 100


def test_shown(shared: Patient, run: tuple[Path, dict[str, dict[str, Any]]], tmp_path: Path) -> None:
    name = run[0].name
    text = shared.ok("profile", name, "--most", "5", "--folded", str(tmp_path / "flames")).text
    assert "Instructions per byte by function, the first 5 of " in text
    assert len(list((tmp_path / "flames").glob("*.folded"))) == 3
    told = {each["cell"][0]: each for each in shared.ok("profile", name, "--json").json()}
    assert told["openvpn"]["instructions_per_byte"] == pytest.approx(
        figure(run[1]["openvpn"], "instructions_per_byte"), rel=0.05
    )
    compared = shared.ok("compare", name, name, "--why").text
    assert "Why: instructions per byte by function" in compared
