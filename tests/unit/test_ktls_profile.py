# SPDX-License-Identifier: MIT
"""Profiles: what perf sampled, by category, and which functions of a stripped library are ciphers."""
# ruff: noqa: RUF001 - en dashes are what the tables show

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.benches.ktls import cipher_symbols, perf
from lab.benches.ktls.perf import Sampled, category_of
from lab.benches.ktls.views import profiles, thesis_model

KERNEL = "[kernel.kallsyms]"
GNUTLS = "libgnutls.so.30.40.3"


@pytest.fixture
def sampled(captured: Callable[[str], str]) -> Callable[[str], list[Sampled]]:
    """What perf reported of a load, from a file under tests/data/ktls."""
    ciphers = json.loads(captured("ktls/ciphers.json"))
    return lambda name: perf.parse(captured(f"ktls/perf-{name}.txt"), ciphers)


class TestReport:
    def test_every_line_but_idle(self, captured: Callable[[str], str], sampled: Any) -> None:
        text = captured("ktls/perf-tls-library.txt")
        idle = [line.split("\t") for line in text.splitlines() if "\tswapper\t" in line]
        lines = [line.split("\t") for line in text.splitlines() if "%" in line]
        found = sampled("tls-library")
        assert len(idle) > 0
        assert len(found) == len(lines) - len(idle)
        assert sum(one.samples for one in found) == sum(int(line[1]) for line in lines) - sum(
            int(line[1]) for line in idle
        )

    def test_as_perf_prints_it(self) -> None:
        """Filled with blanks, with columns more or without, of any process."""
        text = (
            " 2.00%  \t 46       \tktls-bench\t[kernel.kallsyms]   \t[k] __siphash_unaligned   \t-      -        \n"
            "\n# a comment\n"
            "0.10%\t2\tktls-peer\tlibc.so.6\t[.] malloc\n"
            "0.10%\t1\tcontainerd\tcontainerd\t[.] 0x00000000001234\n"
        )
        assert perf.parse(text, {}) == [
            Sampled(46, "ktls-bench", KERNEL, "__siphash_unaligned"),
            Sampled(2, "ktls-peer", "libc.so.6", "malloc"),
            Sampled(1, "containerd", "containerd", perf.NAMELESS),
        ]  # fmt: skip
        assert [one.end for one in perf.parse(text, {})] == ["sender", "receiver", "machine"]

    @pytest.mark.parametrize("text", ["", "Error:\nnothing\n"])
    def test_nothing_sampled(self, text: str) -> None:
        with pytest.raises(ValueError, match="no samples"):
            perf.parse(text, {})


class TestCategories:
    @pytest.mark.parametrize(
        ("library", "symbol", "category"),
        [
            ("[aesni_intel]", "aes_gcm_enc_update_aesni_avx", "cipher"),
            ("[aesni_intel]", "gcm_decrypt_aesni_avx", "cipher"),
            (KERNEL, "chacha_block_generic", "cipher"),
            (GNUTLS, perf.CIPHER, "cipher"),
            (GNUTLS, perf.NAMELESS, "library"),
            ("libnettle.so.8.10", "_nettle_memxor_x86_64", "cipher"),
            ("libhogweed.so.6.10", "_nettle_ecc_secp256r1_redc", "library"),
            (KERNEL, "crypto_aead_encrypt", "crypto-api"),
            (KERNEL, "memcpy_from_scatterwalk", "crypto-api"),
            (KERNEL, "kernel_fpu_begin_mask", "crypto-api"),
            ("[af_ktls]", "ktls_record_aad", "records"),
            ("[tls]", "tls_sw_sendmsg", "records"),
            (KERNEL, "rep_movs_alternative", "copy"),
            (KERNEL, "_copy_from_iter", "copy"),
            (KERNEL, "__check_object_size", "copy"),
            (KERNEL, "__skb_datagram_iter", "copy"),
            (KERNEL, "kmem_cache_alloc_node_noprof", "allocation"),
            (KERNEL, "skb_release_data", "allocation"),
            ("libc.so.6", "malloc", "allocation"),
            (KERNEL, "udp_sendmsg", "network"),
            (KERNEL, "__tcp_transmit_skb", "network"),
            ("[nf_tables]", perf.NAMELESS, "network"),
            (KERNEL, "__local_bh_enable_ip", "network"),
            (KERNEL, "filemap_read", "file"),
            (KERNEL, "splice_to_socket", "file"),
            (KERNEL, "do_syscall_64", "calls"),
            (KERNEL, "____sys_sendmsg", "calls"),
            (KERNEL, "__seccomp_filter", "calls"),
            (KERNEL, "_raw_spin_unlock_irqrestore", "scheduling"),
            (KERNEL, "finish_task_switch.isra.0", "scheduling"),
            (KERNEL, "try_to_wake_up", "scheduling"),
            ("ktls-bench", "payload_fill", "bench"),
            (KERNEL, "strnlen", "other"),
            ("libc.so.6", perf.NAMELESS, "other"),
            ("containerd", "aes_gcm_enc_update_aesni_avx", "other"),
        ],
    )
    def test_a_symbol(self, library: str, symbol: str, category: str) -> None:
        assert category_of(library, symbol) == category

    def test_shares_add_up(self, sampled: Callable[[str], list[Sampled]]) -> None:
        for name in ("tls-library", "dtls-kernel-sendfile"):
            found = perf.shares(sampled(name))
            assert {"sender", "receiver", "all"} <= set(found)
            for parts in found.values():
                assert sum(parts.values()) == pytest.approx(1)

    def test_where_the_records_are_made_is_where_the_cipher_runs(self, sampled: Callable[[str], list[Sampled]]) -> None:
        """The library's are in GnuTLS, at both ends; AF_KTLS's in the kernel, and none in the library."""
        for name, objects in (("tls-library", {GNUTLS}), ("dtls-kernel-sendfile", {"[aesni_intel]"})):
            counts: Counter[str] = Counter()
            for one in sampled(name):
                counts[one.object] += one.samples if one.category == "cipher" else 0
            assert {name for name, samples in counts.items() if samples > 10} == objects
        found = perf.shares(sampled("tls-library"))
        assert found["sender"]["cipher"] > 0.05
        assert found["receiver"]["cipher"] > 0.05

    def test_most_of_the_time_is_known(self, sampled: Callable[[str], list[Sampled]]) -> None:
        for name in ("tls-library", "dtls-kernel-sendfile"):
            assert 0 < perf.shares(sampled(name))["all"]["other"] < 0.15

    def test_symbols_with_most_samples(self, sampled: Callable[[str], list[Sampled]]) -> None:
        (first, share), *others = perf.leading(sampled("tls-library"), "cipher", 3)
        assert first == f"{perf.CIPHER} ({GNUTLS})"
        assert share > sum(other for _, other in others)


def taken(captured: Callable[[str], str], name: str, protocol: str, path: str, conditions: str) -> dict[str, Any]:
    raw = {"perf": captured(f"ktls/perf-{name}.txt"), "ciphers": json.loads(captured("ktls/ciphers.json"))}
    return {"outcome": "ok", "vpn": protocol, "variant": path, "suite": "aes-128-gcm", "conditions": conditions,
            "raw": raw}  # fmt: skip


class TestTables:
    @pytest.fixture
    def samples(self, captured: Callable[[str], str]) -> list[dict[str, Any]]:
        return [
            taken(captured, "tls-library", "tls", "library", "payload=1400 way=send scenario=transmission"),
            taken(captured, "dtls-kernel-sendfile", "dtls", "kernel", "payload=1400 way=sendfile scenario=file"),
            {"outcome": "failed", "raw": {"perf": "nonsense"}},
            {"outcome": "ok", "raw": {}},
        ]

    def test_a_row_for_each_end(self, samples: list[dict[str, Any]]) -> None:
        categories, _, _ = profiles.build(samples, thesis_model.load(), "vm engine, wall clock")
        rows = [[cell.text for cell in line] for line in categories.rows]
        assert [line[:5] for line in rows[3:]] == [
            ["transmission", "tls", "GnuTLS, send", "1400 B", end] for end in ("sender", "receiver", "all but idle")
        ]
        assert "other" in categories.columns
        assert categories.columns.count("sending and receiving") == 1
        for line in rows:
            assert sum(float(text.removesuffix(" %")) for text in line[5:-1]) == pytest.approx(100, abs=0.7)

    def test_table_59_and_what_of_ours_is_its_like(self, samples: list[dict[str, Any]]) -> None:
        _, table, _ = profiles.build(samples, thesis_model.load(), "")
        rows = [[cell.text for cell in line] for line in table.rows]
        found = {line[2]: line[3:6] for line in rows if line[0] == "5.9"}
        assert found["AES GCM encrypt, GnuTLS"] == ["7.15 %", "7.5 %", "10.5 %"]
        assert found["AES GCM decrypt, GnuTLS"] == ["8.42 %", "6.8 %", "24.4 %"]
        assert found["AES GCM encrypt, AF_KTLS"] == ["10.35 %", "–", "–"]

    def test_what_is_decrypted_in_an_interrupt_is_told_by_its_symbols(self) -> None:
        """AF_KTLS decrypts on the time of whoever was interrupted, the sender's too."""
        block = [
            Sampled(30, "ktls-bench", "[aesni_intel]", "aes_gcm_enc_update_aesni_avx"),
            Sampled(20, "ktls-bench", "[aesni_intel]", "aes_gcm_dec_update_aesni_avx"),
            Sampled(50, "ktls-peer", KERNEL, "udp_recvmsg"),
        ]
        key = ("tls", "kernel", "aes-128-gcm", "payload=1400 way=send scenario=transmission")
        rows = [[cell.text for cell in line] for line in profiles.beside({key: [block]}, thesis_model.load(), "").rows]
        found = {line[2]: line[4] for line in rows if line[0] == "5.9"}
        assert (found["AES GCM encrypt, AF_KTLS"], found["AES GCM decrypt, AF_KTLS"]) == ("30.0 %", "20.0 %")

    def test_the_nearest_payload(self) -> None:
        conditions = [f"payload={size} way=send scenario=transmission" for size in (1280, 1500, 16000)]
        found: dict[tuple[str, ...], list[list[Sampled]]] = {
            ("tls", "library", "aes-128-gcm", text): [] for text in conditions
        }
        source = thesis_model.load().profiles[0]
        assert profiles.nearest(found, source, source.rows[0], "aes-128-gcm") == (
            "tls", "library", "aes-128-gcm", conditions[1])  # fmt: skip
        assert profiles.nearest(found, source, source.rows[2], "aes-128-gcm") is None

    def test_no_profile_no_table(self) -> None:
        assert profiles.build([], thesis_model.load(), "") == []


PROGRAM = """
typedef long long block __attribute__((vector_size(16)));
{attributes}
block cipher(block one, block key) {{ for (int i = 0; i < 9; i++) {{ {body} }} return one; }}
int plain(int one) {{ return one * 3; }}
"""


class TestCode:
    """Compiled here, stripped as Debian does."""

    @staticmethod
    def compiled(folder: Path, instruction: str, flags: str) -> tuple[bytes, dict[str, int]]:
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            pytest.skip("no compiler")
        body = f'__asm__("{instruction}" : "+x"(one) : "x"(key));' * 4
        (folder / "program.c").write_text(PROGRAM.format(attributes="", body=body))
        library = folder / "library.so"
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", *flags.split(), "-o", str(library), str(folder / "program.c")],
            check=True,
        )
        listed = subprocess.run(["nm", str(library)], capture_output=True, text=True, check=True).stdout
        symbols = {name: int(value, 16) for value, _, name in
                   (line.split() for line in listed.splitlines() if len(line.split()) == 3)}  # fmt: skip
        subprocess.run(["strip", str(library)], check=True)
        return library.read_bytes(), symbols

    @pytest.mark.parametrize(
        ("instruction", "found"),
        [("aesenc %1, %0", True), ("aesdeclast %1, %0", True), ("pclmulqdq $16, %1, %0", True),
         ("vaesenc %1, %0, %0", True), ("vpclmulqdq $1, %1, %0, %0", True), ("pxor %1, %0", False),
         ("vpaddd %1, %0, %0", False), ("pshufb %1, %0", False)],
    )  # fmt: skip
    def test_functions_with_cipher_instructions(self, tmp_path: Path, instruction: str, found: bool) -> None:
        library, symbols = self.compiled(tmp_path, instruction, "-maes -mavx -mpclmul")
        ranges = cipher_symbols.ciphers(library)
        assert cipher_symbols.within(ranges, symbols["cipher"]) is found
        assert not cipher_symbols.within(ranges, symbols["plain"])
        assert len(ranges) == found

    def test_what_is_no_library(self) -> None:
        for content in (b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01" + b"\0" * 60):
            assert cipher_symbols.ciphers(content) == []
        other = b"\x7fELF\x02\x01" + b"\0" * 12 + struct.pack("<H", 183) + b"\0" * 44
        assert cipher_symbols.ciphers(other) == []

    def test_ranges(self) -> None:
        ranges = [(10, 20), (30, 35)]
        inside = [address for address in range(40) if cipher_symbols.within(ranges, address)]
        assert inside == [*range(10, 20), *range(30, 35)]
        assert not cipher_symbols.within([], 5)
