# SPDX-License-Identifier: MIT
"""What `lab ktls` can run, the command for each cell, and what its containers may do."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from lab.benches.ktls import cells, ends
from lab.core.command import Result
from lab.engines.engine import Engine
from lab.results.cell import Cell
from lab.testbed import topology

KNOWN = cells.load()


SUITE = "aes-128-gcm"


def cell(scenario: str, protocol: str, path: str, way: str, payload: int | None = 1400, suite: str = SUITE) -> Cell:
    return cells.cell(scenario, protocol, path, suite, way=way, payload=payload)


def argv(one: Cell, **other: Any) -> str:
    standard: dict[str, Any] = {"seconds": 1.0, "count": None, "size": 25_000_000}
    return " ".join(cells.arguments(one, "198.18.0.2", **(standard | other)))


class TestPaths:
    def test_the_thesis_scenarios(self) -> None:
        assert argv(cell("transmission", "dtls", "kernel", "send")) == (
            "ktls-bench run --peer 198.18.0.2 --scenario transmission --protocol dtls --cipher aes-128-gcm "
            "--tx af_ktls --rx af_ktls --way send --payload 1400 --seconds 1"
        )
        assert argv(cell("file", "tls", "kernel-tx", "sendfile")).endswith(
            "--protocol tls --version 1.2 --cipher aes-128-gcm --tx af_ktls --rx library --way sendfile "
            "--payload 1400 --bytes 25000000 --directory /file"
        )

    def test_what_forwards_has_records_on_one_side(self) -> None:
        assert "--tx raw --rx af_ktls --way splice" in argv(cell("echo", "dtls", "kernel", "splice"))
        assert "--tx library --rx raw --way recv-send" in argv(cell("echo-out", "dtls", "library", "recv-send"))
        assert "--scenario echo --" in argv(cell("echo-out", "tls", "kernel", "splice"))

    def test_what_has_no_records_has_no_cipher(self) -> None:
        found = argv(cell("file", "udp", "raw", "splice", suite=cells.NONE))
        assert "--cipher" not in found
        assert "--tx raw --rx raw" in found

    def test_counted_instead_of_timed(self) -> None:
        assert argv(cell("transmission", "tls13", "library", "send"), count=500).endswith("--payload 1400 --count 500")
        assert "--count" not in argv(cell("file", "tls", "library", "mmap"), count=500)
        assert argv(cell("transmission", "tls", "library", "send"), seconds=0.25).endswith("--seconds 0.25")

    def test_verification_has_no_payload(self) -> None:
        found = argv(cell("verify", "dtls", "kernel", "handling", None))
        assert found.endswith("--tx af_ktls --rx af_ktls --way handling")

    def test_a_profile_runs_the_same_command(self) -> None:
        one = cell("echo", "tls", "kernel", "splice")
        profiled = cells.profiled(one)
        assert profiled.measure == cells.PROFILE
        assert argv(profiled) == argv(one)

    def test_only_paths_that_a_protocol_has(self) -> None:
        found = cells.cells(["transmission"], ["dtls", "tcp"], list(KNOWN.path), [SUITE], [1400], [1400])
        assert [(each.vpn, each.variant, each.suite) for each in found] == [
            ("dtls", "library", SUITE), ("dtls", "kernel-tx", SUITE), ("dtls", "kernel", SUITE), ("tcp", "raw", "none"),
        ]  # fmt: skip

    def test_a_file_has_payloads_of_its_own(self) -> None:
        found = cells.cells(["file"], ["udp"], ["raw"], [SUITE], [16000], [1400])
        assert {each.conditions for each in found} == {
            f"payload=1400 way={way}" for way in ("user-send", "mmap", "sendfile", "splice")
        }

    def test_the_file_names_only_what_it_has(self) -> None:
        for scenario in KNOWN.scenarios:
            assert {name for able in scenario.ways.values() for name in able} <= set(KNOWN.path)
        for path in KNOWN.paths:
            assert set(path.protocols) <= set(KNOWN.protocol)
        for ladder in KNOWN.ladders:
            for step in ladder.steps:
                assert step.path in KNOWN.scenario[ladder.scenario].ways[step.way]

    def test_a_step_of_a_ladder_changes_one_thing(self) -> None:
        """Whose records they are, at an end or at both, or how the data is handed over."""
        for ladder in KNOWN.ladders:
            for one, two in pairwise(ladder.steps):
                before, after = (
                    (*cells.ends(cell(ladder.scenario, "dtls", step.path, step.way)), step.way) for step in (one, two)
                )
                changes = {(old, new) for old, new in zip(before, after, strict=True) if old != new}
                assert len(changes) == 1, (ladder, one, two)


class TestEnds:
    """The least that each container may do."""

    PLAN = topology.load(ends.FILE).resolve({})

    def test_capabilities(self) -> None:
        assert {role: service.cap_add for role, service in self.PLAN.services.items()} == {
            "load": ["SYS_MODULE"], "peer": [], "bench": [], "perf": ["SYS_ADMIN", "SYSLOG"],
        }  # fmt: skip
        assert all(service.cap_drop == ["ALL"] for service in self.PLAN.services.values())
        assert all(service.image == ends.IMAGE for service in self.PLAN.services.values())

    def test_the_file_lies_on_a_tmpfs(self) -> None:
        for role in ("bench", "perf"):
            assert any(entry.startswith(f"{cells.FOLDER}:") for entry in self.PLAN.services[role].tmpfs)

    def test_no_route_out(self) -> None:
        assert self.PLAN.networks["wire"].internal

    def test_where_the_module_cannot_be_loaded_it_says_so(self) -> None:
        class Refusing(Engine):
            def once(self, image: str, argv: Sequence[str], *, timeout: float = 30, **options: Any) -> Result:
                assert (image, list(argv)) == (ends.IMAGE, ["ktls-load", "allow=all", "driver=aes-generic"])
                assert (options["cap_drop"], options["cap_add"]) == (["ALL"], ["SYS_MODULE"])
                return Result(1, "", "ktls-load: no module for kernel 5.10\n")

        said = ends.load(Refusing(client=None), self.PLAN.services["load"], ["driver=aes-generic"])  # type: ignore[arg-type]
        assert said == "ktls-load: no module for kernel 5.10"
