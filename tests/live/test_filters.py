# SPDX-License-Identifier: MIT
"""What lab takes for a filter, libpcap takes too: no filter that was read fails where packets are captured."""

from __future__ import annotations

from itertools import permutations

import pytest

from lab.catalog import filters
from lab.engines.engine import Engine

from .conftest import CATALOG

pytestmark = pytest.mark.docker

EACH = 'for filter; do tcpdump -y EN10MB -d "not ($filter) and not arp" >/dev/null 2>&1; echo $?; done'
"""As images/base/wire-proof and the meter put a filter."""
ALONE = ["ip", "ip6", "tcp", "udp", "sctp", "icmp", "icmp6", "esp", "ah"]
ENDS = [
    "port 0",
    "port 65535",
    "sctp src port 1",
    "tcp dst portrange 0-65535",
    "ip6 proto 0",
    "ip proto 255",
    "ip multicast",
]
BYTES = [f"{name}[0:{size}] = 0x0" for name in ALONE if name not in ("esp", "ah") for size in (1, 2, 4)]
SIGNS = [f"ip[9] & 0xff {sign} 17" for sign in ("=", "==", "!=", "<", "<=", ">", ">=")]
PAIRS = [
    f"({one} {word} not ({other}))" for one, other in permutations(filters.CONDITIONS, 2) for word in ("and", "||")
]
OWN = [variant.wire for vpn in CATALOG.vpns.values() for variant in vpn.file.variants.values()]
FILTERS = [*filters.CONDITIONS, *ALONE, *ENDS, *BYTES, *SIGNS, "ip[9]&1=1", *PAIRS, *OWN]
WRONG = ["udp prot 1", "udp port 65536", "udp port 1 or", "esp[0] = 1", "ip[6:3] = 1", "(udp"]


def compiled(engine: Engine, texts: list[str]) -> list[bool]:
    """Whether libpcap takes each of these for a filter."""
    result = engine.once("lab/base:latest", ["bash", "-c", EACH, "bash", *texts], timeout=120)
    return [line == "0" for line in result.stdout.splitlines()]


def test_a_filter_is_one_for_libpcap(engine: Engine, images: None) -> None:
    assert [filters.valid(text) for text in FILTERS] == FILTERS
    taken = compiled(engine, FILTERS)
    assert len(taken) == len(FILTERS)
    assert not [text for text, good in zip(FILTERS, taken, strict=True) if not good]


def test_libpcap_does_not_take_anything(engine: Engine, images: None) -> None:
    assert compiled(engine, WRONG) == [False] * len(WRONG)
