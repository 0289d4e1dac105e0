# SPDX-License-Identifier: MIT
"""Ends on two machines: how they are named, what both brackets read, and which of the machines was the limit."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from lab.benches.vpn import around, bench, packets
from lab.benches.vpn.cpu_ledger import gap, readings
from lab.benches.vpn.settings import Settings
from lab.catalog.catalog import Catalog
from lab.core.command import Result
from lab.core.errors import LabError, UsageError
from lab.engines.choice import Choice
from lab.results.cpu import bottleneck, foreign
from lab.results.reading import Reading
from lab.runner.settings import faults, settings
from lab.testbed import link

Captured = Callable[[str], str]
HERE, THERE = "host%eth1", "ssh://root@198.51.100.7%enp3s0"


class TestTheChoice:
    def test_two_guests_are_meant_where_nothing_else_is_named(self) -> None:
        assert Choice(name="cable") == Choice(server="vm") == Choice(client="vm", server="vm")
        choice = Choice(name="cable")
        assert (choice.server, choice.client, choice.in_guests, choice.cores) == ("vm", "vm", True, 1)

    def test_engines_and_their_interfaces(self) -> None:
        choice = Choice(server=THERE, client=HERE)
        assert (choice.name, choice.server, choice.client, choice.in_guests) == ("cable", THERE, HERE, False)

    def test_one_machine_has_no_other(self) -> None:
        assert (Choice().server, Choice(name="vm").client) == ("", "")

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"server": THERE}, "--server and --client: a guest has a cable to another guest only: both are vm"),
            (
                {"server": "ssh://far", "client": HERE},
                "--server: vm or ssh://HOST%INTERFACE is wanted, got 'ssh://far'",
            ),
            ({"server": THERE, "client": "eth1"}, "--client: vm or ssh://HOST%INTERFACE is wanted, got 'eth1'"),
            ({"server": "tcp://far%eth1", "client": HERE}, "--server: vm or ssh://HOST%INTERFACE is wanted, got"),
            ({"server": "hostile%eth1", "client": HERE}, "--server: vm or ssh://HOST%INTERFACE is wanted, got"),
            ({"server": "host%", "client": HERE}, "--server: vm or ssh://HOST%INTERFACE is wanted, got 'host%'"),
            ({"name": "vm", "server": "vm"}, "--server and --client are two machines: leave --engine out"),
            ({"name": "cable", "clock": "instructions"}, "--engine: two machines have no common clock but the wall's"),
        ],
    )
    def test_what_cannot_be(self, options: dict[str, Any], said: str) -> None:
        with pytest.raises(ValidationError) as caught:
            Choice(**options)
        assert faults(caught.value).message.startswith(said)

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ({"wires": ["dsl"]}, "--wires: between two machines the cable is as it is"),
            ({"tunnels": [1, 10]}, "--tunnels: more than one needs both ends on one machine"),
        ],
    )
    def test_what_only_one_machine_can_have(self, asked: dict[str, Any], said: str) -> None:
        with pytest.raises(UsageError, match=said):
            bench.choose(settings(Settings, {"engine": {"name": "cable"}, "vpns": ["openvpn"], **asked}), Catalog())

    def test_a_bench_of_one_machine_says_so(self) -> None:
        from lab.benches.ktls.settings import Settings as OfOne

        with pytest.raises(UsageError, match="--engine: it measures on one machine: host or vm is wanted"):
            settings(OfOne, {"engine": {"name": "cable"}})


def said(wall: float, busy: int, idle: int, *, threads: float = 0.0) -> dict[str, Any]:
    """What a bracket read: `busy` and `idle` are ticks of a hundredth of a second."""
    before = "bracket 100.5 50.25 cpu  0 0 0 0 0 0 0 0"
    after = f"bracket {100.5 + wall:.6f} {50.25 + wall:.2f} cpu  0 0 {busy} {idle} 0 0 0 0"
    return {
        "stderr": f"{before}\n{after}\n",
        "before": {"kernel_threads": {}},
        "after": {"kernel_threads": {"9": threads}},
    }


def ends(**cpu: float) -> dict[str, dict[str, Any]]:
    """Counters of endpoints that used so many seconds."""
    switches = {"voluntary": 0, "involuntary": 0}
    return {end: {"cpu": seconds, "user": 0.0, "system": seconds, **switches} for end, seconds in cpu.items()}


def load(near: dict[str, Any], far: dict[str, Any], **cpu: float) -> dict[str, Any]:
    """A load of two machines, at whose ends these seconds were used."""
    used = ends(**cpu)
    near["before"]["ends"], near["after"]["ends"] = ends(**dict.fromkeys(used, 0.0)), used
    return near | {"far": far}


def table(rows: list[Reading]) -> dict[tuple[str, str], float]:
    found = {(row.metric, row.end): row.value for row in rows}
    assert len(found) == len(rows)
    return found


class TestTheLedger:
    """The client's machine was busy for 1.5 of 2 s, the server's for 0.5 of the 3 s that it was read."""

    ROWS = readings(load(said(2, 150, 50, threads=0.2), said(3, 50, 250, threads=0.1), server=0.4, client=1.2), 10**9)

    def test_the_machine_is_the_sum_of_both_for_the_time_of_the_load(self) -> None:
        found = table(self.ROWS)
        assert found["wall", "machine"] == 2
        assert found["cpu_system", "machine"] == pytest.approx(2.0)
        assert found["cpu_idle", "machine"] == pytest.approx(0.5 + 1.5)
        assert found["cpu_kernel_threads", "machine"] == pytest.approx(0.3)
        assert found["cost", "machine"] == pytest.approx(2.0)
        assert gap(self.ROWS, 2) == pytest.approx(0)

    def test_each_has_figures_of_its_own(self) -> None:
        found = table(self.ROWS)
        assert (found["cost", "client-machine"], found["cost", "server-machine"]) == (1.5, 0.5)
        assert found["cpu_idle", "server-machine"] == pytest.approx(1.5)
        assert found["cost", "client"] == pytest.approx(1.2)

    def test_a_machine_is_no_end_and_its_time_is_not_counted_twice(self) -> None:
        assert foreign(self.ROWS) == pytest.approx(2.0 - 1.6 - 0.3)

    def test_interrupts_that_find_a_machine_idle_are_nobody_elses_programs(self) -> None:
        """As where the kernel decrypts what arrives while no process runs: it is charged to none."""
        near, far = said(2, 50, 150), said(2, 10, 150)
        far["stderr"] = far["stderr"].replace("0 0 10 150 0 0 0 0", "0 0 10 150 0 0 40 0")
        rows = readings(load(near, far, server=0.1, client=0.5), 1)
        assert foreign(rows) == pytest.approx(0.0)
        assert bottleneck(rows) == "other"

    def test_with_one_machine_there_is_no_other(self) -> None:
        one = load(said(2, 150, 50), {}, server=0.1, client=0.2)
        del one["far"]
        assert not [row for row in readings(one, 1) if row.end.endswith("-machine")]


@pytest.mark.parametrize(
    ("near", "far", "verdict"),
    [
        ((195, 5), (50, 150), "cpu:client-machine"),
        ((50, 150), (195, 5), "cpu:server-machine"),
        ((100, 100), (100, 100), "other"),
    ],
)
def test_the_machine_that_was_hardly_idle_is_the_limit(
    near: tuple[int, int], far: tuple[int, int], verdict: str
) -> None:
    rows = readings(load(said(2, *near), said(2, *far), server=0.9, client=0.9), 1)
    assert bottleneck(rows, shared=False) == verdict


@pytest.mark.parametrize(("share", "verdict"), [(0.95, "link"), (0.5, "other")])
def test_a_cable_that_carried_all_it_can_is_the_limit(share: float, verdict: str) -> None:
    rows = readings(load(said(2, 100, 100), said(2, 100, 100), server=0.9, client=0.9), 1)
    assert bottleneck([*rows, Reading("link_share", "fraction", "machine", share)], shared=False) == verdict


@pytest.mark.parametrize(
    ("speeds", "limit"),
    [(("1000Mb/s", "100Mb/s"), 100.0), (("unknown!", "1000Mb/s"), None), (("", ""), None)],
)
def test_the_speed_of_a_cable_is_that_of_its_slower_end(speeds: tuple[str, str], limit: float | None) -> None:
    assert link.speed({end: {"speed": speed} for end, speed in zip(link.ENDS, speeds, strict=True)}) == limit


def test_the_rate_on_the_wire_is_that_of_the_busier_way() -> None:
    sent = {"before": {"server": 0, "client": 100}, "after": {"server": 2_000_000, "client": 60_000_100}}
    counters = {
        time: {"ends": {end: {"interfaces": {"eth0": {"tx_bytes": count}}} for end, count in each.items()}}
        for time, each in sent.items()
    }
    assert packets.rate(counters, 2.0) == 240.0


class TestTwoBrackets:
    def test_what_the_far_one_read_is_among_the_rest(self, captured: Captured) -> None:
        text = captured("bracket/failed.txt")
        numbers = list(dict.fromkeys(re.findall(r'"([0-9a-f]{64})"', text.partition("snapshot ")[2])))
        roles = dict(zip(numbers, ("server", "client", "server-load", "client-load"), strict=True))
        before, after = around.snapshots(text, roles)
        own = {
            "before": {"ends": {"client": 1}}, "after": {"ends": {"client": 2}},
            "wire": {"client": {"packets": 0}}, "stderr": "own",
        }  # fmt: skip
        whole = around.joined(own, Result(0, "begun\n", text), roles)
        assert whole["before"]["ends"] == {"client": 1, **before["ends"]}
        assert whole["after"]["ends"] == {"client": 2, **after["ends"]}
        assert set(whole["wire"]) == {"server", "client"}
        assert set(whole["far"]) == {"stderr", "before", "after"}
        assert "ends" not in whole["far"]["before"]
        assert whole["stderr"] == "own"

    def test_a_machine_that_was_not_read_is_no_result(self) -> None:
        with pytest.raises(LabError, match="the server's machine could not be read around the load: no answer"):
            around.joined({}, Result(125, "", "no answer\n"), {})
