# SPDX-License-Identifier: MIT
"""`lab ktls` in a guest on the instruction clock: every scenario, its proof, its profile, stopped and gone on with."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from e2e.command import samples, wait_for

from lab.benches.ktls import perf

from .guests import LIMIT, Patient, left

pytestmark = [pytest.mark.docker, pytest.mark.vm, pytest.mark.timeout(1800)]

WORDS = (
    "ktls", "--clock", "instructions", "--protocols", "dtls,tls,udp", "--payloads", "1400", "--blocks", "1",
    "--seconds", "0.05", "--size", "1MB",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(shared: Patient) -> tuple[Path, list[dict[str, Any]], str]:
    """A run of every scenario: its folder, samples, and what was printed."""
    text = shared.ok(*WORDS).text
    folder = shared.run()
    return folder, samples(folder), text


def figure(sample: dict[str, Any], metric: str, end: str) -> float:
    (value,) = (each["value"] for each in sample["readings"] if (each["metric"], each["end"]) == (metric, end))
    return float(value)


def test_every_cell_is_measured_and_proved(run: tuple[Path, list[dict[str, Any]], str]) -> None:
    _, taken, _ = run
    assert {each["outcome"] for each in taken} == {"ok"}, [each["reason"] for each in taken if each["reason"]]
    assert {each["scenario"] for each in taken} == {"transmission", "file", "echo", "verify"}
    assert {each["clock"] for each in taken} == {"instructions"}


def test_a_stream_delivers_what_was_sent_and_cpu_time_is_plausible(
    run: tuple[Path, list[dict[str, Any]], str],
) -> None:
    for sample in run[1]:
        if sample["scenario"] == "verify":
            continue
        sent, got = (figure(sample, "bytes", end) for end in ("sender", "receiver"))
        assert got == sent if sample["protocol"] == "tls" else 0 < got <= sent
        spent = sum(figure(sample, f"cpu_{kind}", end) for kind in ("user", "system") for end in ("sender", "receiver"))
        assert 0 < spent <= figure(sample, "wall", "machine") * 1.001


def test_who_made_the_records(run: tuple[Path, list[dict[str, Any]], str]) -> None:
    """The kernel's driver where the path says so, and the library's implementation where not."""
    for sample in run[1]:
        if sample["scenario"] == "transmission" and sample["protocol"] != "udp":
            drivers = sample["drivers"]
            assert drivers["tx"].startswith("GnuTLS") == (sample["path"] == "library")
            assert drivers["rx"].startswith("GnuTLS") == (sample["path"] in ("library", "kernel-tx", "mainline-tx"))


def test_verification_finds_nothing(run: tuple[Path, list[dict[str, Any]], str]) -> None:
    found = [sample for sample in run[1] if sample["scenario"] == "verify"]
    assert {sample["conditions"] for sample in found} == {
        "way=transmission", "way=sendfile", "way=splice-read", "way=handling"}  # fmt: skip
    assert all(figure(sample, "checks", "machine") > 10 for sample in found)
    assert not any(figure(sample, "failures", "machine") for sample in found)


def test_profiles_have_the_cipher_where_the_records_are_made(lab: Patient) -> None:
    """In this order the kernel's profile comes first: the module of its cipher is loaded under way."""
    words = ("--protocols", "dtls", "--scenarios", "transmission", "--paths", "library,kernel", "--profile", "1400")
    lab.ok(*WORDS, *words, "--seed", "6", "--no-report")
    first, *_ = samples(lab.run())
    assert (first["path"], first["scenario"]) == ("kernel", "profile")
    text = lab.ok("report", lab.run().name, "--tables").text
    assert "Where the time went, by perf" in text
    assert "table 5.9" in text
    folder = lab.run()
    found = {sample["path"]: sample for sample in samples(folder) if sample["scenario"] == "profile"}
    assert set(found) == {"library", "kernel"}
    for path, sample in found.items():
        assert sample["outcome"] == "ok", sample["reason"]
        assert ("aes_gcm_enc" in sample["raw"]["perf"]) == (path == "kernel")
        assert any(sample["raw"]["ciphers"].values())
        times = perf.shares(perf.parse(sample["raw"]["perf"], sample["raw"]["ciphers"]))
        assert 0.02 < times["all"]["cipher"] < 0.8
        assert times["all"]["other"] < 0.3


def test_the_tables_and_the_page(run: tuple[Path, list[dict[str, Any]], str], shared: Patient) -> None:
    folder, _, _ = run
    text = shared.ok("report", folder.name, "--tables").text
    page = (folder / "report.html").read_text(encoding="utf-8")
    for words in ("table C.1, figure 5.1", "table C.10, figure 5.7", "table C.8", "What each step saves",
                  "Verification"):  # fmt: skip
        assert words in text
        assert words in page
    for number in (1, 2, 3, 5, 6, 7, 8):
        assert (folder / f"figure-5-{number}.png").read_bytes().startswith(b"\x89PNG")
    again = shared.ok("report", folder.name, "--json").json()
    assert again["clock"] == "instructions"
    assert "table C.2" in shared.ok("thesis", folder.name).text


def test_the_other_kernel_loads_its_own_module(lab: Patient) -> None:
    lab.ok(*WORDS, "--kernel", "stable", "--scenarios", "transmission", "--paths", "kernel", "--no-report")
    folder = lab.run()
    assert {(each["protocol"], each["outcome"]) for each in samples(folder)} == {("dtls", "ok"), ("tls", "ok")}
    modules = json.loads((folder / "meta.json").read_text())["modules"]
    assert modules["af_ktls"].startswith("loaded ")


def test_stopped_and_gone_on_with(lab: Patient) -> None:
    words = (*WORDS, "--scenarios", "transmission", "--paths", "library,raw", "--no-report")
    running = lab.start(*words)
    wait_for(lambda: "1/3 block 1" in running.text, "the first sample", LIMIT)
    running.interrupt(signal.SIGINT)
    done = lab.ended(running)
    folder = lab.run()
    assert done.status == 1
    kept = len(samples(folder))
    assert f"stopped by SIGINT; {kept} samples are kept" in done.text
    assert f"`lab ktls --resume {folder.name}` resumes the run" in done.text
    assert not list(left(lab.engine, f"{running.pid}-"))
    lab.ok("ktls", "--no-report", "--resume", folder.name)
    assert len(samples(folder)) == 3
