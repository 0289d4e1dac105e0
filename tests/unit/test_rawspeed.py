# SPDX-License-Identifier: MIT
"""The share of raw cipher speed: found where a run of the same machine is, blank otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from frames import UP, cell, frame, summary
from rich.console import Console

from lab import benches
from lab.benches.crypto import encryption_share
from lab.benches.crypto.settings import KIND
from lab.benches.vpn.views import report, speed_tables
from lab.catalog.catalog import Catalog
from lab.report.page import SUMMARY
from lab.report.views import nobody
from lab.report.write import write
from lab.results.store import Store
from lab.stats import analysis

MACHINE = {"kernel": "Linux 6.12", "cpu": "Some CPU", "flags": "aes avx2"}
META: dict[str, Any] = {"engine": {"name": "vm", "clock": "wall"}, "machine": MACHINE, "controls": []}
KNOWN = Catalog()
USER = next(name for name, vpn in KNOWN.vpns.items() if vpn.file.dialect == "openssl")
SUITE = "aes-128-gcm"


def speeds(folder: Path, name: str, speed: float, **other: Any) -> Path:
    """A run of `lab crypto`: one library, one suite, three payloads; at 1024 B `speed` bytes a second."""
    store = Store.create(folder / name, META | {"kind": KIND} | other)
    for size, factor in ((64, 0.1), (1024, 1.0), (16384, 2.0)):
        for block in range(3):
            for position, place in enumerate(("container", "host")):
                reading = {"metric": "speed", "unit": "B/s", "end": "machine", "value": speed * factor}
                store.append(
                    {
                        "run": name, "block": block, "position": size + position, "vpn": "openssl", "variant": place,
                        "records": "user", "suite": SUITE, "measure": KIND, "conditions": f"size={size}",
                        "outcome": "ok", "reason": "", "engine": "vm", "clock": "wall", "readings": [reading],
                    }
                )  # fmt: skip
    return store.folder


def vpn_run() -> pd.DataFrame:
    """Two data paths of a VPN on OpenSSL: in user space, and in the kernel, which was not timed."""
    vm = {"engine": "vm", "clock": "wall"}
    rows = cell(USER, SUITE, [400, 400, 400], **vm) + cell(USER, "null-sha1", [500, 500, 500], **vm)
    return frame(rows + cell(USER, SUITE, [800, 800, 800], variant="udp-kernel", records="kernel", **vm))


class TestFound:
    def test_the_newest_that_fits(self, tmp_path: Path) -> None:
        for name in ("crypto-20260101-000000-aaa", "crypto-20260301-000000-aaa", "crypto-20260201-000000-aaa"):
            speeds(tmp_path, name, 1e9)
        found = encryption_share.beside(tmp_path / "r", META)
        assert found
        assert found.run == "crypto-20260301-000000-aaa"
        assert found.payload == 1024

    @pytest.mark.parametrize(
        "other",
        [
            {"engine": {"name": "host", "clock": "wall"}}, {"engine": {"name": "vm", "clock": "instructions"}},
            {"machine": MACHINE | {"kernel": "Linux 7.3"}}, {"machine": MACHINE | {"cpu": "Another"}},
            {"machine": MACHINE | {"flags": "aes"}},
            {"engine": {"name": "vm", "clock": "wall", "guest": {"accelerator": "kvm"}}}, {"kind": "ktls"},
        ],
    )  # fmt: skip
    def test_another_machine_s_is_not_taken(self, tmp_path: Path, other: dict[str, Any]) -> None:
        speeds(tmp_path, "crypto-20260101-000000-aaa", 1e9, **other)
        assert encryption_share.beside(tmp_path / "r", META) is None

    def test_none_is_no_error(self, tmp_path: Path) -> None:
        (tmp_path / "crypto-torn").mkdir()
        (tmp_path / "crypto-torn" / "meta.json").write_text("{")
        (tmp_path / "crypto-empty").mkdir()
        assert encryption_share.beside(tmp_path / "r", META) is None


class TestShare:
    def test_throughput_by_the_speed_at_a_packet_s_payload(self, tmp_path: Path) -> None:
        speeds(tmp_path, "crypto-20260101-000000-aaa", 1e9)
        raw = encryption_share.beside(tmp_path / "r", META)
        assert raw
        assert raw.share(USER, "user", SUITE, 400) == pytest.approx(400e6 / 8e9)
        for vpn, records, suite in ((USER, "kernel", SUITE), (USER, "user", "null-sha1"), ("nonesuch", "user", SUITE)):
            assert np.isnan(raw.share(vpn, records, suite, 400))
        assert np.isnan(raw.share(USER, "kernel-tx", SUITE, 400))

    def test_column_of_ranks_and_summary(self, tmp_path: Path) -> None:
        speeds(tmp_path, "crypto-20260101-000000-aaa", 1e9)
        raw, df = encryption_share.beside(tmp_path / "r", META), vpn_run()
        found = speed_tables.ranks(summary(df), ("throughput", UP), raw)
        assert found.columns[-1] == "share of raw cipher speed"
        shares = {(row[1].text, row[2].text): row[-1].text for row in found.rows}
        assert shares == {
            (f"{USER}/udp", SUITE): "5.0 %", (f"{USER}/udp", "null-sha1"): "", (f"{USER}/udp-kernel", SUITE): ""
        }  # fmt: skip
        assert any("1024 B" in note and "crypto-20260101-000000-aaa" in note for note in found.notes)
        shares_of = report.summary(summary(df), lambda kind: raw).set_index(["variant", "suite"])["raw_share"]
        assert shares_of["udp", SUITE] == pytest.approx(0.05)
        assert shares_of.isna().sum() == 2

    def test_without_one_there_is_no_column(self) -> None:
        assert "share of raw cipher speed" not in speed_tables.ranks(summary(vpn_run()), ("throughput", UP)).columns
        assert report.summary(summary(vpn_run()), nobody)["raw_share"].isna().all()

    def test_a_report_takes_it_from_the_folder_beside(self, tmp_path: Path) -> None:
        speeds(tmp_path, "crypto-20260101-000000-aaa", 1e9)
        store = Store.create(tmp_path / "r", META)
        for block in range(3):
            reading = {"metric": "throughput", "unit": "Mbit/s", "end": "server", "value": 400.0}
            store.append(
                {
                    "run": "r", "block": block, "position": 0, "vpn": USER, "variant": "udp", "records": "user",
                    "suite": SUITE, "measure": "throughput", "conditions": UP, "outcome": "ok", "reason": "",
                    "engine": "vm", "clock": "wall", "readings": [reading],
                }
            )  # fmt: skip
        with (tmp_path / "out").open("w") as out:
            offer = benches.offer(store.folder, store.meta())
            write(report, store, Console(file=out, width=200), every_table=True, offer=offer)
        assert "share of raw cipher speed" in (tmp_path / "out").read_text()
        assert "share of raw cipher speed" in (store.folder / "report.html").read_text()
        row = pd.read_csv(store.folder / SUMMARY).iloc[0]
        assert (row["median"], row["raw_share"]) == (400, pytest.approx(0.05))
        assert analysis.find_run(tmp_path).name == "r"
