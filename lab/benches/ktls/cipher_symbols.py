# SPDX-License-Identifier: MIT
"""Which functions of a stripped library are ciphers: those with the processor's instructions for AES and GHASH. Pure.

Debian strips the names of GnuTLS's own assembly, so a profile shows addresses. The table for unwinding exceptions
(`.eh_frame_hdr`, Linux Standard Base 5.0, 10.6) still lists where each function begins.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

EH_FRAME = 0x6474E550
"""PT_GNU_EH_FRAME."""
LOAD = 1
"""PT_LOAD."""
TABLE = 0x3B
"""The encoding of the search table: signed words of four bytes, relative to the start of the section."""


def _bytes(wanted: Callable[[int], bool]) -> bytes:
    """A character class of bytes, for a pattern."""
    return b"[" + b"".join(re.escape(bytes((byte,))) for byte in range(256) if wanted(byte)) + b"]"


def _vex(number: int) -> bytes:
    """A VEX prefix of an opcode map: the map is in the lower five bits of byte two; in byte three, 1 means prefix 66.

    Intel's manual, volume 2, 2.3.5.
    """
    return b"\xc4" + _bytes(lambda byte: byte & 31 == number) + _bytes(lambda byte: byte & 3 == 1)


INSTRUCTIONS = re.compile(
    rb"\x66[\x40-\x4f]?\x0f\x38[\xdb-\xdf]"  # AESIMC, AESENC, AESENCLAST, AESDEC, AESDECLAST
    rb"|\x66[\x40-\x4f]?\x0f\x3a[\x44\xdf]"  # PCLMULQDQ, AESKEYGENASSIST
    rb"|" + _vex(2) + rb"[\xdb-\xdf]"  # the same with a VEX prefix
    rb"|" + _vex(3) + rb"[\x44\xdf]",
    re.DOTALL,
)
ENOUGH = 4
"""The least such instructions in a cipher's function: one or two may be other bytes that look alike."""
Range = tuple[int, int]
"""Start and end (excluded) as `perf` gives addresses: of the object, not of the process."""


def ciphers(library: bytes) -> list[Range]:
    """The functions of an x86-64 ELF library that have cipher instructions; empty for any other file."""
    if library[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<H", library, 18) != (62,):
        return []
    segments = list(_segments(library))
    header = next((address for kind, _, address, _, _ in segments if kind == EH_FRAME), None)
    if header is None:
        return []
    starts = _starts(library, segments, header)
    ends = [*starts[1:], _end(segments, starts[-1])] if starts else []
    ranges = []
    for start, end in zip(starts, ends, strict=True):
        offset = _offset(segments, start)
        if offset is not None and len(INSTRUCTIONS.findall(library[offset : offset + end - start])) >= ENOUGH:
            ranges.append((start, end))
    return ranges


def within(ranges: Sequence[Sequence[int]], address: int) -> bool:
    """Whether one of the sorted `ranges` contains an address."""
    index = bisect_right([start for start, _ in ranges], address) - 1
    return index >= 0 and address < ranges[index][1]


def _segments(library: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """The kind, flags, address, file offset and size of each program header."""
    (table,) = struct.unpack_from("<Q", library, 32)
    size, count = struct.unpack_from("<HH", library, 54)
    for number in range(count):
        kind, flags, offset, address, _, length = struct.unpack_from("<IIQQQQ", library, table + number * size)
        yield kind, flags, address, offset, length


def _offset(segments: Sequence[tuple[int, int, int, int, int]], address: int) -> int | None:
    for kind, _, start, offset, length in segments:
        if kind == LOAD and start <= address < start + length:
            return offset + address - start
    return None


def _end(segments: Sequence[tuple[int, int, int, int, int]], address: int) -> int:
    """The end of the segment that contains an address."""
    return next(start + length for kind, _, start, _, length in segments
                if kind == LOAD and start <= address < start + length)  # fmt: skip


def _starts(library: bytes, segments: Sequence[tuple[int, int, int, int, int]], header: int) -> list[int]:
    """The sorted start of each function, from the search table of `.eh_frame_hdr` at that address."""
    offset = _offset(segments, header)
    if offset is None or library[offset : offset + 4] != bytes((1, 0x1B, 0x03, TABLE)):
        return []
    (count,) = struct.unpack_from("<I", library, offset + 8)
    return [header + struct.unpack_from("<i", library, offset + 12 + 8 * number)[0] for number in range(count)]
