# SPDX-License-Identifier: MIT
"""Checks that a data path is what it claims to be: from the endpoints' answers and the bytes on the wire. All pure."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Literal

from lab.core.errors import InvalidSample

ENDS = ("server", "client")
WIRE = "eth0"
"""The interface to the wire at both endpoints, as Docker names it."""

ECHO_BYTES = 3 * 1000
"""What `wire-proof` sends through the tunnel: three echo requests of 1000 bytes. As many replies come back."""
Address = IPv4Address | IPv6Address
ADDRESSES = {4: slice(14 + 12, 14 + 20), 6: slice(14 + 8, 14 + 40)}
"""Where a packet of a capture has its sender and its receiver, by the version of IP: behind Ethernet's header, and 12
bytes of IPv4's (RFC 791) or 8 of IPv6's (RFC 8200)."""

TRIFLE = 10_000
"""Unexplained bytes that a load may have on the wire at each endpoint: an ICMP error, the DPD of a channel."""

Direction = Literal["up", "down", "both"]
WAYS: dict[Direction, tuple[tuple[str, str], ...]] = {
    "up": (("client", "server"),),
    "down": (("server", "client"),),
    "both": (("client", "server"), ("server", "client")),
}
"""Sender and receiver of a load's payload. With `both`, the payload goes each way."""


def session(pattern: str, text: str) -> tuple[str, str]:
    """The suite and the session in the last match of `pattern`; both empty if nothing matches.

    The suite is the non-empty unnamed groups, joined by `+`. The session is the group `session`. It changes if a tunnel
    went down and came up again.
    """
    matches = list(re.finditer(pattern, text, re.MULTILINE))
    if not matches:
        return "", ""
    named = matches[-1].re.groupindex
    groups = (group for number, group in enumerate(matches[-1].groups(), 1) if number not in named.values() and group)
    return "+".join(groups), (matches[-1]["session"] or "") if "session" in named else ""


def named(pattern: str, text: str) -> dict[str, int]:
    """The named groups of the last match of `pattern` as integers; empty if nothing matches."""
    matches = list(re.finditer(pattern, text, re.MULTILINE))
    return {name: int(value) for name, value in matches[-1].groupdict().items()} if matches else {}


def wire(
    output: str, marker: bytes, sender: Address, far_ends: Sequence[Address], *, encrypts: bool, hint: str = ""
) -> dict[str, Any]:
    """Judge a capture made while `marker` crossed a tunnel, or each of several, at the end that sent it.

    `sender` is the address of that end on the wire, `far_ends` are those of the others, one for each tunnel.

    `output` is what `images/base/wire-proof` prints. An encrypted data path must carry enough bytes for what was sent,
    no marker, and no packet but the VPN's own. An unencrypted data path must show the marker: this proves that the
    test can fail. The replies are not counted: a kernel may open what arrives before any capture sees it (GRO of ESP,
    net/ipv4/esp4_offload.c). That what a load carried came by the wire, `explained` says by the interface's counter.
    `hint` says what explains the VPN's own packets.

    Raises:
        InvalidSample: one of these does not hold; names which.
    """
    capture, _, stray = output.partition("\n---\n")
    packets = pcap(base64.b64decode(capture))
    if stray.strip():
        raise InvalidSample(f"packets went past the tunnel: {stray.splitlines()[0]}", hint)
    for far_end in far_ends:
        sent = [each for each in packets if each[ADDRESSES[sender.version]] == sender.packed + far_end.packed]
        carried, which = sum(map(len, sent)), f" to {far_end}" if len(far_ends) > 1 else ""
        if carried < ECHO_BYTES:
            raise InvalidSample(
                f"{ECHO_BYTES} bytes went into the tunnel{which}, but only {carried} to the wire: it has another path"
            )
        if not encrypts and not any(marker in packet for packet in sent):
            raise InvalidSample(f"nothing should be encrypted, but the marker{which} was not seen on the wire")
    if encrypts and any(marker in packet for packet in packets):
        raise InvalidSample("the marker crossed the wire in the clear")
    return {
        "tunnels": len(far_ends),
        "packets": len(packets),
        "bytes": sum(map(len, packets)),
        "cleartext": not encrypts,
    }


def pcap(data: bytes) -> list[bytes]:
    """The packets of a capture in the classic pcap format, as little-endian tcpdump writes it (pcap-savefile(5))."""
    packets, offset = [], 24
    while offset + 16 <= len(data):
        (size,) = struct.unpack_from("<I", data, offset + 8)
        packets.append(data[offset + 16 : offset + 16 + size])
        offset += 16 + size
    return packets


def fold(interfaces: dict[str, dict[str, int]], interface: str, pattern: str | None) -> None:
    """Make one `interface` of those of a server that has one for each client: its counters are their sums."""
    folded = [name for name in interfaces if pattern and re.fullmatch(pattern, name)]
    rows = [interfaces.pop(name) for name in folded]
    if rows:
        interfaces[interface] = {key: sum(row[key] for row in rows) for key in rows[0]}


def kept_to(load: dict[str, Any], interface: str) -> None:
    """Check that a load used no path but its own, from its first byte to its last.

    `load` is what `Tunnel.load` returns. At most TRIFLE bytes that the data path does not explain may cross the wire.
    The same limit holds for each interface that is neither the wire nor the tunnel's own.

    Raises:
        InvalidSample: there were more; names the endpoint, the bytes and the total.
    """
    for end, stray in load["wire"].items():
        if stray["bytes"] > TRIFLE or stray["lost"]:
            least = "at least " if stray["lost"] else ""
            raise InvalidSample(
                f"{least}{stray['bytes']} of {received(load, end, WIRE)} bytes that reached the {end} by the wire were "
                "not of this data path"
            )
        for other in load["after"]["ends"][end]["interfaces"].keys() - {"lo", WIRE, interface}:
            strayed = received(load, end, other)
            if strayed > TRIFLE:
                raise InvalidSample(f"{strayed} bytes reached the {end} by {other}, which is not of this data path")


def explained(load: dict[str, Any], payload: int, direction: Direction) -> None:
    """Check that the payload reached its receiver over the wire, in packets of this data path.

    Raises:
        InvalidSample: these packets hold less than the payload.
    """
    for _, receiver in WAYS[direction]:
        carried = received(load, receiver, WIRE) - load["wire"][receiver]["bytes"]
        if carried < payload:
            raise InvalidSample(
                f"{payload} bytes were transferred, but the data path's packets brought the {receiver} only {carried}"
            )


def received(load: dict[str, Any], end: str, interface: str) -> int:
    """Bytes that an endpoint received on an interface during a load; 0 if it has no such interface."""
    before, after = (load[when]["ends"][end]["interfaces"].get(interface) for when in ("before", "after"))
    return int(after["rx_bytes"] - (before["rx_bytes"] if before else 0)) if after else 0


def moved(load: dict[str, Any], interface: str, payload: int, direction: Direction) -> None:
    """Check that the payload entered the tunnel's interface at the sender and left it at the receiver.

    Raises:
        InvalidSample: it did not, or an endpoint has no such interface.
    """
    deltas = {}
    for end in ENDS:
        old, new = (load[when]["ends"][end]["interfaces"].get(interface) for when in ("before", "after"))
        if old is None or new is None:
            raise InvalidSample(f"the {end} has no interface {interface}")
        deltas[end] = {way: new[f"{way}_bytes"] - old[f"{way}_bytes"] for way in ("rx", "tx")}
    _crossed(deltas, payload, interface, direction)


def counted(load: dict[str, Any], payload: int, direction: Direction) -> None:
    """Check the same with the VPN's own counters, if it has any.

    Raises:
        InvalidSample: they counted less than the payload.
    """
    before, after = load["counters"]["before"], load["counters"]["after"]
    if before:
        deltas = {end: {way: after[end][way] - before[end][way] for way in ("rx", "tx")} for end in ENDS}
        _crossed(deltas, payload, "the VPN's own counters", direction)


def _crossed(deltas: dict[str, dict[str, int]], payload: int, what: str, direction: Direction) -> None:
    """Check that one endpoint sent and the other received the payload, in this direction; no counter may be reset."""
    for end, delta in deltas.items():
        if min(delta.values()) < 0:
            raise InvalidSample(f"{what} began anew at the {end} during the load")
    for sender, receiver in WAYS[direction]:
        crossed = min(deltas[sender]["tx"], deltas[receiver]["rx"])
        if crossed < payload:
            raise InvalidSample(
                f"{payload} bytes were transferred from {sender} to {receiver}, but {what} saw only {crossed} of them"
            )
