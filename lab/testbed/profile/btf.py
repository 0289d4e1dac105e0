# SPDX-License-Identifier: MIT
"""Where a struct of a kernel has its members, from the kernel's own type information (Documentation/bpf/btf.rst)."""

from __future__ import annotations

import struct

MAGIC = b"\x9f\xeb"
STRUCT = 4
HEADER = struct.Struct("<HBBIIIII")
TYPE = struct.Struct("<III")
FIXED = {1: 4, 3: 12, 14: 4, 17: 4}
"""Bytes after the head of a type, by kind: an integer, an array, a variable, a tag of a declaration."""
EACH = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}
"""Bytes for each of a type's members, by kind: struct, union, enum, function, section of data, enum of 64 bits."""


def offsets(btf: bytes, name: str) -> dict[str, int]:
    """The offset of each member of a struct, in bytes.

    Raises:
        KeyError: there is no struct of that name. ValueError: this is no type information.
    """
    if len(btf) < HEADER.size or btf[:2] != MAGIC:
        raise ValueError("no type information of a kernel (BTF)")
    _, _, _, header, types, length, strings, _ = HEADER.unpack_from(btf)
    strings += header
    at, end = header + types, header + types + length

    def text(place: int) -> str:
        return btf[strings + place : btf.index(b"\0", strings + place)].decode()

    while at < end:
        named, info, _ = TYPE.unpack_from(btf, at)
        kind, count, has_bits = info >> 24 & 31, info & 0xFFFF, info >> 31
        at += TYPE.size
        if kind == STRUCT and text(named) == name:
            members = [TYPE.unpack_from(btf, at + TYPE.size * number) for number in range(count)]
            return {text(member): (bits & 0xFFFFFF if has_bits else bits) // 8 for member, _, bits in members}
        at += FIXED.get(kind, 0) + EACH.get(kind, 0) * count
    raise KeyError(name)
