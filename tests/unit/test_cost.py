# SPDX-License-Identifier: MIT
"""Instructions a packet: from the times of short floods of echoes to a figure, and when there is none."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from test_measures import figures

from lab.benches.vpn.measures import cost
from lab.core.errors import InvalidSample, Unsupported

Raw = Callable[[str], dict[str, Any]]


def floods(*, sent: int = 750, idle: int = 0, disturbed: float = 0) -> dict[str, Any]:
    """Fifteen turns of 75 echoes and 750, of 20 us and 5 ms for the start; the last but one is `disturbed`, in seconds.

    `sent` are the requests of the longest, of which 750 come back; `idle` is in ticks of the whole load.
    """
    clock, lines = 10.0, []
    for turn in range(15):
        for count in (75, 750):
            last = (turn, count) == (14, 750)
            echoed = f"{sent if last else count} packets transmitted, {count} received, 0% packet loss, time 5ms"
            took = 0.005 + count * 2e-5 + (disturbed if last else 0)
            lines += [echoed, "rtt min/avg/max/mdev = 0.01/0.02/0.03/0.00 ms", f"flood {clock:.6f} {clock + took:.6f}"]
            clock += took
    cpu = {"server": {"cpu": 0.2475}, "client": {"cpu": 0.495}}
    load = {
        "stdout": "\n".join(lines),
        "stderr": f"bracket 10.000000 5.00 cpu  0 0 0 0 0 0 0 0\n"
        f"bracket {clock:.6f} {clock - 5:.2f} cpu  10 0 30 {idle} 0 0 0 0\n",
        "before": {"ends": {end: {"cpu": 0.0} for end in cpu}},
        "after": {"ends": cpu},
    }
    return {"load": load, "size": 500}


@pytest.mark.parametrize("disturbed", [0, 0.1], ids=["quiet", "a kernel thread in one flood"])
def test_a_packet_costs_the_slope_from_few_echoes_to_many(disturbed: float) -> None:
    assert figures(cost.parse(floods(disturbed=disturbed))) == {
        ("instructions_per_packet", "machine"): pytest.approx(10_000),
        ("instructions_per_packet_user", "machine"): pytest.approx(2_500),
        ("instructions_per_packet_kernel", "machine"): pytest.approx(7_500),
        ("instructions_per_byte", "machine"): pytest.approx(20),
        ("instructions_per_packet", "server"): pytest.approx(10_000),
        ("instructions_per_packet", "client"): pytest.approx(20_000),
        ("payload", "machine"): 15 * 825 * 500,
    }


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sent": 751}, "750 of 751 echoes came back"),
        ({"idle": 1}, r"the machine was idle for 0\.01 of 0\.40 s"),
    ],
)
def test_what_is_lost_or_waited_for_is_no_cost(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSample, match=said):
        cost.parse(floods(**changed))


def test_ping_said_nothing_of_what_came_back() -> None:
    raw = floods()
    raw["load"]["stdout"] = raw["load"]["stdout"].replace("750 packets transmitted", "", 1)
    with pytest.raises(InvalidSample, match="ping said of 29 of 30 floods what came back"):
        cost.parse(raw)


def test_what_libreswan_cost_with_packets_of_1400_bytes(raw: Raw) -> None:
    """Of fifteen slopes the four least and the four greatest do not count."""
    told = figures(cost.parse(raw("cost.json")))
    assert told[("instructions_per_packet", "machine")] == pytest.approx(53072.859, abs=0.001)
    user = 0.15 / (0.15 + 0.40 + 0.90)  # seconds of the kernel's ticks: user, system, softirq
    assert told[("instructions_per_packet_user", "machine")] == pytest.approx(53072.859 * user, rel=1e-3)
    assert told[("payload", "machine")] == 15 * (75 + 750) * 1400
    assert abs(told[("instructions_per_packet", "client")]) < 1, "a VPN in the kernel has no process to charge"


@pytest.mark.parametrize(("address", "payload"), [("198.19.0.1", "484"), ("2001:2:0:100::1", "464")])
def test_a_packet_is_as_long_as_it_is_called(address: str, payload: str) -> None:
    asked: list[list[str]] = []
    engine = SimpleNamespace(clock="instructions")
    tunnel = SimpleNamespace(
        bed=SimpleNamespace(engine=engine), address=lambda end: address, load=lambda argv, timeout: asked.append(argv)
    )
    cost.run(cast(Any, tunnel), {"size": "512"}, cost.Options())
    assert [argv[-5:] for argv in asked] == [["15", "75", "750", payload, address]]


def test_only_the_instruction_clock_tells_a_packets_cost() -> None:
    tunnel = SimpleNamespace(bed=SimpleNamespace(engine=SimpleNamespace(clock="wall")))
    with pytest.raises(Unsupported, match="--engine vm --clock instructions"):
        cost.run(cast(Any, tunnel), {"size": "64"}, cost.Options())
