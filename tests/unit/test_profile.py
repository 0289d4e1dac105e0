# SPDX-License-Identifier: MIT
"""Exact profiles: what was counted is read whole, code is named by what it is, and nothing is lost on the way."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from lab.report import functions as shown
from lab.report.functions import Where
from lab.testbed.profile import btf, counts, symbols
from lab.testbed.profile.counts import Place
from lab.testbed.profile.symbols import Name

LIBC = next(Path("/lib/x86_64-linux-gnu").glob("libc.so.6"), None) or Path("/lib64/libc.so.6")
VMLINUX = Path("/sys/kernel/btf/vmlinux")


class TestCounts:
    @pytest.fixture
    def taken(self, captured: Callable[[str], str]) -> counts.Counts:
        return counts.parse(captured("profile/dd.txt"))

    def test_all_that_stands_there(self, taken: counts.Counts, captured: Callable[[str], str]) -> None:
        lines = [line.split() for line in captured("profile/dd.txt").splitlines()]
        sums = [int(words[-3], 16) * int(words[-1], 16) for words in lines if words[0] in ("user", "kernel")]
        assert len(sums) == 50
        assert taken.total == sum(sums) > 0
        assert taken.clock == 15109205
        assert taken.tasks[13] == (447, "dd")
        assert len(taken.tasks) == 18

    def test_one_place_in_several_blocks_is_one(self) -> None:
        text = "clock 10 100\ntask 1 7 a b\nkernel ff 3 1 2\nkernel ff 1 1 a\nuser 5 ff 1 1 1\n"
        taken = counts.parse(text)
        assert taken.clock == 90
        assert taken.tasks == {1: (7, "a b")}
        assert dict(taken.blocks) == {(1, (0, 0xFF)): [16, 12], (1, (5, 0xFF)): [1, 1]}

    def test_by_function_everything_is_there_once(self, taken: counts.Counts, captured: Callable[[str], str]) -> None:
        kernel = symbols.kernel(captured("profile/kallsyms.txt"))

        def named(place: Place) -> Name | None:
            return kernel.at(place[1]) if place[0] == counts.KERNEL_PAGE else None

        rows = counts.functions(taken, lambda number, title: "dd" if number == 447 else "other", named)
        assert sum(row.instructions for row in rows) == taken.total
        assert {row.by for row in rows} == {"dd", "other"}
        assert {row.object for row in rows} >= {symbols.KERNEL, symbols.UNKNOWN}
        assert rows == sorted(rows, key=lambda row: -row.instructions)
        assert len({(row.by, row.task, row.object, row.name) for row in rows}) == len(rows)


class TestKernel:
    def test_functions_and_modules(self, captured: Callable[[str], str]) -> None:
        kernel = symbols.kernel(captured("profile/kallsyms.txt"))
        assert kernel.at(0xFFFFFFFF981C0240) == Name(symbols.KERNEL, "__schedule", begins=True)
        assert kernel.at(0xFFFFFFFF981C0250) == Name(symbols.KERNEL, "__schedule", begins=False)
        assert kernel.at(0xFFFFFFFFC0600020) == Name("[virtio_blk]", "virtblk_done", begins=False)
        assert kernel.at(1) is None

    def test_only_code_has_names(self, captured: Callable[[str], str]) -> None:
        lines = captured("profile/kallsyms.txt").splitlines()
        data = [line.split()[2] for line in lines if line.split()[1] in "dD"]
        names = {name for _, name in symbols.kernel("\n".join(lines)).names}
        assert data
        assert not set(data) & names


@pytest.fixture(scope="module")
def content() -> bytes:
    return LIBC.read_bytes()


@pytest.fixture(scope="module")
def pages(content: bytes) -> symbols.Pages:
    pages = symbols.Pages()
    pages.add("libc.so.6", content)
    return pages


@pytest.mark.skipif(not LIBC.exists(), reason="this machine has its C library elsewhere")
class TestPages:
    def code_of(self, content: bytes, name: str) -> tuple[int, int]:
        """The page and offset of a function, from the file itself."""
        elf = ELFFile(io.BytesIO(content))
        section = elf.get_section_by_name(".dynsym")
        assert isinstance(section, SymbolTableSection)
        found = section.get_symbol_by_name(name)
        assert found
        (place,) = elf.address_offsets(found[0]["st_value"])
        first = place // symbols.PAGE * symbols.PAGE
        return symbols.hashes(content[first : first + symbols.PAGE])[0], place % symbols.PAGE

    def test_a_function_with_a_name(self, content: bytes, pages: symbols.Pages) -> None:
        page, offset = self.code_of(content, "getenv")
        assert pages.at(page, offset) == Name("libc.so.6", "getenv", begins=True)
        assert pages.at(page, offset + 1) == Name("libc.so.6", "getenv", begins=False)

    def test_functions_without_a_name_have_their_own(self, pages: symbols.Pages) -> None:
        (functions, _), *_ = pages.known.values()
        nameless = [name for _, name in functions.names if name.startswith("0x")]
        assert len(nameless) > 500, "the library is stripped: it exports some functions and has more"

    def test_a_page_of_nothing_known(self, pages: symbols.Pages) -> None:
        assert pages.at(1, 0) is None

    def test_what_is_no_program(self) -> None:
        pages = symbols.Pages()
        pages.add("script", b"#!/bin/sh\n")
        pages.add("gone", b"")
        pages.add("damaged", b"\x7fELF" + bytes(100))
        assert not pages.known


def test_the_hash_is_that_of_the_plugin() -> None:
    """FNV-1a on eight bytes at once, as images/vm/profile.c has it."""
    content = bytes(range(256)) * 16 + b"end"
    wanted = []
    for page in (content[:4096], content[4096:].ljust(4096, b"\0")):
        value = 0xCBF29CE484222325
        for (word,) in struct.iter_unpack("<Q", page):
            value = (value ^ word) * 0x100000001B3 % 2**64
        wanted.append(value)
    assert symbols.hashes(content) == wanted


class TestTypes:
    def test_of_a_struct_among_others(self) -> None:
        """An integer, an array, a union, an enum, and two structs: one has fields of bits."""
        strings = b"\0int\0pair\0a\0b\0u\0"
        at = {name: strings.index(b"\0" + name.encode() + b"\0") + 1 for name in ("int", "pair", "a", "b", "u")}
        types = struct.pack("<IIII", at["int"], 1 << 24, 4, 32)
        types += struct.pack("<IIIIII", 0, 3 << 24, 0, 1, 1, 8)
        types += struct.pack("<IIIIII", at["u"], 5 << 24 | 1, 4, at["a"], 1, 0)
        types += struct.pack("<IIIII", 0, 6 << 24 | 1, 4, at["b"], 1)
        types += struct.pack("<IIIIIIIII", at["pair"], 4 << 24 | 2, 8, at["a"], 1, 0, at["b"], 1, 32)
        types += struct.pack("<IIIIII", at["u"], 1 << 31 | 4 << 24 | 1, 8, at["b"], 1, 3 << 24 | 64)
        header = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings))
        content = header + types + strings
        assert btf.offsets(content, "pair") == {"a": 0, "b": 4}
        assert btf.offsets(content, "u") == {"b": 8}
        with pytest.raises(KeyError):
            btf.offsets(content, "nothing")
        for wrong in (b"", strings * 10):
            with pytest.raises(ValueError, match="no type information"):
                btf.offsets(wrong, "pair")

    @pytest.mark.skipif(not VMLINUX.exists(), reason="this kernel tells no types")
    def test_of_this_kernel(self) -> None:
        task = btf.offsets(VMLINUX.read_bytes(), "task_struct")
        assert task["tgid"] == task["pid"] + 4
        assert task["comm"] > task["tgid"]


def sample(functions: list[tuple[object, ...]], payload: float = 1000.0, **other: object) -> dict[str, object]:
    cell = {"vpn": "alpha", "variant": "udp", "suite": "strong", "conditions": "direction=up"}
    readings = [{"metric": "payload", "value": payload}]
    return {**cell, "outcome": "ok", "raw": {"functions": functions}, "readings": readings, **other}


ROWS: list[tuple[object, ...]] = [
    ("client", "alphad", "alphad", "encrypt", 6000, 10),
    ("client", "alphad", "[kernel]", "tun_get_user", 3000, 5),
    ("other", "kworker/0:1", "[kernel]", "tun_get_user", 1000, 5),
]


class TestShown:
    def test_per_byte(self) -> None:
        (profile,) = shown.of_samples([sample(ROWS)]).values()
        assert profile.total == 10
        assert profile.functions[Where("client", "alphad", "alphad", "encrypt")] == (6, 0.01)
        assert profile.parts() == [("client", "alphad", 6), ("client", "[kernel]", 3), ("other", "[kernel]", 1)]

    def test_samples_of_a_cell_are_one(self) -> None:
        (profile,) = shown.of_samples([sample(ROWS), sample([], 3000.0)]).values()
        assert profile.total == 2.5
        assert profile.samples == 2

    def test_only_what_counts_and_was_profiled(self) -> None:
        others = [sample(ROWS, outcome="failed"), sample(ROWS, raw={})]
        assert shown.of_samples(others) == {}

    def test_tables(self) -> None:
        by_object, by_function = shown.tables(shown.of_samples([sample(ROWS)]), "vm, instructions", 2)
        assert [[cell.text for cell in row] for row in by_object.rows][-1] == ["all", "", "10.0", "100.0 %"]
        assert [row[3].text for row in by_function.rows] == ["encrypt", "tun_get_user"]
        assert "the first 2 of 3" in by_function.title

    def test_folded(self) -> None:
        (profile,) = shown.of_samples([sample(ROWS)]).values()
        lines = shown.folded(profile).splitlines()
        assert lines[0] == "client;alphad;[kernel];tun_get_user 3000000"
        assert sum(int(line.rpartition(" ")[2]) for line in lines) == 10_000_000

    def test_why(self) -> None:
        (before,) = shown.of_samples([sample(ROWS)]).values()
        slower = [
            *ROWS[1:],
            ("client", "alphad", "alphad", "encrypt", 8000, 10),
            ("client", "alphad", "alphad", "poll", 500, 1),
        ]
        (after,) = shown.of_samples([sample(slower)]).values()
        changed = shown.changes(before, after)
        assert [(row.where.name, row.by_byte) for row in changed[:2]] == [("encrypt", 2), ("poll", 0.5)]
        assert sum(row.by_byte for row in changed) == after.total - before.total
        table = shown.why(("alpha",), before, after, most=1)
        assert [row[3].text for row in table.rows] == ["encrypt", "", ""]
        assert [row[6].text for row in table.rows] == ["+2", "+0.5", "+2.5"]
