# SPDX-License-Identifier: MIT
"""A VPN is added by adding a folder, a suite by adding a row: nothing else is touched. And VPNs that do not come up."""

from __future__ import annotations

from pathlib import Path

import pytest

from .command import Lab, samples

pytestmark = pytest.mark.docker

SHORT = ("--vpns", "toy", "--blocks", "1", "--measures", "throughput", "--duration", "1")


def test_a_folder_and_a_row_are_all_that_it_takes(toy: Lab, root: Path) -> None:
    assert "toy: ok, as far as it shows without an engine" in toy.ok("check", "toy").text
    rows = {row["vpn"]: row for row in toy.ok("list", "vpns", "--json").json()}
    assert "works (user)" in rows["toy"]["variants"]
    suites = {row["suite"]: row for row in toy.ok("list", "suites", "--json").json()}
    assert suites["toy-rot13"]["toy"] == "ROT13"
    assert suites["aes-128-gcm"]["toy"] == "-"

    doctor = toy("doctor", "--json")
    assert doctor.status == 1
    assert ("image toy", "missing", "not built") in {
        (row["what"], row["state"], row["detail"]) for row in doctor.json()
    }
    missing = toy("matrix", *SHORT)
    assert missing.status == 1
    assert "images missing or out of date: toy" in missing.text
    assert "`lab build`" in missing.text
    assert "images missing or out of date: toy" in toy("up", "toy").text
    assert not toy.results.exists()

    toy.ok("build", "toy")
    toy.ok("matrix", *SHORT, "--no-report", "--variants", "works", "--ciphers", "toy-rot13,aes-128-gcm")
    taken = {(s["vpn"], s["suite"]): s for s in samples(toy.run())}
    assert taken["toy", "toy-rot13"]["outcome"] == "ok"
    assert taken["toy", "toy-rot13"]["proof"]["suite"] == {"server": "ROT13", "client": "ROT13"}
    assert taken["plain", "none"]["outcome"] == "ok"
    assert taken["toy", "aes-128-gcm"]["outcome"] == "unsupported"
    assert "toy" in taken["toy", "aes-128-gcm"]["reason"]

    (root / "images" / "toy" / "up").write_text("#!/bin/bash\nexit 1\n")
    stale = toy("matrix", *SHORT)
    assert stale.status == 1
    assert "images missing or out of date: toy" in stale.text


NEVER = """
  kernel:
    - {feature: toy drivers, config: CONFIG_TOY, probe: [sh, -c, "echo no toys >&2; exit 1"]}
"""


def test_what_the_machine_cannot_run_is_neither_built_nor_missed(toy: Lab, root: Path) -> None:
    path = root / "images" / "toy" / "vpn.yaml"
    path.write_text(path.read_text().replace("[NET_ADMIN]\n", f"[NET_ADMIN]{NEVER}"))
    toy.ok("build", "--runnable")
    assert toy.engine.image_id("lab/toy:latest") is None
    rows = {row["what"]: row["state"] for row in toy("doctor", "--json").json()}
    assert rows["image toy"] == "note"
    assert "missing" not in (rows["image base"], rows["image plain"])

    both_run = (*SHORT[2:], "--vpns", "toy,openvpn", "--variants", "works,udp", "--ciphers", "toy-rot13,aes-128-gcm")
    done = toy.ok("matrix", *both_run)
    taken = {(s["vpn"], s["variant"], s["suite"]): s["outcome"] for s in samples(toy.run())}
    assert taken["plain", "wire", "none"] == taken["openvpn", "udp", "aes-128-gcm"] == "ok"
    assert taken["toy", "works", "toy-rot13"] == "unsupported"
    words = " ".join(done.text.split())
    assert "This machine cannot run 1 of 2 data paths: toy (works)." in words
    assert "`lab matrix --engine vm`" in words
    both = toy("build", "toy", "--runnable")
    assert both.status == 2
    assert "one image or --runnable, not both" in both.text


def test_an_image_that_packaged_programs_do_not_run_in_is_neither_built_nor_missed(toy: Lab, root: Path) -> None:
    path = root / "images" / "toy" / "vpn.yaml"
    path.write_text(path.read_text().replace("fails: {", "fails: {image: toy-compiled, "))
    other = root / "images" / "toy-compiled"
    other.mkdir()
    (other / "Dockerfile").write_text("ARG TOY\nFROM ${TOY}\nRUN false\n")  # to build it would be an error
    toy.ok("build", "--runnable", "--variants", "packaged")
    chosen = ("--ciphers", "toy-rot13", "--no-report")
    missing = toy("matrix", *SHORT, *chosen, "--variants", "works,fails")
    assert missing.status == 1
    assert "images missing or out of date: toy-compiled" in missing.text

    done = toy("matrix", *SHORT, *chosen, "--variants", "packaged", LAB_UP_LIMIT="5")
    assert done.status == 1, "some of the toys do not work"
    taken = {s["variant"]: s["outcome"] for s in samples(toy.run())}
    assert taken["wire"] == taken["works"] == "ok"
    assert taken["hangs"] == "failed"
    assert "fails" not in taken


def test_a_vpn_that_does_not_come_up_is_an_outcome_and_the_run_goes_on(toy: Lab) -> None:
    toy.ok("build", "toy")
    done = toy("matrix", *SHORT, "--ciphers", "toy-rot13", "--no-report", LAB_UP_LIMIT="5")
    assert done.status == 1
    found = {s["variant"]: (s["outcome"], s["reason"], s["readings"]) for s in samples(toy.run())}
    assert found["wire"][0] == found["works"][0] == "ok"
    assert found["hangs"][0] == "failed"
    assert "the server was not up after 5 s" in found["hangs"][1]
    assert "the toy waits for its peer" in found["hangs"][1]
    assert found["fails"] == ("failed", "the server did not come up: the toy is broken", [])
    assert found["refuses"] == ("unsupported", "the toy has no variant 'refuses'", [])
    assert found["strays"][0] == "invalid"
    assert "packets went past the tunnel" in found["strays"][1]
    assert found["claims"] == ("invalid", "the server negotiated ROT26, not ROT13", [])
    for variant in ("hangs", "fails", "strays", "claims"):
        assert f"toy {variant} toy-rot13 throughput" in done.text
    assert "failed: the server did not come up: the toy is broken" in done.text


def test_what_the_ends_answer_is_captured(toy: Lab, root: Path) -> None:
    """Whether the pattern fits or not, and never a secret."""
    toy.ok("build", "toy")
    data, description = root / "tests" / "data" / "toy", root / "images" / "toy" / "vpn.yaml"
    text = description.read_text()
    done = toy.ok("capture", "toy", "--variant", "works")
    answers = {path.name: path.read_text() for path in data.iterdir()}
    assert answers == {f"works-toy-rot13-{end}.txt": "suite ROT13\n" for end in ("server", "client")}
    assert "tests/data/toy/works-toy-rot13-server.txt: suite ROT13, session not told" in done.text
    assert "next: lab capture toy --variant claims" in done.text

    (data / "works-toy-rot13-server.txt").unlink()
    description.write_text(text.replace("[cat, /run/vpn/log], match: 'suite", "[cat, /run/vpn/log], match: 'cipher"))
    toy.ok("build", "toy")
    done = toy("capture", "toy", "--variant", "works")
    assert done.status == 1
    assert "the server's suite: the pattern reads nothing, and the tunnel was asked for ROT13" in done.text
    assert "then `lab check toy`" in done.text
    assert (data / "works-toy-rot13-server.txt").read_text() == "suite ROT13\n"
    assert "works-toy-rot13-server.txt: the server's pattern reads nothing from it" in toy("check", "toy").text

    description.write_text(text.replace("[cat, /run/vpn/log]", "[cat, /run/credentials/psk, /run/vpn/log]"))
    toy.ok("build", "toy")
    done = toy("capture", "toy", "--variant", "works")
    assert done.status == 1
    assert "what the server answers to the question for the suite holds a secret: psk" in done.text
    assert {path.name: path.read_text() for path in data.iterdir()} == answers

    nothing = toy("capture", "plain")
    assert nothing.status == 2
    assert "plain wire is asked nothing" in nothing.text


def test_a_real_vpn_is_captured_as_the_tests_want_it(toy: Lab, root: Path) -> None:
    done = toy.ok("capture", "openvpn", "--variant", "udp", "--cipher", "aes-128-gcm")
    assert {path.name for path in (root / "tests" / "data" / "openvpn").iterdir()} == {
        f"{stem}-{end}.txt" for stem in ("udp-aes-128-gcm", "counters") for end in ("server", "client")
    }
    assert "udp-aes-128-gcm-client.txt: suite AES-128-GCM, session " in done.text
    assert "after it" in done.text
    assert "openvpn: ok" in toy.ok("check", "openvpn").text


def test_a_lab_that_does_not_come_up_leaves_nothing(toy: Lab) -> None:
    toy.ok("build", "toy")
    for variant, why in (
        ("fails", "the toy is broken"),
        ("refuses", "no variant"),
        ("claims", "negotiated ROT26"),
        ("strays", "its own are those that `udp port 9` explains: `wire` of strays in images/toy/vpn.yaml"),
    ):
        done = toy("up", "toy", "--variant", variant, "--name", f"e2e-{variant}")
        assert done.status == 1
        assert why in done.text
        assert not [row for row in toy.ok("status", "--json").json() if row["lab"].startswith("e2e-")]


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("images/toy/vpn.yaml", "title: Toy\n", ["vpn.yaml:1: summary: it is missing", "variants: it is missing"]),
        ("images/toy/vpn.yaml", "title: [Toy\n", ["vpn.yaml:2: not YAML"]),
        (
            "lab/catalog/suites.yaml",
            "dialects: {toy: a toy}\nsuites:\n- {suite: a, title: A}\n- {suite: B!, title: B}\n",
            ["suites.yaml:4: suites.1.suite:", "'B!'"],
        ),
        ("docker-compose.yml", "name: lab\nservices: {x: {privileged: true}}\n", ["docker-compose.yml", "privileged"]),
    ],
)
def test_a_file_that_is_wrong_is_told_with_its_line(
    toy: Lab, root: Path, file: str, text: str, words: list[str]
) -> None:
    (root / file).write_text(text)
    done = toy("up", "--name", "e2e-wrong")
    assert done.status == 2, done.text
    assert all(word in done.text for word in words), done.text


def test_a_capability_beyond_the_topology_is_refused(toy: Lab, root: Path) -> None:
    path = root / "images" / "toy" / "vpn.yaml"
    path.write_text(path.read_text().replace("[NET_ADMIN]", "[SYS_MODULE]"))
    toy.ok("build", "toy")
    done = toy("up", "toy", "--name", "e2e-greedy")
    assert done.status == 2, done.text
    assert "capability 'SYS_MODULE' is not granted by docker-compose.yml" in done.text
