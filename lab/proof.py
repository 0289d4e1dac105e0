"""Is the data path what it claims to be? Judgements on what the ends said and on what the wire carried. All pure."""

from __future__ import annotations

import base64
import re
import struct
from typing import Any

from lab.errors import InvalidSample

ENDS = ("server", "client")

ECHO_BYTES = 2 * 3 * 1000
"""What `wire-proof` sends through the tunnel: three echo requests of 1000 bytes, and their answers."""


def groups(pattern: str, text: str) -> str:
    """The non-empty groups of the last match of `pattern`, joined by `+`; empty where nothing matches."""
    matches = list(re.finditer(pattern, text, re.MULTILINE))
    return "+".join(group for group in matches[-1].groups() if group) if matches else ""


def named(pattern: str, text: str) -> dict[str, int]:
    """The named groups of the last match of `pattern` as integers; empty where nothing matches."""
    matches = list(re.finditer(pattern, text, re.MULTILINE))
    return {name: int(value) for name, value in matches[-1].groupdict().items()} if matches else {}


def wire(output: str, marker: bytes, *, encrypts: bool) -> dict[str, Any]:
    """Judge a capture made while `marker` crossed the tunnel.

    `output` is what `images/base/wire-proof` prints. Ciphertext must be all there is: enough bytes for what was
    sent, no marker among them, no packet besides the VPN's own. Where nothing is encrypted the marker must be seen,
    which also shows that this test can fail.

    Raises:
        InvalidSample: it is not so; says in which way.
    """
    capture, _, stray = output.partition("\n---\n")
    packets = pcap(base64.b64decode(capture))
    carried = sum(len(packet) for packet in packets)
    seen = any(marker in packet for packet in packets)
    if stray.strip():
        raise InvalidSample(f"packets went past the tunnel: {stray.splitlines()[0]}")
    if carried < ECHO_BYTES:
        raise InvalidSample(f"{ECHO_BYTES} bytes crossed the tunnel but only {carried} the wire: there is another path")
    if seen and encrypts:
        raise InvalidSample("the marker crossed the wire in the clear")
    if not seen and not encrypts:
        raise InvalidSample("nothing should be encrypted, but the marker was not seen on the wire")
    return {"packets": len(packets), "bytes": carried, "cleartext": seen}


def pcap(data: bytes) -> list[bytes]:
    """The packets of a capture in the classic pcap format, as little-endian tcpdump writes it (pcap-savefile(5))."""
    packets, offset = [], 24
    while offset + 16 <= len(data):
        (size,) = struct.unpack_from("<I", data, offset + 8)
        packets.append(data[offset + 16 : offset + 16 + size])
        offset += 16 + size
    return packets


def moved(before: dict[str, Any], after: dict[str, Any], interface: str, payload: int) -> None:
    """Check that the payload went into the tunnel's interface at one end and came out of it at the other.

    Raises:
        InvalidSample: it did not, or an end has no such interface.
    """
    deltas = {}
    for end in ENDS:
        old, new = (snapshot["ends"][end]["interfaces"].get(interface) for snapshot in (before, after))
        if old is None or new is None:
            raise InvalidSample(f"the {end} has no interface {interface}")
        deltas[end] = {way: new[f"{way}_bytes"] - old[f"{way}_bytes"] for way in ("rx", "tx")}
    _crossed(deltas, payload, interface)


def counted(before: dict[str, dict[str, int]], after: dict[str, dict[str, int]], payload: int) -> None:
    """The same by the VPN's own counters, where it has some.

    Raises:
        InvalidSample: they moved less than the payload.
    """
    if before:
        deltas = {end: {way: after[end][way] - before[end][way] for way in ("rx", "tx")} for end in ENDS}
        _crossed(deltas, payload, "the VPN's own counters")


def _crossed(deltas: dict[str, dict[str, int]], payload: int, what: str) -> None:
    """One way or the other: sent by one end, received by the other."""
    ways = [min(deltas[sender]["tx"], deltas[receiver]["rx"]) for sender, receiver in (ENDS, ENDS[::-1])]
    if max(ways) < payload:
        raise InvalidSample(f"{payload} bytes were transferred, but {what} saw only {max(ways)} from end to end")
