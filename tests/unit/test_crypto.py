# SPDX-License-Identifier: MIT
"""The raw cipher benches: what is asked of the libraries, what they answer, and the plan of a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from lab.benches.crypto import bench, libraries, places
from lab.benches.crypto.libraries import Timing, check, in_turn, parse, readings
from lab.benches.crypto.settings import KIND, Settings
from lab.benches.crypto.views import speeds
from lab.catalog.catalog import Catalog
from lab.core.command import Result
from lab.core.errors import LabError, Unsupported, UsageError
from lab.engines.engine import Engine
from lab.results.store import Store
from lab.runner.execute import execute
from lab.runner.plan import Step
from lab.runner.settings import settings, settings_of
from lab.runner.side_by_side import SideBySide
from lab.stats.summary import Summary

KNOWN = libraries.load()
SUITES = Catalog().suites
ENCRYPTING = [row for row in SUITES.values() if row.suite not in ("none", "null-nomac")]


def argv(library: str, suite: str, size: int = 1024) -> dict[str, list[str]]:
    return dict(KNOWN[library].commands(SUITES[suite], size, 2))


class TestColumns:
    @pytest.mark.parametrize("library", KNOWN.values(), ids=lambda row: row.library)
    def test_every_suite_has_a_name_or_a_reason(self, library: libraries.Library) -> None:
        for row in ENCRYPTING:
            assert (library.dialect in row.native) != (library.dialect in row.absent), row.suite

    def test_no_name_means_two_suites(self) -> None:
        for library in KNOWN.values():
            names = [row.native[library.dialect] for row in SUITES.values() if library.dialect in row.native]
            assert len(set(names)) == len(names)

    @pytest.mark.parametrize("row", [row for row in ENCRYPTING if "kernel" in row.native], ids=lambda row: row.suite)
    def test_the_kernels_columns_add_up(self, row: Any) -> None:
        """Keys of the lengths that the suite's name says, and a header that holds the IV, as ESP's does."""
        algorithm, key, iv, header, tag = row.native["kernel"].split()
        assert int(header) - int(iv) == 8
        macs = {"md5": (16, 12), "sha1": (20, 12), "sha256": (32, 16), "sha384": (48, 24), "sha512": (64, 32)}
        if "authenc" in algorithm:
            mac = row.suite.rpartition("-")[2]
            assert f"hmac({mac})" in algorithm
            assert (int(key.partition("+")[0]), int(tag)) == macs[mac]
        salt = {"rfc4106": 4, "rfc4309": 3, "rfc7539esp": 4}.get(algorithm.partition("(")[0], 0)
        if row.suite.startswith("aes-"):
            assert (int(key.rpartition("+")[2]) - salt) * 8 == int(row.suite.split("-")[1])


class TestCommands:
    def test_an_aead_is_one_command(self) -> None:
        assert argv("openssl", "aes-128-gcm") == {
            "speed": ["openssl", "speed", "-mr", "-seconds", "2", "-bytes", "1024", "-aead", "-evp", "AES-128-GCM"]
        }
        assert argv("gnutls", "aes-128-gcm") == {"speed": ["gnutls-speed", "AES-128-GCM", "1024", "2"]}
        assert argv("kernel", "aes-128-gcm", 64) == {
            "speed": ["kernel-speed", "rfc4106(gcm(aes))", "20", "8", "16", "16", "64", "2"]
        }

    def test_openssl_times_a_cipher_and_its_hmac_apart(self) -> None:
        parts = argv("openssl", "bf-cbc-sha1")
        assert list(parts) == ["cipher", "mac"]
        assert parts["cipher"][-6:] == ["-provider", "default", "-provider", "legacy", "-evp", "BF-CBC"]
        assert parts["mac"][-2:] == ["-hmac", "sha1"]

    def test_stitched_only_where_there_is_such_a_cipher(self) -> None:
        stitched = [row.suite for row in ENCRYPTING if "openssl-speed" in row.native and "stitched" in
                    KNOWN["openssl"].commands(row, 16, 1)]  # fmt: skip
        assert stitched == [f"aes-{bits}-cbc-{mac}" for bits in (128, 256) for mac in ("sha1", "sha256")]
        assert argv("openssl", "aes-128-cbc-sha1")["stitched"][-1] == "AES-128-CBC-HMAC-SHA1"

    def test_a_null_cipher_is_its_hmac(self) -> None:
        assert list(argv("openssl", "null-sha1")) == ["speed"]
        assert argv("openssl", "null-sha1")["speed"][-2:] == ["-hmac", "sha1"]


class TestAnswers:
    @pytest.mark.parametrize(
        ("name", "speed"),
        [("aead", 4553211345.45), ("cipher", 1862428077.42), ("mac", 1488854281.48), ("stitched", 1637061973.33)],
    )
    def test_openssl(self, captured: Callable[[str], str], name: str, speed: float) -> None:
        found = parse("openssl", captured(f"crypto/openssl-{name}.txt"))
        assert (found.speed, found.implementation) == (speed, "")

    def test_gnutls_tells_its_code_path_in_its_log(self, captured: Callable[[str], str]) -> None:
        found = parse("gnutls-speed", captured("crypto/gnutls-aead.txt"), captured("crypto/gnutls-aead.err"))
        assert found.implementation == "Intel SSSE3; Intel AES accelerator; Intel GCM accelerator (AVX)"

    @pytest.mark.parametrize(
        ("name", "speed", "implementation"),
        [
            ("gnutls-aead", 510655488 / 0.101413851, ""),
            ("gnutls-mac", 50854912 / 0.086217916, ""),
            ("kernel-aesni", 3095552 / 0.306209817, "rfc4106-gcm-aesni-avx"),
            ("kernel-generic", 1113088 / 0.314174070, "rfc4106(gcm_base(ctr(aes-generic),ghash-clmulni))"),
            ("kernel-authenc", 2358272 / 0.306427646, "authenc(hmac(sha1-avx2),cbc-aes-aesni)"),
        ],
    )
    def test_a_line_of_json(self, captured: Callable[[str], str], name: str, speed: float, implementation: str) -> None:
        found = parse(name.partition("-")[0] + "-speed", captured(f"crypto/{name}.txt"))
        assert found.speed == pytest.approx(speed)
        assert found.implementation == implementation
        assert 0 < found.busy < 1.01

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "+H:1024\n",
            "{}",
            '{"bytes": 0, "cpu": 1, "wall": 1, "implementation": ""}',
            '{"bytes": 9, "cpu": 0, "wall": 1, "implementation": ""}',
        ],
    )
    def test_what_is_no_answer(self, text: str) -> None:
        for program in ("openssl", "gnutls-speed"):
            with pytest.raises((ValueError, LookupError, ArithmeticError)):
                parse(program, text)

    @pytest.mark.parametrize(
        ("name", "status", "said"),
        [
            ("openssl-unknown-cipher", 1, "NONSENSE-CBC is an unknown cipher"),
            ("openssl-unknown-mac", 1, "nonsense is an unknown digest"),
            ("gnutls-unknown", 127, "GnuTLS has no such cipher or MAC"),
            ("kernel-no-af-alg", 127, "the kernel has no AF_ALG sockets"),
            ("kernel-unknown", 127, "the kernel has no such algorithm"),
        ],
    )
    def test_what_a_library_has_not_is_unsupported(
        self, captured: Callable[[str], str], name: str, status: int, said: str
    ) -> None:
        with pytest.raises(Unsupported, match=said) as caught:
            check(Result(status, "", captured(f"crypto/{name}.err")))
        assert "\n" not in caught.value.message

    @pytest.mark.parametrize("name", ["openssl-wrong", "openssl-option"])
    def test_all_else_is_a_failure(self, captured: Callable[[str], str], name: str) -> None:
        with pytest.raises(LabError, match="ended with 1") as caught:
            check(Result(1, "", captured(f"crypto/{name}.err")))
        assert not isinstance(caught.value, Unsupported)

    def test_a_bench_that_was_killed_failed(self) -> None:
        with pytest.raises(LabError, match="ended with 124"):
            check(Result(124, "", "no end within 31 s"))


class TestReadings:
    def test_parts_in_turn(self) -> None:
        assert in_turn(2.0, 2.0) == 1.0
        found = readings({"cipher": Timing(3e9), "mac": Timing(1.5e9), "stitched": Timing(2e9)})
        assert [(one.metric, one.unit) for one in found] == [
            (part, "B/s") for part in ("speed", "cipher", "mac", "stitched")
        ]
        assert found[0].value == pytest.approx(1e9)

    def test_one_figure_is_the_speed_and_busy_is_kept(self) -> None:
        found = readings({"speed": Timing(5e9, "x", 0.7)})
        assert [(one.metric, one.value) for one in found] == [("speed", 5e9), ("busy", 0.7)]


class Bare:
    """A place whose programs answer what the test says."""

    engine = "host"
    clock = "wall"
    ended = ""

    def __init__(self, answer: Callable[[Sequence[str]], Result]) -> None:
        self.answer, self.asked = answer, list[list[str]]()

    def run(self, argv: Sequence[str], timeout: float) -> Result:
        self.asked.append(list(argv))
        return self.answer(argv)

    def stopped(self) -> str:
        return self.ended


class Quiet:
    """Progress that nobody watches."""

    def start(self, todo: int, total: int) -> Any:
        return nullcontext()

    def before(self, step: Step) -> None:
        return

    def after(self, step: Step, sample: Any) -> None:
        return


@pytest.fixture
def answers(captured: Callable[[str], str]) -> Callable[[Sequence[str]], Result]:
    """As the real programs answered; on a kernel without AF_ALG."""

    def answer(argv: Sequence[str]) -> Result:
        if argv[0] == "kernel-speed":
            return Result(127, "", captured("crypto/kernel-no-af-alg.err"))
        if argv[0] == "gnutls-speed":
            return Result(0, captured("crypto/gnutls-aead.txt"), captured("crypto/gnutls-aead.err"))
        if argv[1] != "speed":
            return Result(0, "OpenSSL 3\n", "")
        if "HMAC" in argv[-1]:
            return Result(1, "", captured("crypto/openssl-unknown-cipher.err"))
        part = "aead" if "-aead" in argv else "mac" if "-hmac" in argv else "cipher"
        return Result(0, captured(f"crypto/openssl-{part}.txt"), "")

    return answer


def prepared(answer: Callable[[Sequence[str]], Result], **asked: Any) -> tuple[bench.Site, Bare]:
    standard = {"ciphers": ["aes-128-gcm", "aes-128-cbc-sha1", "aes-192-ccm"], "sizes": [1024], "blocks": 2}
    choice = bench.choose(settings(Settings, standard | asked))
    place = Bare(answer)
    engine = Engine(client=None)  # type: ignore[arg-type]
    return bench.Site(choice, [(engine, dict.fromkeys(choice.settings.timed_in, place))]), place


class TestRun:
    def test_settings_that_cannot_be(self) -> None:
        with pytest.raises(UsageError) as caught:
            settings(Settings, {"sizes": [15], "blocks": 0, "places": ["moon"], "seconds": "x"})
        named = {line.split(":")[0] for line in caught.value.message.splitlines()}
        assert named == {"--sizes", "--places", "--blocks", "--seconds"}

    def test_this_machine_is_no_place_of_a_guest(self) -> None:
        with pytest.raises(UsageError, match="--places host needs --engine host"):
            settings(Settings, {"places": ["host", "container"], "engine": {"name": "vm"}})
        assert settings(Settings, {"places": ["container"], "engine": {"name": "vm"}}).places == ["container"]

    def test_an_unknown_library(self) -> None:
        with pytest.raises(UsageError, match=r"unknown library 'opensl'\. Did you mean 'openssl'"):
            bench.choose(settings(Settings, {"libraries": ["opensl"]}))

    def test_what_cannot_be_is_in_the_plan_with_its_reason(self, answers: Callable[[Sequence[str]], Result]) -> None:
        plan = prepared(answers)[0].plan
        assert {(cell.vpn, cell.suite) for cell in plan.cells} == {
            ("openssl", "aes-128-gcm"), ("openssl", "aes-128-cbc-sha1"), ("openssl", "aes-192-ccm"),
            ("gnutls", "aes-128-gcm"), ("gnutls", "aes-128-cbc-sha1"),
        }  # fmt: skip
        reasons = {(cell.vpn, cell.suite): reason for cell, reason in plan.unsupported.items()}
        assert reasons["gnutls", "aes-192-ccm"] == "GnuTLS has no AES-192-CCM"
        assert reasons["kernel", "aes-128-gcm"].startswith("the kernel has no AF_ALG sockets")

    def test_controls_are_left_out(self) -> None:
        assert "none" not in bench.choose(settings(Settings, {"ciphers": ["all"]})).suites

    def test_the_duration_counts_commands(self, answers: Callable[[Sequence[str]], Result]) -> None:
        """In two places, two blocks: of OpenSSL's one for each AEAD, three for CBC; of GnuTLS's two."""
        ready, _ = prepared(answers, seconds=2)
        assert ready.choice.duration(ready.plan) == pytest.approx((1 + 1 + 3 + 2) * 2 * 2 * (2 + bench.START_UP))

    def test_every_cell_once_a_block_and_only_what_is_missing(
        self, answers: Callable[[Sequence[str]], Result], tmp_path: Path
    ) -> None:
        ready, place = prepared(answers)
        store = Store.create(tmp_path / "run", {})
        assert execute(SideBySide(ready), store, Quiet()) == {"ok": 20, "unsupported": 8}
        samples = list(store.read())
        taken = [
            (each["block"], each["vpn"], each["variant"], each["suite"]) for each in samples if each["position"] >= 0
        ]
        assert len(set(taken)) == len(taken) == 20
        asked = len(place.asked)
        assert execute(SideBySide(ready), store, Quiet()) == {"ok": 20, "unsupported": 8}
        assert len(place.asked) == asked

    def test_a_sample(self, answers: Callable[[Sequence[str]], Result], tmp_path: Path) -> None:
        """A stitched cipher that this OpenSSL has not leaves the other figures as they are."""
        ready, _ = prepared(answers, ciphers=["aes-128-cbc-sha1"], libraries=["openssl"], places=["host"], blocks=1)
        store = Store.create(tmp_path / "run", {})
        execute(SideBySide(ready), store, Quiet())
        (sample,) = store.read()
        assert sample["outcome"] == "ok"
        assert {each["metric"]: each["value"] for each in sample["readings"]} == {
            "speed": pytest.approx(1 / (1 / 1862428077.42 + 1 / 1488854281.48)),
            "cipher": 1862428077.42,
            "mac": 1488854281.48,
        }
        assert sample["raw"]["cipher"]["stdout"].startswith("+H:1024")
        assert "unknown cipher" in sample["raw"]["stitched"]["stderr"]
        assert (sample["conditions"], sample["measure"], sample["engine"]) == ("size=1024", "crypto", "host")

    def test_a_bench_that_fails_is_a_failed_sample(
        self, answers: Callable[[Sequence[str]], Result], tmp_path: Path
    ) -> None:
        broken = iter([Result(-11, "", ""), Result(0, "not an answer", "")])

        def answer(argv: Sequence[str]) -> Result:
            return next(broken) if "speed" in argv else answers(argv)

        ready, _ = prepared(answer, ciphers=["aes-128-gcm"], libraries=["openssl"], places=["host"], blocks=2)
        store = Store.create(tmp_path / "run", {})
        assert execute(SideBySide(ready), store, Quiet()) == {"failed": 2}
        assert [each["reason"].split(":")[0] for each in store.read()] == [
            "the bench ended with -11", "the output could not be understood"]  # fmt: skip

    def test_going_on_takes_once_more_what_went_wrong(
        self, answers: Callable[[Sequence[str]], Result], tmp_path: Path
    ) -> None:
        broken = [Result(-9, "", "")]

        def answer(argv: Sequence[str]) -> Result:
            return broken.pop() if "speed" in argv and broken else answers(argv)

        ready, place = prepared(answer, ciphers=["aes-128-gcm"], libraries=["openssl"], places=["container"], blocks=2)
        place.ended = "the container stopped (exit 137)"
        store = Store.create(tmp_path / "run", {})
        assert execute(SideBySide(ready), store, Quiet()) == {"failed": 1, "ok": 1}
        asked = len(place.asked)
        assert execute(SideBySide(ready), store, Quiet()) == {"ok": 2}
        assert len(place.asked) == asked + 1
        first, _, again = store.read()
        assert first["reason"].startswith("the container stopped (exit 137): the bench ended with -9")
        assert (again["block"], again["attempt"]) == (first["block"], 2)
        notes = speeds.build(Summary.of(store))[-1].notes
        assert "1 sample was taken more than once, up to 2 times: the last attempt counts" in " ".join(notes)

    def test_a_run_of_something_else_does_not_go_on(self, tmp_path: Path) -> None:
        store = Store.create(tmp_path / "run", {"settings": {}})
        with pytest.raises(LabError, match=r"is not a run of `lab crypto`"):
            settings_of(Settings, store, KIND)

    def test_a_run_goes_on_with_its_own_settings(self, tmp_path: Path) -> None:
        wanted = settings(Settings, {"sizes": [16], "ciphers": ["all"]})
        store = Store.create(tmp_path / "run", {"kind": KIND, "settings": json.loads(wanted.model_dump_json())})
        assert settings_of(Settings, store, KIND) == wanted


class TestHost:
    def test_a_program_that_does_not_end(self, tmp_path: Path) -> None:
        program = tmp_path / "bench"
        program.write_text("#!/bin/sh\nwhile :; do :; done\n")
        program.chmod(0o755)
        assert places.OnHost(tmp_path).run(["x"], 0.1).status == 124

    def test_a_folder_whose_programs_may_not_run(self, tmp_path: Path) -> None:
        (tmp_path / "bench").write_text("#!/bin/sh\n")
        with pytest.raises(Unsupported, match="does not run here: Permission denied"):
            places.OnHost(tmp_path).run(["x"], 1)
