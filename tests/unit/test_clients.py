# SPDX-License-Identifier: MIT
"""Many clients of one server: their addresses, what each says, and what a load through several tunnels proves."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from frames import cell, control, frame, summary
from pydantic import ValidationError

from lab.benches.vpn import cells, clients, proof
from lab.benches.vpn.bench import choose, planned
from lab.benches.vpn.measures import Many, setup, throughput
from lab.benches.vpn.settings import Settings
from lab.benches.vpn.took import Took
from lab.benches.vpn.views import contents, curve_plot, curves
from lab.catalog.catalog import Catalog
from lab.core.command import Result
from lab.core.errors import InvalidSample, LabError
from lab.report import plots
from lab.results.cell import Cell
from lab.testbed import credentials, topology
from lab.testbed.testbed import prefix_for

DATA = Path(__file__).parents[1] / "data" / "tunnels"
THREE = range(1, 4)


@pytest.fixture
def loaded() -> dict[str, Any]:
    """A load up through three tunnels of OpenVPN."""
    raw: dict[str, Any] = json.loads((DATA / "throughput-3.json").read_text(encoding="utf-8"))
    return raw


class TestNames:
    def test_addresses_follow_each_other(self) -> None:
        assert clients.address("198.19.0.2", 1) == "198.19.0.2"
        assert clients.address("198.19.0.2", 255) == "198.19.1.0"

    @pytest.mark.parametrize(("count", "length"), [(1, 24), (252, 24), (253, 23), (1000, 22)])
    def test_a_wire_has_an_address_for_each(self, count: int, length: int) -> None:
        assert prefix_for(count) == length

    def test_answers_of_each(self) -> None:
        text = "one\ntwo\nclient 1 0\n\nclient 2 7\nthree\nclient 16 0\n"
        assert clients.answers(text) == {1: Result(0, "one\ntwo", ""), 2: Result(7, "", ""), 16: Result(0, "three", "")}

    def test_times(self) -> None:
        told = Result(0, "1 10.5 11.0 900 800\n2 10.6 12.0 900 800\n", "")
        assert clients.took(told) == [Took(10.5, 11.0, 900, 800), Took(10.6, 12.0, 900, 800)]


def test_each_client_has_secrets_of_its_own_and_the_server_knows_all() -> None:
    files = credentials.make(3)
    own = [files["client"][name] for name in ("end.key", "clients/2/end.key", "clients/3/end.key")]
    curves_own = [files["client"][name] for name in ("x25519.key", "clients/2/x25519.key", "clients/3/x25519.key")]
    assert len({*own, files["server"]["end.key"]}) == len({*curves_own, files["server"]["x25519.key"]}) == 4
    for folder in ("clients/2", "clients/3"):
        assert files["server"][f"{folder}/peer.crt"] == files["client"][f"{folder}/end.crt"]
        assert files["server"][f"{folder}/peer-x25519.pub"] == files["client"][f"{folder}/x25519.pub"]
        assert files["client"][f"{folder}/peer.crt"] == files["server"]["end.crt"]
    assert not [name for name in files["server"] if name.startswith("clients/") and name.endswith("key")]


def test_only_the_client_of_many_may_make_networks() -> None:
    services = topology.load().resolve({}).services
    more = {
        role: set(service.for_many().cap_add) - set(service.cap_add)
        for role, service in services.items()
        if service.for_many() != service
    }
    assert more == {"server": set(), "client": {"SYS_ADMIN", "SETPCAP"}, "client-load": {"SYS_ADMIN"}, "meter": set()}
    assert services["client"].for_many().cap_drop == ["ALL"]


class TestProof:
    def test_all_and_the_share_of_each(self, loaded: dict[str, Any]) -> None:
        whole = clients.together(loaded["load"], THREE)
        proof.moved(whole, "tun0", sum(loaded["shares"]), "up")
        proof.counted(whole, sum(loaded["shares"]), "up")
        proof.explained(whole, sum(loaded["shares"]), "up")
        views = clients.views(loaded["load"], THREE)
        assert list(views) == ["client", "client-2", "client-3"]
        for view, share in zip(views.values(), loaded["shares"], strict=True):
            proof.moved(view, "tun0", share, "up")
            proof.counted(view, share, "up")

    def test_a_share_that_went_another_way(self, loaded: dict[str, Any]) -> None:
        load = deepcopy(loaded["load"])
        before, after = (load[when]["ends"]["client-2"]["interfaces"] for when in ("before", "after"))
        after["tun0"] = before["tun0"]
        view = clients.views(load, THREE)["client-2"]
        with pytest.raises(InvalidSample, match="from client to server, but tun0 saw only 0 of them"):
            proof.moved(view, "tun0", loaded["shares"][1], "up")
        with pytest.raises(InvalidSample, match="tun0 saw only"):
            proof.moved(clients.together(load, THREE), "tun0", sum(loaded["shares"]), "up")

    def test_a_share_that_the_vpn_did_not_count(self, loaded: dict[str, Any]) -> None:
        load = deepcopy(loaded["load"])
        load["counters"]["after"]["server of client-3"] = load["counters"]["before"]["server of client-3"]
        with pytest.raises(InvalidSample, match="the VPN's own counters saw only 0"):
            proof.counted(clients.views(load, THREE)["client-3"], loaded["shares"][2], "up")

    def test_the_interfaces_of_a_server_are_one(self) -> None:
        table = {name: {"rx_bytes": 1, "tx_bytes": 2} for name in ("lo", "eth0", "tun0", "tun12")}
        proof.fold(table, "tun0", None)
        assert len(table) == 4
        proof.fold(table, "tun0", r"tun\d+")
        assert table.keys() == {"lo", "eth0", "tun0"}
        assert table["tun0"] == {"rx_bytes": 2, "tx_bytes": 4}


class TestMeasures:
    def test_throughput_is_of_all(self, loaded: dict[str, Any]) -> None:
        value = {reading.metric: reading.value for reading in throughput.parse(loaded)}
        assert value["payload"] == sum(loaded["shares"])
        assert value["throughput"] == pytest.approx(248.4, abs=0.1)
        assert value["fairness"] == pytest.approx(0.867, abs=0.001)

    def test_one_that_carried_nothing(self, loaded: dict[str, Any]) -> None:
        reports = [json.loads(report) for report in throughput.reports(loaded["load"]["stdout"])]
        reports[1]["end"]["sum_received"]["bytes"] = 0
        loaded["load"]["stdout"] = "\n".join(map(json.dumps, reports))
        with pytest.raises(InvalidSample, match="received nothing"):
            throughput.parse(loaded)

    def test_one_that_failed(self, loaded: dict[str, Any]) -> None:
        loaded["load"]["stdout"] += '{"error": "unable to connect"}'
        with pytest.raises(LabError, match="unable to connect"):
            throughput.parse(loaded)

    def test_fairness(self) -> None:
        assert throughput.fairness([5.0, 5.0, 5.0]) == pytest.approx(1)
        assert throughput.fairness([9.0, 0.0, 0.0]) == pytest.approx(1 / 3)
        assert throughput.fairness([1.0, 3.0]) == pytest.approx(16 / 20)

    def test_setup(self) -> None:
        raw = json.loads((DATA / "setup-3.json").read_text(encoding="utf-8"))
        value = {(reading.metric, reading.end): reading.value for reading in setup.parse(raw)}
        times, ends = raw["setup"]["times"], {when: raw["setup"][when]["ends"] for when in ("before", "after")}
        assert value["ready", "client"] == max(end for _, end in times) - times[0][0]
        assert value["handshakes", "client"] == pytest.approx(3 / value["ready", "client"])
        assert value["memory", "client"] == pytest.approx(1.98, abs=0.01)
        for end in ("server", "client"):
            cpu = ends["after"][end]["cpu"] - ends["before"][end]["cpu"]
            assert value["setup_cpu", end] == pytest.approx(cpu / 3)

    def test_memory_that_nobody_accounts_for(self) -> None:
        raw = json.loads((DATA / "setup-3.json").read_text(encoding="utf-8"))
        for when in ("before", "after"):
            del raw["setup"][when]["ends"]["server"]["memory"]
        ends = [reading.end for reading in setup.parse(raw) if reading.metric == "memory"]
        assert ends == ["machine", "client"]

    def test_conditions(self) -> None:
        options = throughput.Options(tunnels=[1, 10, 100], loads=16)
        assert throughput.conditions(options) == [
            "direction=up streams=1",
            "direction=up loads=10 streams=1 tunnels=10",
            "direction=up loads=16 streams=1 tunnels=100",
        ]
        assert setup.conditions(Many(tunnels=[1, 10])) == ["tunnels=1", "tunnels=10"]


class TestPlan:
    def test_what_a_number_of_tunnels_is_not_for(self) -> None:
        words = {"vpns": ["tinc", "openvpn"], "variants": ["udp"], "ciphers": ["aes-128-cbc-sha1"]}
        load = {"measures": ["throughput"], "tunnels": [1, 3], "wires": ["whole", "cut"]}
        settings = Settings.model_validate(words | load)
        plan = planned(choose(settings, Catalog()))
        reasons = {(each.vpn, each.conditions): reason for each, reason in plan.unsupported.items()}
        many = "direction=up loads=3 streams=1 tunnels=3"
        assert reasons["tinc", many] == "the server of tinc has one client here (vpn.yaml: `many`)"
        assert reasons["openvpn", f"{many} wire=cut"] == "more than one tunnel takes the wire `whole`"
        assert {(each.vpn, each.conditions) for each in plan.cells if each.vpn != "plain"} == {
            (vpn, f"direction=up streams=1{wire}") for vpn in ("tinc", "openvpn") for wire in ("", " wire=cut")
        } | {("openvpn", many)}
        assert cells.most(plan.cells) == 3

    def test_tunnels_of_a_cell(self) -> None:
        assert cells.tunnels_of(Cell("a", "udp", "x", "throughput", "direction=up streams=1")) is None
        assert cells.tunnels_of(Cell("a", "udp", "x", "setup", "tunnels=10")) == 10

    @pytest.mark.parametrize("count", [0, 1001])
    def test_numbers_that_cannot_be(self, count: int) -> None:
        with pytest.raises(ValidationError):
            Settings.model_validate({"tunnels": [count]})


class TestViews:
    def run(self, *numbers: int) -> Any:
        rows = control([900.0])
        for count in numbers:
            many = f" tunnels={count}" if count > 1 else ""
            conditions = f"direction=up{f' loads={count}' if count > 1 else ''} streams=1{many}"
            rows += cell("a", "x", [100.0 / count], conditions=conditions)
            ready = {"measure": "setup", "conditions": f"tunnels={count}", "metric": "ready", "unit": "s"}
            rows += cell("a", "x", [2.0 * count], end="client", **ready)
        return summary(frame(rows), {"controls": ["plain"]})

    def test_a_row_for_each_number(self) -> None:
        (table,) = curves.tables(self.run(1, 10, 100))
        shown = [dict(zip(table.columns, (each.text for each in row), strict=False)) for row in table.rows]
        figures = [[row[name] for name in ("tunnels", "Mbit/s", "all up, s")] for row in shown if row["suite"] == "x"]
        assert figures == [["1", "100", "2.00"], ["10", "10.0", "20.0"], ["100", "1.00", "200"]]
        assert table.title in [each.title for each in contents.build(self.run(1, 10, 100))]

    def test_a_picture_only_of_more_than_one_number(self) -> None:
        assert not list(curve_plot.pictures(self.run(10)))
        ((name, picture),) = curve_plot.pictures(self.run(1, 10))
        assert name == "tunnels x"
        drawn = json.dumps(plots.spec(picture))
        assert '"type": "log"' in drawn
        assert "time until all are up, s" in drawn

    def test_nothing_of_a_run_without(self) -> None:
        run = summary(frame(control([900.0]) + cell("a", "x", [100.0])), {"controls": ["plain"]})
        assert curves.tables(run) == []
        assert not list(curve_plot.pictures(run))
