# SPDX-License-Identifier: MIT
"""crypto: one suite, one size, in both places."""

from __future__ import annotations

import csv
import json
import signal
import socket
from pathlib import Path

import pytest

from .command import Lab, left_behind, owned_by, samples, wait_for

pytestmark = pytest.mark.docker

SMALL = ("crypto", "--ciphers", "aes-128-gcm", "--sizes", "1024", "--blocks", "1", "--seconds", "1")


@pytest.fixture(scope="module")
def run(shared: Lab) -> tuple[Path, str]:
    """A run of all libraries: its folder, and what was printed."""
    text = shared.ok(*SMALL).text
    return shared.run(), text


def kernel_answers() -> bool:
    try:
        with socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET) as asked:
            asked.bind(("aead", "rfc4106(gcm(aes))"))
    except OSError:
        return False
    return True


def test_every_cell_is_timed_or_cannot_be_for_a_reason(run: tuple[Path, str]) -> None:
    taken = samples(run[0])
    assert {(each["library"], each["place"]) for each in taken} == {
        (library, place) for library in ("openssl", "gnutls", "kernel") for place in ("host", "container")
    }
    for each in taken:
        if each["library"] == "kernel" and not kernel_answers():
            assert (each["outcome"], each["position"]) == ("unsupported", -1)
            assert "the kernel has no" in each["reason"]
        else:
            assert each["outcome"] == "ok", each["reason"]
            assert 1e7 < each["readings"][0]["value"] < 1e12
            assert each["raw"]["speed"]["argv"]


def test_both_places_run_the_same_programs(run: tuple[Path, str], shared: Lab) -> None:
    text = shared.ok("crypto", "--resume", run[0].name, "--json").text
    facts = json.loads(text[text.index("{\n") :])["implementations"]
    assert facts["openssl"]["host"] == facts["openssl"]["container"]
    assert facts["openssl"]["host"][0].startswith("OpenSSL 3.")


def test_what_is_derived(run: tuple[Path, str], shared: Lab) -> None:
    folder, text = run
    with (folder / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    speeds = [row for row in rows if row["metric"] == "speed"]
    assert {(row["size"], row["suite"], row["unit"]) for row in speeds} == {("1024", "aes-128-gcm", "B/s")}
    assert {row["place"] for row in speeds} == {"host", "container"}
    assert {"summary.csv", "report.html"} <= {path.name for path in folder.iterdir()}
    assert (folder / "crypto.png").read_bytes().startswith(b"\x89PNG")
    assert "about 0." in text
    every_table = shared.ok("report", folder.name, "--tables").text
    for words in ("OpenSSL: MB/s", "Which implementation ran", "Thesis, tables 3.8 to 3.12"):
        assert words in every_table


def test_the_thesis_beside_it(run: tuple[Path, str], shared: Lab) -> None:
    text = shared.ok("thesis", run[0].name).text
    assert "3.11 gnutls, container, 16384 B" in text
    assert "AES-128 GCM averages 2.52 GB/s, not 2.51" in text


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_stopped_and_gone_on_with(lab: Lab, which: signal.Signals) -> None:
    running = lab.start(*SMALL[:-3], "2", "--seconds", "1", "--libraries", "openssl", "--no-report")
    running.until(r"1/4 block 1 openssl")
    running.interrupt(which)
    done = running.end()
    assert done.status == 1
    assert f"`lab crypto --resume {lab.run().name}` resumes the run" in done.text
    wait_for(lambda: not list(left_behind(lab.engine, owned_by(running))), "its container to go")
    kept = len(samples(lab.run()))
    assert 1 <= kept < 4
    lab.ok("crypto", "--no-report", "--resume", lab.run().name)
    assert len(samples(lab.run())) == 4


def test_a_run_of_the_matrix_is_not_gone_on_with(run: tuple[Path, str], shared: Lab) -> None:
    done = shared("matrix", "--resume", run[0].name)
    assert done.status != 0
    assert len(samples(run[0])) == 6
