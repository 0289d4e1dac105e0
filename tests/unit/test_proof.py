# SPDX-License-Identifier: MIT
"""Is the data path proved? Judged on captures of a tunnel that encrypts, and of one that does not."""

import base64
import json
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

import pytest

from lab.benches.vpn import proof
from lab.core.errors import InvalidSample

Captured = Callable[[str], str]
Raw = Callable[[str], dict[str, Any]]


SENDER, FAR = IPv4Address("198.18.32.2"), IPv4Address("198.18.32.3")
"""The server, where the captures were taken."""


def marker(captured: Captured, name: str) -> bytes:
    return bytes.fromhex(captured(f"wire-proof/{name}.marker"))


@pytest.mark.parametrize(
    ("pattern", "text", "said"),
    [
        (r"cipher (\S+)", "cipher A\n", ("A", "")),
        (r"cipher (\S+) auth (\S+)", "cipher A auth B\n", ("A+B", "")),
        (r"cipher (\S+)(?: auth (\S+))?", "cipher A\n", ("A", "")),
        (r"cipher (\S+)", "cipher A\nrekeyed\ncipher B\n", ("B", "")),
        (r"^cipher (\S+)$", "x\ncipher A\ny\n", ("A", "")),
        (r"cipher (\S+)", "nothing of the kind", ("", "")),
        (r"(?P<session>\d+) cipher (\S+) auth (\S+)", "7 cipher A auth B", ("A+B", "7")),
        (r"(?:(?P<session>\d+) )?cipher (\S+)", "cipher A", ("A", "")),
    ],
    ids=["one", "two", "optional", "the-last-counts", "by-line", "no-match", "session", "no-session"],
)
def test_the_suite_and_the_session(pattern: str, text: str, said: tuple[str, str]) -> None:
    assert proof.session(pattern, text) == said


def test_named() -> None:
    pattern = r"in (?P<rx>\d+) out (?P<tx>\d+)"
    assert proof.named(pattern, "in 1 out 2\nin 3 out 4") == {"rx": 3, "tx": 4}
    assert proof.named(pattern, "no such thing") == {}


def test_ciphertext(captured: Captured) -> None:
    seen = proof.wire(captured("wire-proof/encrypted.txt"), marker(captured, "encrypted"), SENDER, [FAR], encrypts=True)
    assert seen["packets"] >= 6
    assert seen["bytes"] > proof.ECHO_BYTES
    assert seen["cleartext"] is False


def test_cleartext(captured: Captured) -> None:
    text, mark = captured("wire-proof/clear.txt"), marker(captured, "clear")
    assert proof.wire(text, mark, SENDER, [FAR], encrypts=False) == {
        "tunnels": 1, "packets": 6, "bytes": 6252, "cleartext": True}  # fmt: skip


def test_a_marker_in_the_clear_is_found(captured: Captured) -> None:
    with pytest.raises(InvalidSample, match="crossed the wire in the clear"):
        proof.wire(captured("wire-proof/clear.txt"), marker(captured, "clear"), SENDER, [FAR], encrypts=True)


def test_a_null_suite_must_show_the_marker(captured: Captured) -> None:
    """Which shows that the look at the wire can fail."""
    with pytest.raises(InvalidSample, match="was not seen on the wire"):
        proof.wire(captured("wire-proof/encrypted.txt"), marker(captured, "encrypted"), SENDER, [FAR], encrypts=False)


def test_packets_past_the_tunnel_are_named(captured: Captured) -> None:
    with pytest.raises(
        InvalidSample, match=r"went past the tunnel: \d\d:.* IP 198\.18\.\d+\.\d+\.\d+ > 198\.18"
    ) as caught:
        proof.wire(
            captured("wire-proof/stray.txt"), marker(captured, "stray"), SENDER, [FAR], encrypts=True, hint="only esp"
        )
    assert caught.value.hint == "only esp"


def test_a_wire_that_carried_less_than_the_tunnel(captured: Captured) -> None:
    """Only the file header and the first packets of the capture: traffic took another way."""
    data = base64.b64decode(captured("wire-proof/encrypted.txt").partition("\n---\n")[0])
    first = 24 + 16 + len(proof.pcap(data)[0])
    less = base64.b64encode(data[:first]).decode() + "\n---\n"
    with pytest.raises(InvalidSample, match=r"3000 bytes went into the tunnel, but only 1094 to the wire"):
        proof.wire(less, marker(captured, "encrypted"), SENDER, [FAR], encrypts=True)


def test_replies_do_not_stand_for_what_was_sent(captured: Captured) -> None:
    """Three replies by the wire are as long as three requests; the requests went elsewhere."""
    text, mark = captured("wire-proof/encrypted.txt"), marker(captured, "encrypted")
    with pytest.raises(InvalidSample, match=r"3000 bytes went into the tunnel, but only 0 to the wire"):
        proof.wire(text, mark, IPv4Address("198.18.32.4"), [FAR], encrypts=True)


def test_replies_may_be_opened_before_a_capture_sees_them(captured: Captured) -> None:
    """As GRO of ESP does: what is left of the capture is what this end sent."""
    data = base64.b64decode(captured("wire-proof/encrypted.txt").partition("\n---\n")[0])
    sent, offset = [data[:24]], 24
    for packet in proof.pcap(data):
        record = data[offset : (offset := offset + 16 + len(packet))]
        sent += [record] if packet[proof.ADDRESSES[4]] == SENDER.packed + FAR.packed else []
    text = base64.b64encode(b"".join(sent)).decode() + "\n---\n"
    assert proof.wire(text, marker(captured, "encrypted"), SENDER, [FAR], encrypts=True)["packets"] == 3


@pytest.mark.parametrize(("name", "encrypts"), [("encrypted", True), ("clear", False)])
def test_each_of_several_tunnels_must_be_on_the_wire(captured: Captured, name: str, encrypts: bool) -> None:
    text, mark = captured(f"wire-proof/{name}.txt"), marker(captured, name)
    with pytest.raises(InvalidSample, match=r"bytes went into the tunnel to 198\.18\.32\.4, but only 0 to the wire"):
        proof.wire(text, mark, SENDER, [FAR, IPv4Address("198.18.32.4")], encrypts=encrypts)


def test_packets_of_a_capture(captured: Captured) -> None:
    data = base64.b64decode(captured("wire-proof/clear.txt").partition("\n---\n")[0])
    packets = proof.pcap(data)
    assert [len(packet) for packet in packets] == [1042] * 6  # Ethernet 14, IP 20, ICMP 8, 1000 of payload
    assert all(packet[12:14] == b"\x08\x00" for packet in packets)
    assert proof.pcap(data[:24]) == proof.pcap(b"") == []


def test_a_load_that_kept_to_its_path(raw: Raw) -> None:
    for load in (raw("watched-transfer.json")["load"], raw("watched-throughput.json")["load"]):
        proof.kept_to(load, "tun0")


@pytest.mark.parametrize("end", ["server", "client"])
def test_bytes_that_the_data_path_does_not_explain(raw: Raw, end: str) -> None:
    load = raw("watched-transfer.json")["load"]
    load["wire"][end] |= {"packets": 9, "bytes": proof.TRIFLE}
    proof.kept_to(load, "tun0")
    load["wire"][end]["bytes"] += 1
    with pytest.raises(
        InvalidSample, match=rf"^10001 of \d+ bytes that reached the {end} by the wire were not of this"
    ):
        proof.kept_to(load, "tun0")


def test_packets_that_could_not_be_counted(raw: Raw) -> None:
    load = raw("watched-transfer.json")["load"]
    load["wire"]["client"] |= {"packets": 3, "bytes": 300, "lost": 1}
    with pytest.raises(InvalidSample, match=r"^at least 300 of \d+ bytes that reached the client"):
        proof.kept_to(load, "tun0")


def test_bytes_by_an_interface_that_is_no_tunnel(raw: Raw) -> None:
    load = raw("watched-transfer.json")["load"]
    none = dict.fromkeys(("rx_bytes", "rx_packets", "tx_bytes", "tx_packets"), 0)
    load["before"]["ends"]["server"]["interfaces"]["eth1"] = none
    load["after"]["ends"]["server"]["interfaces"]["eth1"] = none | {"rx_bytes": 10_000}
    proof.kept_to(load, "tun0")
    del load["before"]["ends"]["server"]["interfaces"]["eth1"]  # it came under way
    load["after"]["ends"]["server"]["interfaces"]["eth1"] = none | {"rx_bytes": 10_001}
    with pytest.raises(InvalidSample, match="10001 bytes reached the server by eth1, which is not of this data path"):
        proof.kept_to(load, "tun0")


def test_the_data_paths_packets_hold_the_payload(raw: Raw) -> None:
    load = raw("watched-transfer.json")["load"]
    proof.explained(load, 10_000_000, "up")
    brought = proof.received(load, "server", "eth0")
    load["wire"]["server"]["bytes"] = brought - 10_000_000
    proof.explained(load, 10_000_000, "up")
    load["wire"]["server"]["bytes"] += 1
    with pytest.raises(InvalidSample, match=r"10000000 bytes .* packets brought the server only 9999999"):
        proof.explained(load, 10_000_000, "up")


@pytest.mark.parametrize("direction", ["down", "both"])
def test_a_payload_that_went_the_other_way(raw: Raw, direction: proof.Direction) -> None:
    """Ten megabytes went up: neither down nor both ways."""
    load = raw("watched-transfer.json")["load"]
    said = "10000000 bytes were transferred"
    with pytest.raises(InvalidSample, match=said):
        proof.explained(load, 10_000_000, direction)
    with pytest.raises(InvalidSample, match=said):
        proof.moved(load, "tun0", 10_000_000, direction)
    with pytest.raises(InvalidSample, match=said):
        proof.counted(load, 10_000_000, direction)


def test_the_interface_moved_the_payload(raw: Raw) -> None:
    proof.moved(raw("watched-transfer.json")["load"], "tun0", 10_000_000, "up")


@pytest.mark.parametrize("end", ["server", "client"])
def test_an_interface_that_stood_still(raw: Raw, end: str) -> None:
    load = raw("watched-transfer.json")["load"]
    load["after"]["ends"][end]["interfaces"]["tun0"] = load["before"]["ends"][end]["interfaces"]["tun0"]
    with pytest.raises(InvalidSample, match=r"10000000 bytes were transferred .* but tun0 saw only 0 of them"):
        proof.moved(load, "tun0", 10_000_000, "up")


def test_an_interface_that_moved_less(raw: Raw) -> None:
    with pytest.raises(InvalidSample, match=r"saw only 10\d{6} of them"):
        proof.moved(raw("watched-transfer.json")["load"], "tun0", 11_000_000, "up")


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interface_that_is_not_there(raw: Raw, when: str) -> None:
    load = raw("watched-transfer.json")["load"]
    del load[when]["ends"]["client"]["interfaces"]["tun0"]
    with pytest.raises(InvalidSample, match="the client has no interface tun0"):
        proof.moved(load, "tun0", 1, "up")


def test_an_interface_that_was_made_anew(raw: Raw) -> None:
    """Its counters began anew, and soon have passed what they were."""
    load = raw("watched-transfer.json")["load"]
    load["before"]["ends"]["server"]["interfaces"]["tun0"]["tx_bytes"] = 1 << 40
    with pytest.raises(InvalidSample, match="tun0 began anew at the server during the load"):
        proof.moved(load, "tun0", 1, "up")


Counters = dict[str, dict[str, int]]


def counters(server: tuple[int, int], client: tuple[int, int]) -> Counters:
    """Bytes received and sent by each end."""
    return {end: dict(zip(("rx", "tx"), pair, strict=True)) for end, pair in (("server", server), ("client", client))}


def load(after: Counters, before: Counters | None = None) -> dict[str, Any]:
    return {"counters": {"before": BEFORE if before is None else before, "after": after}}


BEFORE = counters((100, 7), (5, 70))


@pytest.mark.parametrize(
    ("after", "direction"),
    [(counters((1100, 7), (5, 1070)), "up"), (counters((100, 1007), (1005, 70)), "down"),
     (counters((1100, 1007), (1005, 1070)), "both")],
)  # fmt: skip
def test_the_vpns_own_counters_saw_it_the_way_it_went(after: Counters, direction: proof.Direction) -> None:
    proof.counted(load(after), 1000, direction)
    with pytest.raises(InvalidSample, match=r"but the VPN's own counters saw only 1000 of them"):
        proof.counted(load(after), 1001, direction)


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("after", [counters((1100, 7), (1005, 70)), counters((100, 1007), (5, 1070)), BEFORE])
def test_what_was_sent_and_not_received_did_not_cross(after: Counters, direction: proof.Direction) -> None:
    with pytest.raises(InvalidSample, match="saw only 0 of them"):
        proof.counted(load(after), 1000, direction)


def test_the_vpns_own_counters_beside_a_captured_load(raw: Raw) -> None:
    proof.counted(raw("watched-transfer.json")["load"], 10_000_000, "up")
    with pytest.raises(InvalidSample, match=r"saw only 10\d{6} of them"):
        proof.counted(raw("watched-transfer.json")["load"], 11_000_000, "up")


def test_a_vpn_without_counters_of_its_own() -> None:
    proof.counted(load({}, {}), 1000, "up")


def test_evidence_can_be_stored(captured: Captured) -> None:
    seen = proof.wire(captured("wire-proof/encrypted.txt"), marker(captured, "encrypted"), SENDER, [FAR], encrypts=True)
    assert json.loads(json.dumps(seen)) == seen
