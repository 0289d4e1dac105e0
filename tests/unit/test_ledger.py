# SPDX-License-Identifier: MIT
"""Where the CPU time went, from captured brackets and snapshots of a transfer of 10 MB on a busy machine."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lab.benches.vpn.cpu_ledger import Bracket, gap, readings
from lab.core.errors import InvalidSample
from lab.results.cpu import KERNEL, bottleneck, foreign
from lab.results.reading import Reading

Captured = Callable[[str], str]
Raw = Callable[[str], dict[str, Any]]
MACHINE = ("user", "system", "softirq", "irq", "idle", "iowait", "steal")


def table(rows: list[Reading]) -> dict[tuple[str, str], float]:
    found = {(row.metric, row.end): row.value for row in rows}
    assert len(found) == len(rows)
    return found


def bracket(before: str, after: str, *, wall: float = 2, uptime: float = 2) -> str:
    """What a load leaves behind that took `wall` seconds by the one clock and `uptime` by the other."""
    return f"bracket 100.5 50.25 cpu  {before}\nbracket {100.5 + wall:.6f} {50.25 + uptime:.2f} cpu  {after}\n"


def test_a_bracket(captured: Captured) -> None:
    found = Bracket.parse(captured("bracket/failed.txt"))
    assert found.wall == pytest.approx(0.719004, abs=2e-6)
    others = dict.fromkeys(("nice", "idle", "iowait", "irq", "softirq", "steal"), 0.0)
    assert found.machine == {"user": 1.34, "system": 0.09, **others | {"softirq": 0.0, "steal": 0.01}}


def test_every_column_of_a_bracket_has_its_name() -> None:
    found = Bracket.parse(bracket("0 0 0 0 0 0 0 0 0 0", "100 200 300 400 500 600 700 800 50 60"))
    assert found.wall == 2.0
    assert found.machine == {
        "user": 1, "nice": 2, "system": 3, "idle": 4, "iowait": 5, "irq": 6, "softirq": 7, "steal": 8,
    }  # fmt: skip
    assert found.busy == 1 + 2 + 3 + 6 + 7


def test_the_last_two_lines_are_the_bracket() -> None:
    """A load that prints such lines itself cannot pass them off as the machine's."""
    forged = bracket("0 0 0 0 0 0 0 0", "9 9 9 9 9 9 9 9")
    found = Bracket.parse(forged + bracket("1 1 1 1 1 1 1 1", "101 1 1 1 1 1 1 1"))
    assert found.machine["user"] == 1.0


@pytest.mark.parametrize(
    "stderr",
    [
        "",
        "nc: connection refused\n",
        "bracket 100.5 50.25 cpu  1 2 3\n",
        "bracket 100.5 cpu  1 2 3\nbracket 102.5 cpu  1 2 3\n",
    ],
    ids=["nothing", "no-line", "one-line", "no-uptime"],
)
def test_no_bracket(stderr: str) -> None:
    with pytest.raises(ValueError, match="no two bracket lines"):
        Bracket.parse(stderr)


@pytest.mark.parametrize(
    ("wall", "uptime", "jump"),
    [
        (5.0, 2.0, "+3.00"),
        (-10.0, 2.0, "-12.00"),
        (2.0, 2.1, "-0.10"),
        (2.1, 2.0, "+0.10"),
        (100.0, 98.5, "+1.50"),
        (2.0, 2.06, ""),
        (2.04, 2.0, ""),
        (100.0, 99.0, ""),
    ],
)
def test_a_clock_that_jumped_during_the_load(wall: float, uptime: float, jump: str) -> None:
    """What it was set by shows on the clock that nobody sets; hundredths, and a clock that is slewed, do not count."""
    text = bracket("0 0 0 0 0 0 0 0", "0 0 0 0 0 0 0 0", wall=wall, uptime=uptime)
    if not jump:
        assert Bracket.parse(text).wall == pytest.approx(wall)
        return
    with pytest.raises(InvalidSample) as caught:
        Bracket.parse(text)
    assert caught.value.message == f"the clock jumped by {jump} s during the load"


def test_the_loads_own_words_are_what_is_left(captured: Captured) -> None:
    text = captured("bracket/failed.txt")
    assert Bracket.strip(text) == "oh dear"
    kept = [line for line in text.splitlines() if not line.startswith(("snapshot ", "wire "))]
    assert Bracket.only(text).splitlines() == kept
    assert len(Bracket.only(text).splitlines()) == 3
    assert Bracket.parse(Bracket.only(text)) == Bracket.parse(text)


def test_the_whole_ledger_of_a_transfer(raw: Raw) -> None:
    load = raw("transfer.json")["load"]
    found = table(readings(load, 10_000_000))
    assert found[("wall", "machine")] == pytest.approx(0.203011, abs=1e-6)
    assert found[("payload", "machine")] == 10_000_000
    assert {state: found[(f"cpu_{state}", "machine")] for state in MACHINE} == pytest.approx(
        {"user": 0.23, "system": 0.09, "softirq": 0.02, "irq": 0, "idle": 0.03, "iowait": 0, "steal": 0}
    )
    assert found[("cpu_kernel_threads", "machine")] == pytest.approx(0.000870079)
    assert found[("cost", "machine")] == pytest.approx(0.34 / 0.01)
    assert found[("context_switches_voluntary", "server")] == 757 - 28
    assert found[("context_switches_involuntary", "server")] == 2340 - 81
    assert ("context_switches_voluntary", "server-load") not in found
    assert ("cost", "client-load") not in found


@pytest.mark.parametrize(
    ("end", "cpu", "share"),
    [
        ("server", 0.179785357 - 0.11568419, 0.01 / 0.06),
        ("client", 0.207393919 - 0.11602317, 0.03 / 0.09),
        ("server-load", 0.081839003 - 0.072679355, 0.0),
        ("client-load", 0.047995331 - 0.037625181, 1.0),
    ],
)
def test_the_exact_total_is_split_as_the_tick_saw_it(raw: Raw, end: str, cpu: float, share: float) -> None:
    found = table(readings(raw("transfer.json")["load"], 10_000_000))
    assert found[("cpu_user", end)] == pytest.approx(cpu * share)
    assert found[("cpu_system", end)] == pytest.approx(cpu * (1 - share))
    if end in ("server", "client"):
        assert found[("cost", end)] == pytest.approx(cpu / 0.01)


def test_less_than_a_tick_is_not_lost(raw: Raw) -> None:
    load = raw("transfer.json")["load"]
    for key in ("user", "system"):
        load["after"]["ends"]["server"][key] = load["before"]["ends"]["server"][key]
    found = table(readings(load, 10_000_000))
    assert found[("cpu_user", "server")] + found[("cpu_system", "server")] == pytest.approx(0.064101167)


def test_nice_is_user(raw: Raw) -> None:
    load = raw("transfer.json")["load"] | {"stderr": bracket("0 0 0 0 0 0 0 0", "100 50 0 0 0 0 0 0")}
    found = table(readings(load, 1e9))
    assert found[("cpu_user", "machine")] == 1.5
    assert found[("cost", "machine")] == 1.5


@pytest.mark.parametrize(("idle", "cost"), [(0, 2.0), (99, 1.01), (101, None), (240, None)])
def test_where_time_is_counted_a_machine_that_mostly_idled_has_no_cost(raw: Raw, idle: int, cost: float | None) -> None:
    """The kernel may report more idle time than there was time: a cost would be less than nothing."""
    load = raw("transfer.json")["load"] | {"stderr": bracket("0 0 0 0 0 0 0 0", f"100 0 0 {idle} 0 0 0 0")}
    found = table(readings(load, 1e9, counted=True))
    assert found.get(("cost", "machine")) == (cost and pytest.approx(cost))
    assert ("cost", "server") in found
    assert table(readings(load, 1e9))[("cost", "machine")] == 1.0


def test_nothing_transferred_costs_nothing_by_the_gigabyte(raw: Raw) -> None:
    assert not [row for row in readings(raw("transfer.json")["load"], 0) if row.metric == "cost"]


def test_units(raw: Raw) -> None:
    units = {row.metric: row.unit for row in readings(raw("transfer.json")["load"], 10_000_000)}
    assert {units[metric] for metric in units if metric.startswith("cpu_")} == {"s"}
    assert (units["cost"], units["payload"], units["wall"]) == ("s/GB", "B", "s")
    assert units["context_switches_voluntary"] == "count"


def ledger(*, others: float = 0.0, threads: float = 0.0, user: float = 0.25, **ends: float) -> list[Reading]:
    """Two seconds on two processors: CPU seconds of `ends`, `user` of it in user space, and of everybody else."""
    spent = {"server": 0.0, "client": 0.0, "server-load": 0.0, "client-load": 0.0}
    spent |= {end.replace("_", "-"): value for end, value in ends.items()}
    rows = [Reading("wall", "s", "machine", 2.0), Reading("cpu_kernel_threads", "s", "machine", threads)]
    for end, value in spent.items():
        rows += [Reading("cpu_user", "s", end, value * user), Reading("cpu_system", "s", end, value * (1 - user))]
    busy = sum(spent.values()) + threads + others
    shares = {"user": busy / 4, "system": busy / 2, "softirq": busy / 4, "idle": 4 - busy}
    return rows + [Reading(f"cpu_{state}", "s", "machine", shares.get(state, 0.0)) for state in MACHINE]


def carried(rows: list[Reading], seconds: float) -> list[Reading]:
    """A load whose data flowed for so long, of the two seconds."""
    return [*rows, Reading("payload", "B", "machine", 1e6), Reading("throughput", "Mbit/s", "client", 8 / seconds)]


@pytest.mark.parametrize(
    ("rows", "limit"),
    [
        (ledger(server=1.6), "cpu:server"),
        (ledger(client=2.0), "cpu:client"),
        (ledger(server=1.7, client=1.9), "cpu:client"),
        (ledger(client=1.9, client_load=1.9), "cpu:client"),
        (ledger(server=1.5, client=1.5, server_load=0.5), "cpu:machine"),
        (ledger(client_load=1.6, user=0.6), "generator"),
        (ledger(server_load=1.6, user=0.6), "generator"),
        (ledger(server_load=1.6), KERNEL),
        (ledger(client_load=0.4, threads=1.7), KERNEL),
        (ledger(server=1.1, client=1.1, client_load=1.1), "other"),
        (ledger(server=1.3), "other"),
        (carried(ledger(server=1.3), seconds=1.6), "cpu:server"),
        (carried(ledger(server=1.3), seconds=3.0), "other"),
        (ledger(server=1.6, others=0.23), "cpu:server"),
        (ledger(server=1.6, others=0.25), "foreign"),
        (ledger(others=2.0), "foreign"),
        (ledger(), "other"),
        ([], ""),
        ([Reading("handshake", "s", "client", 0.1)], ""),
    ],
)
def test_the_bottleneck(rows: list[Reading], limit: str) -> None:
    assert bottleneck(rows) == limit


def test_what_others_used() -> None:
    assert foreign(ledger(server=1.0, client_load=0.5, threads=0.25, others=0.5)) == pytest.approx(0.5)
    assert foreign([Reading("handshake", "s", "client", 0.1)]) is None


def test_interrupts_that_a_kernel_accounts_for_apart_are_nobodys() -> None:
    """It reports time as `irq`; what the processes spent is without it."""
    rows = ledger(server=1.0, others=0.5)
    apart = {"cpu_irq": 0.125, "cpu_softirq": -0.0}
    rows = [replace(row, value=row.value + apart.get(row.metric, 0)) if row.end == "machine" else row for row in rows]
    assert foreign(rows) == pytest.approx(0.5 - 1.5 / 4)


def test_nobody_else_uses_a_guest_on_the_instruction_clock() -> None:
    assert bottleneck(ledger(server=1.6, others=0.25), shared=False) == "cpu:server"


def test_several_tunnels_have_no_end_at_its_limit() -> None:
    """Many daemons of one end together used more than one processor's time: none of them need be busy."""
    assert bottleneck(ledger(server=0.3, client=1.6)) == "cpu:client"
    assert bottleneck(ledger(server=0.3, client=1.6), tunnels=16) != "cpu:client"


def test_the_bottleneck_of_a_captured_load(raw: Raw) -> None:
    """The load was captured on a machine that others used, nearly a processor of its two."""
    rows = readings(raw("throughput-up.json")["load"], 115_867_648)
    assert foreign(rows) == pytest.approx(1.93, abs=0.01)
    assert bottleneck(rows) == "foreign"
    alone = {"cpu_user": -1.9, "cpu_idle": 1.9}
    rows = [replace(row, value=row.value + alone.get(row.metric, 0)) if row.end == "machine" else row for row in rows]
    assert bottleneck(rows) == "other"


def test_the_states_close() -> None:
    assert gap(ledger(busy=3), processors=2) == pytest.approx(0)
    assert gap(ledger(busy=3), processors=4) == pytest.approx(0.5)  # half of the processors are not in /proc/stat
    assert gap(ledger(busy=3), processors=1) == pytest.approx(-1)


def test_the_states_of_a_captured_load_close_to_the_tick(raw: Raw) -> None:
    rows = readings(raw("throughput-up.json")["load"], 115_867_648)
    assert abs(gap(rows, processors=2)) < 0.02


def test_kernel_threads_that_come_and_go(raw: Raw) -> None:
    load = raw("transfer.json")["load"]
    load["before"]["kernel_threads"] = {"2": 1.0, "40": 9.0}
    load["after"]["kernel_threads"] = {"2": 1.5, "77": 0.25}
    assert table(readings(load, 10_000_000))[("cpu_kernel_threads", "machine")] == pytest.approx(0.75)
