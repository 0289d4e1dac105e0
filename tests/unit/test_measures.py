# SPDX-License-Identifier: MIT
"""The figures in what the tools printed; and the conditions under which each measure is taken."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.benches.vpn import measures
from lab.benches.vpn.measures import (
    Options,
    Timed,
    cost,
    datagrams,
    flood,
    handshake,
    latency,
    nuttcp,
    throughput,
    transfer,
)
from lab.core.errors import InvalidSample, LabError, Unsupported, UsageError
from lab.results.reading import Reading

Captured = Callable[[str], str]
Raw = Callable[[str], dict[str, Any]]


def figures(readings: list[Reading]) -> dict[tuple[str, str], float]:
    table = {(reading.metric, reading.end): reading.value for reading in readings}
    assert len(table) == len(readings)
    return table


def iperf3(text: str, direction: str) -> dict[str, Any]:
    return {"load": {"stdout": text}, "direction": direction}


def test_every_measure_has_what_a_measure_needs() -> None:
    every = measures.every()
    assert sorted(every) == [
        "cost",
        "datagrams",
        "flood",
        "handshake",
        "latency",
        "nuttcp",
        "profile",
        "setup",
        "throughput",
        "transfer",
    ]
    for measure in every.values():
        assert measure.TITLE
        assert measure.FIGURES
        assert measure.conditions(measure.Options())


def test_an_unknown_measure() -> None:
    assert list(measures.choose(["transfer", "latency"])) == ["transfer", "latency"]
    with pytest.raises(UsageError, match=r"unknown measure 'latencies'\. Did you mean 'latency'") as caught:
        measures.choose(["transfer", "latencies"])
    assert (
        caught.value.hint
        == "valid names: cost, datagrams, flood, handshake, latency, nuttcp, profile, setup, throughput, transfer"
    )


def test_conditions() -> None:
    assert throughput.conditions(throughput.Options(streams=[1, 4], directions=["up", "down"])) == [
        "direction=up streams=1",
        "direction=up streams=4",
        "direction=down streams=1",
        "direction=down streams=4",
    ]
    assert transfer.conditions(transfer.Options(size=1000)) == ["size=1000"]
    assert latency.conditions(Timed()) == ["load=none", "load=busy"]
    assert handshake.conditions(Options()) == [""]
    assert datagrams.conditions(datagrams.Options(directions=["up", "down"])) == [
        "direction=up size=64",
        "direction=up size=1400",
        "direction=down size=64",
        "direction=down size=1400",
    ]
    assert cost.conditions(cost.Options(sizes=[512])) == ["size=512"]


def test_throughput_is_the_receivers(raw: Raw) -> None:
    table = figures(throughput.parse(raw("throughput-up.json")))
    assert table == {
        ("throughput", "server"): pytest.approx(462.959716, rel=1e-6),
        ("retransmits", "client"): 15461,
        ("payload", "machine"): 115867648,
    }


@pytest.mark.parametrize(
    ("file", "mbit", "retransmits", "payload"),
    [
        ("up-4", 699.138931, 17792, 175112192),
        ("down-1", 670.184023, 14867, 167641088),
        ("down-4", 752.693947, 19614, 188350464),
    ],
)
def test_throughput_by_direction_and_streams(
    captured: Captured, file: str, mbit: float, retransmits: int, payload: int
) -> None:
    text, direction = captured(f"iperf3/{file}.json"), file.partition("-")[0]
    sender, receiver = ("client", "server") if direction == "up" else ("server", "client")
    received = json.loads(text)["end"]["sum_received"]
    assert mbit == pytest.approx(received["bytes"] * 8 / received["seconds"] / 1e6)
    assert figures(throughput.parse(iperf3(text, direction))) == {
        ("throughput", receiver): pytest.approx(mbit),
        ("retransmits", sender): retransmits,
        ("payload", "machine"): payload,
    }


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("refused", "iperf3: unable to connect to server.*Connection refused"),
        ("busy", "iperf3: the server is busy running a test"),
        ("interrupted", "iperf3: interrupt - the client has terminated"),
    ],
)
def test_an_error_of_iperf3_is_no_figure(captured: Captured, file: str, said: str) -> None:
    with pytest.raises(LabError, match=said):
        throughput.parse(iperf3(captured(f"iperf3/{file}.json"), "up"))


def test_nothing_received_is_no_throughput(captured: Captured) -> None:
    document = json.loads(captured("iperf3/up-4.json"))
    document["end"]["sum_received"] |= {"bytes": 0, "bits_per_second": 0}
    with pytest.raises(InvalidSample, match="received nothing"):
        throughput.parse(iperf3(json.dumps(document), "up"))


def test_output_cut_short_is_no_figure(captured: Captured) -> None:
    with pytest.raises(json.JSONDecodeError):
        throughput.parse(iperf3(captured("iperf3/up-4.json")[:2000], "up"))


@pytest.mark.parametrize(
    ("direction", "receiver", "rate", "payload"),
    [("up", "server", 9493.5032, 1215099621), ("down", "client", 6603.469, 826474496)],
)
def test_a_second_generator(captured: Captured, direction: str, receiver: str, rate: float, payload: int) -> None:
    text = captured(f"nuttcp/{direction}.txt")
    sample = {"load": {"stdout": text}, "direction": direction}
    assert figures(nuttcp.parse(sample)) == {("nuttcp_rate", receiver): rate, ("payload", "machine"): payload}


def test_a_second_generator_without_a_rate() -> None:
    with pytest.raises(LabError, match="nuttcp reported no rate, but 'bad hostname'"):
        nuttcp.parse({"load": {"stdout": "bad hostname\n"}, "direction": "up"})
    text = "megabytes=0.0000 real_seconds=1.00 rate_Mbps=0.0000 tx_cpu=0 rx_cpu=0\n"
    with pytest.raises(InvalidSample, match="received nothing"):
        nuttcp.parse({"load": {"stdout": text}, "direction": "up"})


def test_the_highest_rate_that_passed(raw: Raw) -> None:
    sample = raw("datagrams.json")
    table = figures(datagrams.parse(sample))
    received = json.loads(sample["load"]["stdout"])["end"]["sum_received"]
    assert received["lost_packets"] == 0
    assert table == {
        ("datagram_rate", "client"): pytest.approx(received["bits_per_second"] / 1e6, rel=1e-6),
        ("datagrams_per_second", "client"): pytest.approx(received["packets"] / received["seconds"], rel=1e-6),
        ("jitter", "client"): received["jitter_ms"],
        ("loss", "client"): 0,
        ("payload", "machine"): 36 * received["packets"],
    }
    assert table[("datagram_rate", "client")] == pytest.approx(1.441, rel=1e-3)


def test_what_was_lost_in_each_trial(raw: Raw) -> None:
    trials = [datagrams.Trial.read(each["asked"], each["stdout"]) for each in raw("datagrams.json")["trials"]]
    assert [each.passed for each in trials] == [False, True, True, False]
    assert [each.held_back for each in trials] == [True, False, False, False]
    assert [each.loss for each in trials] == [pytest.approx(32031 / 39018), 0, 0, pytest.approx(413 / 5049)]
    assert trials[0].sent > 5 * trials[0].received > 0


def test_no_rate_that_passes_is_no_figure(raw: Raw) -> None:
    sample = raw("datagrams.json")
    del sample["load"]
    sample["trials"] = sample["trials"][:1]
    with pytest.raises(
        InvalidSample, match=r"at most 0.1% of all datagrams are lost: of 12\.5 Mbit/s, .* 82\.1% were lost"
    ):
        datagrams.parse(sample)


@pytest.mark.parametrize("kept", [1.0, 0.6, 0.05], ids=["as-much", "less", "nearly-nothing"])
@pytest.mark.parametrize("capacity", [1e6, 83e6, 640e6])
def test_a_search_finds_what_a_tunnel_carries(capacity: float, kept: float) -> None:
    """`kept`: of what it can carry, when it gets twice as much, since it works for what it loses, too."""
    generator = 900e6
    rates = datagrams.search()
    asked, passed, count = next(rates), 0.0, 0
    while asked is not None:
        sent = min(asked or generator, generator)
        over = max(0.0, sent / capacity - 1)
        received = sent if not over else capacity * max(kept, 1 - over * (1 - kept))
        trial = datagrams.Trial(asked, sent, received, 1, 1 - received / sent, 0, 36)
        passed, count = max(passed, sent if trial.passed else 0), count + 1
        asked = rates.send(trial)
    assert capacity / datagrams.PRECISION <= passed <= capacity * 1.001
    assert count <= datagrams.TRIALS


def test_a_generator_may_be_slower_than_the_tunnel() -> None:
    rates = datagrams.search()
    assert next(rates) == 0
    assert rates.send(datagrams.Trial(0, 5e8, 5e8, 1, 0, 0, 36)) is None


def test_a_search_ends_though_nothing_passes() -> None:
    rates = datagrams.search()
    asked = [next(rates)]
    while asked[-1] is not None:
        asked.append(rates.send(datagrams.Trial(asked[-1], 1e8, 1e7, 1, 0.9, 0, 36)))
    assert len(asked) == datagrams.TRIALS + 1


def test_transfer(raw: Raw) -> None:
    table = figures(transfer.parse(raw("transfer.json")))
    seconds = 1795412322.539634 - 1795412322.336623
    assert table[("duration", "client")] == pytest.approx(seconds)
    assert table[("throughput", "server")] == pytest.approx(80 / seconds)
    assert table[("payload", "machine")] == 10_000_000
    assert table[("syscall:sendto", "client")] == 8958
    assert table[("syscall:recvfrom", "server")] == 7229
    assert table[("syscall:poll", "server")] == 10605


def echoes(text: str, stream: str | None = None) -> dict[str, Any]:
    """What `latency` returns of a ping that said so, beside a stream if there was one."""
    said = text if stream is None else f"{text}\n---\n{stream}\n"
    return {"echoes": {"stdout": said}, "busy": stream is not None}


@pytest.mark.parametrize(
    ("file", "p50", "p90", "p99", "loss"),
    [("idle", 0.3515, 0.9057, 1.7613, 0), ("busy", 1.89, 4.502, 9.1633, 0), ("lossy", 0.319, 1.247, 3.9893, 0.5)],
)
def test_latency(captured: Captured, file: str, p50: float, p90: float, p99: float, loss: float) -> None:
    table = figures(latency.parse(echoes(captured(f"ping/{file}.txt"), "{}" if file == "busy" else None)))
    assert table == {
        ("rtt_p50", "client"): pytest.approx(p50, rel=1e-4),
        ("rtt_p90", "client"): pytest.approx(p90, rel=1e-4),
        ("rtt_p99", "client"): pytest.approx(p99, rel=1e-4),
        ("loss", "client"): pytest.approx(loss),
    }


@pytest.mark.parametrize(("text", "count"), [(None, 0), ("", 0)])
def test_too_few_echoes_are_no_percentiles(captured: Captured, text: str | None, count: int) -> None:
    with pytest.raises(InvalidSample, match=f"only {count} echoes came back"):
        latency.parse(echoes(captured("ping/silent.txt") if text is None else text))


def test_nine_echoes_are_too_few_and_ten_are_not(captured: Captured) -> None:
    head, _, tail = captured("ping/lossy.txt").partition("\n\n")
    lines = head.splitlines()[1:]
    with pytest.raises(InvalidSample, match="only 9 echoes"):
        latency.parse(echoes("\n".join([*lines[:9], "", tail])))
    assert figures(latency.parse(echoes("\n".join([*lines[:10], "", tail]))))[("loss", "client")] == 0.75


@pytest.mark.parametrize(
    ("condition", "argv"),
    [
        ("none", ["ping", "-n", "-i", "0.01", "-c", "500", "198.19.0.1"]),
        ("busy", ["busy", "198.19.0.1", "7", "ping", "-n", "-i", "0.01", "-c", "500", "198.19.0.1"]),
    ],
)
def test_a_ping_is_a_load_that_is_watched(condition: str, argv: list[str]) -> None:
    tunnel = SimpleNamespace(address=lambda end: "198.19.0.1", load=lambda argv, timeout: {"argv": argv})
    raw = latency.run(cast(Any, tunnel), {"load": condition}, Timed())
    assert raw == {"echoes": {"argv": argv}, "busy": condition == "busy"}


def test_handshake() -> None:
    assert handshake.parse({"handshake": 0.25}) == [Reading("handshake", "s", "client", 0.25)]
    assert handshake.parse({"handshake": 0.25, "exchanged": {"sent": 4000, "received": 3000}})[1:] == [
        Reading("handshake_bytes", "B", "client", 7000)
    ]


def test_latency_under_no_load_is_not_under_load(captured: Captured) -> None:
    text = captured("ping/busy.txt")
    with pytest.raises(InvalidSample, match="there was no load to wait under: unable to connect"):
        latency.parse(echoes(text, '{"error": "unable to connect"}'))
    assert latency.parse(echoes(text, "{}"))


def test_what_openvpn_left_to_two_clients_beside_a_third_that_floods(raw: Raw) -> None:
    table = figures(flood.parse(raw("flood.json")))
    assert table == {
        ("calm", "server"): pytest.approx(349.917, abs=0.001),
        ("beside", "server"): pytest.approx(16.432, abs=0.001),
        ("kept", "server"): pytest.approx(16.4316 / 349.917, rel=1e-4),
        ("flood", "server"): pytest.approx(149.037, abs=0.001),
        ("fairness", "server"): pytest.approx(1, abs=0.001),
        ("payload", "machine"): 74828880 + 2 * 1048576,
    }


def test_a_flood_that_starves_all_others_leaves_nothing(raw: Raw) -> None:
    sample = raw("flood.json")
    reports = [json.loads(report) for report in throughput.reports(sample["load"]["stdout"])]
    for report in reports[:-1]:
        report["end"]["sum_received"] |= {"bytes": 0, "bits_per_second": 0}
    starved = sample | {"load": sample["load"] | {"stdout": "".join(map(json.dumps, reports))}}
    table = figures(flood.parse(starved))
    assert table[("kept", "server")] == 0
    assert ("fairness", "server") not in table


def test_a_flood_takes_a_second_tunnel() -> None:
    assert flood.conditions(flood.Options(tunnels=[1, 3, 100])) == [
        "tunnels=1",
        "loads=3 tunnels=3",
        "loads=16 tunnels=100",
    ]
    tunnel = SimpleNamespace(clients=None, loaded=(1,))
    with pytest.raises(Unsupported, match="--tunnels 2"):
        flood.run(cast(Any, tunnel), {"tunnels": "1"}, flood.Options())
