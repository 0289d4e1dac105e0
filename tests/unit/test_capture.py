# SPDX-License-Identifier: MIT
"""What `lab capture` reads from answers, and that no answer with a secret in it is kept. Real ones: tests/e2e."""

from __future__ import annotations

import base64

import pytest

from lab.benches.vpn import capture
from lab.benches.vpn.contract import captures
from lab.catalog.catalog import Catalog
from lab.testbed import credentials

FILES = credentials.make()["client"]
LINES = [
    f"{credentials.FOLDER}/{name} {line}" for name in credentials.SECRET for line in FILES[name].decode().splitlines()
]
"""What SECRETS prints in the client."""
PUBLIC = sorted(FILES.keys() - {*credentials.SECRET, "end.p12"})


@pytest.mark.parametrize("name", credentials.SECRET)
def test_a_secret_is_found_as_it_stands_in_its_file(name: str) -> None:
    text = FILES[name].decode()
    assert capture.secrets_in(f"peer: {text}\n", LINES) == [name]


@pytest.mark.parametrize("name", ["psk", "x25519.key"])
@pytest.mark.parametrize("write", [bytes.hex, lambda key: key.hex().upper(), lambda key: f"0x{key.hex()}"])
def test_a_key_is_found_in_hex(name: str, write: object) -> None:
    assert callable(write)
    assert capture.secrets_in(f"key {write(base64.b64decode(FILES[name]))} 128", LINES) == [name]


def test_a_password_is_found_in_hex() -> None:
    assert capture.secrets_in(FILES["password"].hex(), LINES) == ["password"]


@pytest.mark.parametrize("name", PUBLIC)
def test_what_everybody_may_know_is_no_secret(name: str) -> None:
    assert capture.secrets_in(FILES[name].decode(), LINES) == []


def test_the_secrets_of_an_end_are_those_that_it_is_given() -> None:
    assert set(credentials.SECRET) <= FILES.keys()
    assert {"end.key", "psk", "password", "x25519.key"} <= set(credentials.SECRET)
    assert capture.SECRETS[2:] == [f"/run/credentials/{name}" for name in credentials.SECRET]


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("-----BEGIN PRIVATE KEY-----", True),
        ("-----BEGIN RSA PRIVATE KEY-----", True),
        ("enc cbc(aes) 0x00112233445566778899aabbccddeeff", True),
        ("spi 0xcc7a25b9(3430557113) bytes 84", False),
        ("-----BEGIN CERTIFICATE-----", False),
        ("peer lLz0V+wogeWfsIHej2pRnxf4DdmfIssqdIkXd6IHsTc=", False),
    ],
)
def test_what_looks_like_a_key(text: str, looks: bool) -> None:
    assert bool(captures.KEY.search(text)) is looks


SUITE = r"^(\w+) (?P<session>\d*)$"


@pytest.mark.parametrize(
    ("before", "after", "found", "fault"),
    [
        ("AES 1", "AES 1", "suite AES, session 1", ""),
        ("AES 1", "DES 1", "suite DES, session 1", "the pattern reads DES, and the tunnel was asked for AES"),
        ("AES 1", "nobody", "nothing", "the pattern reads nothing, and the tunnel was asked for AES"),
        ("AES 1", "AES 2", "suite AES, session 2", "before the load the session was 1"),
        ("nobody", "AES 2", "suite AES, session 2", "before the load the session was not told"),
    ],
)
def test_what_is_read_of_the_suite(before: str, after: str, found: str, fault: str) -> None:
    assert capture._suite(SUITE, before, after, "AES") == (found, fault)


COUNTERS = r"rx=(?P<rx>\d+) tx=(?P<tx>\d+)"


@pytest.mark.parametrize(
    ("before", "after", "found", "fault"),
    [
        ("rx=5 tx=6", "rx=100005 tx=200000", "rx 5 before the load and 100005 after it, tx 6 before the load", ""),
        (
            "rx=5 tx=6",
            "rx=100004 tx=200000",
            "rx 5 before the load and 100004",
            "rx grew by less than the load, 100000",
        ),
        ("rx=5 tx=6", "rx=5 tx=6", "rx 5 before the load and 5 after it", "rx and tx grew by less than the load"),
        ("none", "rx=100000 tx=100000", "rx - before the load and 100000 after it", ""),
        ("rx=5 tx=6", "none", "nothing", "the pattern reads nothing"),
    ],
)
def test_what_is_read_of_the_counters(before: str, after: str, found: str, fault: str) -> None:
    read, wrong = capture._counters(COUNTERS, before, after, "AES")
    assert read.startswith(found)
    assert wrong.startswith(fault)
    assert bool(wrong) is bool(fault)


def test_an_answer_is_kept_where_the_tests_look_for_it(catalog: Catalog) -> None:
    alpha = catalog.vpns["alpha"]
    assert captures.missing(catalog, alpha) == ["udp", "tcp"]
    for end in ("server", "client"):
        path = captures.path_of(catalog, alpha, "tcp", "strong", end)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("cipher STRONG\n", encoding="utf-8")
    assert [(each.variant, each.case, each.end) for each in captures.every(catalog, alpha)] == [
        ("tcp", "strong", "client"), ("tcp", "strong", "server"),
    ]  # fmt: skip
    assert captures.missing(catalog, alpha) == [], "both variants are proved alike"


OWN = """proof: {
    suite: {server: &s {run: [s], match: '(.)'}, client: *s},
    counters: {server: &own {run: [b], match: '(?P<rx>.)(?P<tx>.)'}, client: *own}}
"""


@pytest.mark.parametrize(
    ("counters", "own", "name"),
    [
        ("show", "", None),
        ("bytes", "", "counters-client.txt"),
        ("bytes", OWN,
         "counters-tcp-client.txt"),
    ],
    ids=["with the suite", "alike", "in its own way"],
)  # fmt: skip
def test_the_counters_have_a_file_where_they_need_one(
    catalog: Catalog, counters: str, own: str, name: str | None
) -> None:
    path = catalog.root / "images" / "alpha" / "vpn.yaml"
    text = path.read_text(encoding="utf-8").replace("wire: tcp port 1}", f"wire: tcp port 1, {own}}}")
    more = f"  counters: {{server: &c {{run: [{counters}], match: '(?P<rx>.) (?P<tx>.)'}}, client: *c}}\n"
    path.write_text(text + more, encoding="utf-8")
    alpha = catalog.vpns["alpha"]
    kept = captures.path_of_counters(catalog, alpha, "tcp", "client")
    assert kept == (captures.folder(catalog, alpha) / name if name else None)
    if kept:
        kept.parent.mkdir(parents=True)
        kept.write_text("1 2\n", encoding="utf-8")
        assert captures.counters(catalog, alpha, "tcp", "client") == [kept]
