# SPDX-License-Identifier: MIT
"""Names for code: of the kernel by its address, of programs and libraries by what a page of them holds.

A stripped file names few of its functions, but says where each begins, for whoever unwinds a stack (`.eh_frame_hdr`,
Linux Standard Base Core 5.0, section 10.6.2). A function without a name is called after its address in its file.
"""

from __future__ import annotations

import io
import re
import struct
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

PAGE = 4096
KERNEL = "[kernel]"
"""The object of what is in no module. Modules too are in brackets, as in /proc/kallsyms; a file is not."""
UNKNOWN = "?"
KALLSYMS = re.compile(r"^([0-9a-f]+) [tTwW] (\S+)(?:\s+(\[\S+\]))?$", re.MULTILINE)
FUNCTIONS = ("STT_FUNC", "STT_LOOS")
"""A function, and one that is chosen when it is linked (STT_GNU_IFUNC has the number of STT_LOOS)."""
EXECUTABLE = 1
DATAREL_SDATA4 = 0x3B
BASIS, PRIME = 0xCBF29CE484222325, 0x100000001B3
"""Of FNV-1a (RFC 9923), on words of eight bytes, as images/vm/profile.c has it."""


@dataclass(frozen=True)
class Name:
    """A function: the file or module that it is in, its name, and whether the code is where it begins."""

    object: str
    function: str
    begins: bool


@dataclass
class Sorted:
    """Functions by where they begin."""

    starts: list[int] = field(default_factory=list)
    names: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, found: Iterable[tuple[int, tuple[str, str]]]) -> Sorted:
        """Of those that begin at one place the first counts."""
        first: dict[int, tuple[str, str]] = {}
        for start, name in found:
            first.setdefault(start, name)
        starts = sorted(first)
        return cls(starts, [first[start] for start in starts])

    def at(self, place: int) -> Name | None:
        """The function that a place is in: the last one that begins there or before."""
        number = bisect_right(self.starts, place) - 1
        return Name(*self.names[number], self.starts[number] == place) if number >= 0 else None


def kernel(kallsyms: str) -> Sorted:
    """The functions of a kernel and its modules, from its /proc/kallsyms."""
    found = KALLSYMS.findall(kallsyms)
    return Sorted.of((int(address, 16), (module or KERNEL, name)) for address, name, module in found)


@dataclass
class Pages:
    """The pages of executable code in some files, by hash: where each is, and the functions of its file."""

    known: dict[int, tuple[Sorted, int]] = field(default_factory=dict)

    def add(self, name: str, content: bytes) -> None:
        """Add a program or library; what is no ELF file, or a damaged one, has no pages."""
        if not content.startswith(b"\x7fELF"):
            return
        try:
            elf = ELFFile(io.BytesIO(content))
            functions = Sorted.of(_functions(elf, name))
        except (ELFError, struct.error):
            return
        for segment in elf.iter_segments("PT_LOAD"):
            if not segment["p_flags"] & EXECUTABLE:
                continue
            first = segment["p_offset"] // PAGE * PAGE
            part = content[first : -(-(segment["p_offset"] + segment["p_filesz"]) // PAGE) * PAGE]
            address = segment["p_vaddr"] - segment["p_offset"] + first
            for number, page in enumerate(hashes(part)):
                self.known.setdefault(page, (functions, address + number * PAGE))

    def at(self, page: int, offset: int) -> Name | None:
        """The function at a place in a page with this hash; None if no file has the page."""
        if page not in self.known:
            return None
        functions, address = self.known[page]
        return functions.at(address + offset)


def hashes(content: bytes) -> list[int]:
    """The hash of each page; the last one is filled up with zeros, as in memory."""
    whole = content.ljust(-(-len(content) // PAGE) * PAGE, b"\0")
    words = np.frombuffer(whole, dtype="<u8").reshape(-1, PAGE // 8)
    found = np.full(len(words), BASIS, dtype=np.uint64)
    for column in words.T:
        found = (found ^ column) * np.uint64(PRIME)
    return [int(each) for each in found]


def _functions(elf: ELFFile, name: str) -> Iterable[tuple[int, tuple[str, str]]]:
    """Those with a name first."""
    for section in elf.iter_sections():
        if isinstance(section, SymbolTableSection):
            for symbol in section.iter_symbols():
                if symbol["st_info"]["type"] in FUNCTIONS and symbol["st_value"]:
                    yield symbol["st_value"], (name, symbol.name)
    header = elf.get_section_by_name(".eh_frame_hdr")
    if header is None or header.data()[3] != DATAREL_SDATA4:
        return
    data = header.data()
    (count,) = struct.unpack_from("<I", data, 8)
    for start, _ in struct.iter_unpack("<ii", data[12 : 12 + 8 * count]):
        address = header["sh_addr"] + start
        yield address, (name, f"{address:#x}")
