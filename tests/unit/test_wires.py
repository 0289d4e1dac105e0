# SPDX-License-Identifier: MIT
"""The wires: what a row says and what is said of one that is wrong, netem's words, and what they are held against."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.benches.vpn import proof, requirements
from lab.benches.vpn.bench import choose, planned, told
from lab.benches.vpn.measures import Options, handshake
from lab.benches.vpn.settings import Settings
from lab.benches.vpn.took import Took
from lab.catalog.catalog import Catalog
from lab.catalog.wires import LIMIT, Netem, fits
from lab.core.command import Result
from lab.core.errors import InvalidSample, LabError, Unsupported, UsageError
from lab.testbed.testbed import RANGE_IPV6, in_ipv6
from lab.testbed.wire import Laid

Rows = Callable[[str], Catalog]


@pytest.fixture
def rows(catalog: Catalog, tmp_path: Path) -> Rows:
    """A catalog whose user has a file of wires with this text."""

    def made(text: str) -> Catalog:
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return Catalog(root=catalog.root, ciphers=catalog.ciphers, cables=(catalog.cables[0], path))

    return made


EVERYTHING = """
- wire: mine
  title: all that there is
  delay: 1.5ms
  jitter: 500us
  loss: 0.25%
  duplicate: 0.001%
  reorder: 1%
  rate: 2.5Mbit/s
  limit: 50
  down: {rate: 20Mbit/s, loss: 2%}
  mtu: 1400
"""


def test_the_wires_of_the_lab_and_of_the_user(rows: Rows) -> None:
    catalog = rows("- {wire: mine, title: mine, delay: 1ms}")
    assert list(catalog.wires)[:2] == ["whole", "cut"]
    assert [name for name, wire in catalog.wires.items() if wire.ip == 6] == ["ipv6", "ipv6-cut", "ipv6-only"]
    assert [name for name, wire in catalog.wires.items() if wire.inside == 6] == ["ipv6-inside", "ipv6-only"]
    assert list(catalog.wires)[-1] == "mine"
    assert [name for name, wire in catalog.wires.items() if wire.whole] == [
        "whole",
        "ipv6",
        "ipv6-inside",
        "ipv6-only",
    ]
    assert [name for name, wire in catalog.wires.items() if not wire.shaped] == [
        "whole",
        "cut",
        "jumbo",
        "ipv6",
        "ipv6-cut",
        "ipv6-inside",
        "ipv6-only",
    ]
    assert catalog.wires["dsl"].shaped == ["up", "down"]


def test_netem_is_told_everything_of_each_way(rows: Rows) -> None:
    wire = rows(EVERYTHING).wires["mine"]
    common = ["limit", "50", "delay", "1500000ns", "500000ns"]
    up = [*common, "loss", "0.25%", "duplicate", "0.001%", "reorder", "1%", "rate", "2500000bit", "seed", "7"]
    down = [*common, "loss", "2%", "duplicate", "0.001%", "reorder", "1%", "rate", "20000000bit", "seed", "8"]
    assert (wire.way("up").words(7), wire.way("down").words(8)) == (up, down)
    assert wire.sentence == (
        "all that there is; each packet by itself; "
        "up 2.5Mbit/s, 1.5ms delay, ± 500us jitter, 0.25% lost, 0.001% doubled, 1% out of order, at most 50 packets; "
        "down 20Mbit/s, 1.5ms delay, ± 500us jitter, 2% lost, 0.001% doubled, 1% out of order, at most 50 packets; "
        "MTU 1400"
    )


def test_one_way_may_be_left_alone(rows: Rows) -> None:
    wire = rows("- {wire: mine, title: a title, up: {loss: 1%}}").wires["mine"]
    assert wire.shaped == ["up"]
    assert wire.way("up").words(1) == ["limit", str(LIMIT), "loss", "1%", "seed", "1"]
    assert wire.sentence == "a title; each packet by itself; up 1% lost"


WRONG = {
    "delai: 2ms": "mine.yaml:1: 0.delai: lab knows no such key, got '2ms'; valid keys: delay, jitter, loss, duplicate, "
    "reorder, rate, limit, wire, title, whole, up, down, mtu",
    "up: {mtu: 1400}": "0.up.mtu: lab knows no such key, got 1400; valid keys: delay, jitter, loss, ",
    "delay: 2": "0.delay: 2 is no number with a unit, such as `2ms`; units: ns, us, ms, s",
    "delay: 2m": "0.delay: '2m' is no number with a unit, such as `2ms`; units: ns, us, ms, s",
    "delay: -2ms": "0.delay: '-2ms' is no number with a unit",
    "delay: 11s": "0.delay: at least 1ns and at most 10s is wanted, in steps of the former, got 11s",
    "delay: 0.5ns": "0.delay: at least 1ns and at most 10s is wanted, in steps of the former, got 0.5ns",
    "loss: 0.25": "0.loss: 0.25 is no number with a unit, such as `0.25%`; units: %",
    "loss: 60%": "0.loss: at least 0.0001% and at most 50% is wanted, in steps of the former, got 60%",
    "rate: 20MBit/s": "0.rate: '20MBit/s' is no number with a unit, such as `20Mbit/s`; units: bit/s, kbit/s, Mbit/s, ",
    "limit: 0": "0.limit: at least 1 is wanted, got 0",
    "mtu: 9001": "0.mtu: at most 9000 is wanted, got 9001",
    "delay: 1ms, jitter: 2ms": "0: mine: up: `jitter` is at most the `delay`",
    "delay: 2ms, jitter: 1ms, down: {delay: 500us}": "0: mine: down: `jitter` is at most the `delay`",
    "reorder: 1%": "0: mine: up: `reorder` takes a `delay`",
    "loss: 1%, limit: 5": "0: mine: up: `limit` takes a `delay` or a `rate`",
    "whole: true, delay: 1ms": "0: mine: a `whole` wire does nothing to packets",
    "whole: true, mtu: 1400": "0: mine: a `whole` wire does nothing to packets",
}


@pytest.mark.parametrize("said", WRONG)
def test_a_row_that_is_wrong(rows: Rows, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        _ = rows(f"- {{wire: mine, title: mine, {said}}}").wires
    assert WRONG[said] in caught.value.message
    assert "mine.yaml:1: 0" in caught.value.message


def test_names_of_wires(rows: Rows) -> None:
    with pytest.raises(UsageError, match=r"mine\.yaml:1: 0\.wire: text that matches .* is wanted, got 'My wire'"):
        _ = rows("- {wire: My wire, title: mine}").wires
    with pytest.raises(UsageError, match=r"mine\.yaml: wire named twice: mine$"):
        _ = rows("- {wire: mine, title: one}\n- {wire: mine, title: other}").wires
    with pytest.raises(UsageError, match=r"mine\.yaml: the lab has a wire of that name: dsl$"):
        _ = rows("- {wire: dsl, title: mine}").wires
    with pytest.raises(UsageError, match=r"unknown wire 'dls'\. Did you mean 'dsl'\?") as caught:
        choose(Settings(wires=["dls"]), rows("- {wire: mine, title: mine}"))
    assert caught.value.hint.startswith("valid names: 2ms-0.25pct, 4ms-1pct")
    assert ", mine, " in caught.value.hint


def test_what_the_cells_say_of_a_wire_is_kept(rows: Rows) -> None:
    catalog = rows("- {wire: mine, title: a line, delay: 1ms}")
    wires = catalog.choose_wires(["whole", "mine", "cut"])
    mine, cut = "a line; each packet by itself; 1ms delay each way", "a cable; each packet by itself"
    assert told(wires) == {"wire": {"mine": mine, "cut": cut}}
    assert told(wires[:1]) == {}  # as runs were begun before there was another


SHOWN: dict[str, Any] = {
    "kind": "netem",
    "options": {
        "limit": 50,
        "delay": {"delay": 0.0015, "jitter": 0.0005, "correlation": 0},
        "loss-random": {"loss": 0.00249999, "correlation": 0},
        "duplicate": {"duplicate": 1e-05, "correlation": 0},
        "reorder": {"reorder": 0.01, "correlation": 0},
        "rate": {"rate": 312500, "packetoverhead": 0, "cellsize": 0, "celloverhead": 0},
        "seed": 7, "ecn": False, "gap": 1,
    },
}  # fmt: skip
"""What `tc -j qdisc show` said of it."""


def test_what_is_there_is_held_against_what_was_asked_for(rows: Rows) -> None:
    netem = rows(EVERYTHING).wires["mine"].way("up")
    assert fits(netem, SHOWN) == ""
    assert fits(netem, {"kind": "noqueue", "options": {}}) == "noqueue instead of netem"
    other = SHOWN | {"options": SHOWN["options"] | {"loss-random": {"loss": 0.01}}}
    assert fits(netem, other) == "loss-random.loss 0.01 instead of 0.0025"
    without = SHOWN | {"options": {key: value for key, value in SHOWN["options"].items() if key != "delay"}}
    assert fits(netem, without) == "delay.delay 0 instead of 0.0015"
    assert fits(Netem(limit=50), SHOWN) == "delay.delay 0.0015 instead of 0"


def test_a_wire_that_is_not_as_asked_for_is_no_wire(rows: Rows) -> None:
    """The machine says that there is another delay."""
    wire = rows("- {wire: mine, title: mine, up: {delay: 3ms}}").wires["mine"]
    line = '[{"kind":"netem","options":{"limit":100000,"delay":{"delay":0.004,"jitter":0}}}]'
    asked: list[Any] = []

    def once(image: str, argv: list[str], **options: Any) -> Result:
        asked.append(argv[4:])
        return Result(0, line, "")

    bed = cast(Any, SimpleNamespace(engine=SimpleNamespace(once=once)))
    with pytest.raises(LabError, match=r"^the wire mine is not as asked for, up: delay\.delay 0\.004 instead"):
        Laid(bed, wire, {"server": "7", "client": "9"}, {"server": 1500, "client": 1500}).shape(5)
    assert asked == [["7", "6", "limit", "100000", "delay", "3000000ns", "seed", "5"]]  # where the receiver is


class Machine:
    """An engine whose kernel has netem, or has not."""

    def __init__(self, *, netem: bool, name: str = "host") -> None:
        self.name, self.netem, self.facts = name, netem, {"KernelVersion": "6.18.44"}
        self.probed = 0

    def once(self, image: str, argv: list[str], **options: Any) -> Result:
        if argv == requirements.CONFIG:
            return Result(0, "CONFIG_INET=y\n", "")
        assert (argv[0], argv[-3:]) == ("tc", ["netem", "delay", "1ms"])
        assert options["cap_add"] == ["NET_ADMIN"]
        self.probed += 1
        return Result(0, "", "") if self.netem else Result(2, "", "Error: Specified qdisc kind is unknown.")


LACKS = "kernel 6.18.44 has no netem: CONFIG_NET_SCH_NETEM is not set"


def test_the_kernel_is_asked_for_netem_once_and_only_for_wires_that_take_it(catalog: Catalog) -> None:
    wires = catalog.choose_wires(["whole", "cut", "dsl", "lan"])
    machine = Machine(netem=False)
    assert requirements.lacks_wires(cast(Any, machine), wires) == dict.fromkeys(
        ["dsl", "lan"], f"{LACKS}; try --engine vm"
    )
    assert machine.probed == 1
    assert requirements.lacks_wires(cast(Any, Machine(netem=False, name="vm")), wires)["dsl"] == LACKS
    assert requirements.lacks_wires(cast(Any, Machine(netem=True)), wires) == {}
    machine = Machine(netem=False)
    assert requirements.lacks_wires(cast(Any, machine), wires[:2]) == {}
    assert not machine.probed


def test_cells_on_a_wire_that_the_engine_lacks_are_unsupported(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.benches.vpn.bench.check_images", lambda *_: None)
    monkeypatch.setattr("lab.benches.vpn.bench.requirements.lacks", lambda *_: {})
    settings = Settings(vpns=["alpha"], measures=["throughput"], wires=["whole", "dsl"], ciphers=["all"])
    plan = planned(choose(settings, catalog), cast(Any, Machine(netem=False)))
    assert plan.cells
    assert not any("wire=" in cell.conditions for cell in plan.cells)
    broken = {cell for cell, reason in plan.unsupported.items() if reason == f"{LACKS}; try --engine vm"}
    assert {cell.vpn for cell in broken} == {"bare", "alpha"}
    assert {cell.conditions for cell in broken} == {"direction=up streams=1 wire=dsl"}
    assert {cell for cell in planned(choose(settings, catalog)).cells if "wire=dsl" in cell.conditions} == broken


def test_tunnels_are_shared_on_one_wire_alone(catalog: Catalog) -> None:
    """A tunnel finds its wire there when it comes up, with its MTU."""
    settings = Settings(
        vpns=["alpha"], measures=["throughput", "latency"], wires=["whole", "cut"], engine={"name": "vm"}, blocks=2
    )
    plan = planned(choose(settings, catalog))
    groups = plan.groups(plan.steps())
    assert {len(group) for group in groups} == {3}
    for group in groups:
        assert len({(step.cell.subject, "wire=cut" in step.cell.conditions) for step in group}) == 1
    assert len(groups) == 2 * 2 * len({cell.subject for cell in plan.cells})


def test_a_handshake_is_not_measured_on_a_wire_that_begins_after_it(catalog: Catalog) -> None:
    def tunnel(name: str) -> Any:
        return SimpleNamespace(wire=catalog.wires[name], took=Took(1.0, 1.25, 3000, 4000))

    assert handshake.run(tunnel("cut"), {}, Options())["handshake"] == 0.25
    with pytest.raises(Unsupported, match="a tunnel is up before its wire delays or loses anything"):
        handshake.run(tunnel("lan"), {}, Options())


class TestIPv6:
    """A wire on which the ends speak IPv6: whole or not, with whatever else a wire does."""

    def test_it_is_said_and_takes_a_kernel_that_has_it(self, rows: Rows) -> None:
        wire = rows("- {wire: mine, title: mine, delay: 1ms, ip: 6}").wires["mine"]
        assert wire.sentence == "mine; each packet by itself; IPv6; 1ms delay each way"
        assert [feature.config for feature in wire.needs.kernel] == ["CONFIG_NET_SCH_NETEM", "CONFIG_IPV6"]
        for name in ("ipv6", "ipv6-inside"):
            assert [feature.config for feature in Catalog().wires[name].needs.kernel] == ["CONFIG_IPV6"]
        assert not Catalog().wires["whole"].needs.kernel

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            ("ip: 5", "0.ip: 4 or 6 is wanted, got 5"),
            ("ip: 6, mtu: 1279", "IPv6 takes an `mtu` of at least 1280, got 1279"),
            ("inside: 6, mtu: 1279", "IPv6 takes an `mtu` of at least 1280, got 1279"),
        ],
    )
    def test_what_is_no_wire(self, rows: Rows, row: str, said: str) -> None:
        with pytest.raises(UsageError, match=said):
            _ = rows(f"- {{wire: mine, title: mine, {row}}}").wires

    @pytest.mark.parametrize(
        ("address", "there"), [("198.18.7.2", "2001:2:0:7::2"), ("198.18.255.3", "2001:2:0:ff::3")]
    )
    def test_an_end_has_the_numbers_that_it_has_in_ipv4(self, address: str, there: str) -> None:
        found = in_ipv6(IPv4Address(address))
        assert str(found) == there
        assert found in RANGE_IPV6

    def test_its_packets_are_told_by_their_own_header(self) -> None:
        """Whose packets a capture holds: here, those of an echo that nothing encrypts."""
        marker, sender, far = bytes(range(16)), IPv6Address("2001:2:0:7::2"), IPv6Address("2001:2:0:7::3")
        header = bytes(12) + b"\x86\xdd" + bytes(8)
        packets = [header + sender.packed + far.packed + marker * 63 for _ in range(3)]
        records = b"".join(bytes(8) + struct.pack("<II", len(each), len(each)) + each for each in packets)
        text = base64.b64encode(bytes(24) + records).decode() + "\n---\n"
        assert proof.wire(text, marker, sender, [far], encrypts=False)["packets"] == 3
        with pytest.raises(InvalidSample, match="only 0 to the wire"):
            proof.wire(text, marker, far, [sender], encrypts=False)
