# SPDX-License-Identifier: MIT
"""The filters of vpn.yaml. That libpcap takes what is valid here, tests/live/test_filters.py asks libpcap itself."""

from __future__ import annotations

import pytest

from lab.catalog import filters
from lab.catalog.catalog import Catalog

VALID = (
    "ip",
    "esp",
    "ah or icmp6",
    "udp port 1194",
    "udp  port\t1194",
    "port 65535",
    "tcp src port 0",
    "sctp dst portrange 500-510",
    "ip proto 47",
    "ip6 proto 255 and not ip6 multicast",
    "esp or udp port 500",
    "udp port 4500 or udp port 500",
    "udp port 655 or (tcp port 655 and less 400)",
    "udp port 1194 or (udp and ip[6:2] & 0x1fff != 0)",
    "((udp port 1)) && !(not greater 100 || ip6)",
    "ip[9]=47",
    "tcp[13] & 2 == 2",
)
INVALID = {
    "": "a condition is missing at its end, such as `esp`, `udp port 500`",
    "udp prot 1194": "'udp prot 1194' stands where a condition",
    "upd port 1194": "'upd port 1194' stands where a condition",
    "udp port": "'udp port' stands where a condition",
    "udp port 65536": "'udp port 65536' stands where a condition",
    "udp port https": "'udp port https' stands where a condition",
    "udp portrange 1-70000": "'udp portrange 1-70000' stands where a condition",
    "ip proto 256": "'ip proto 256' stands where a condition",
    "udp port 1 or": "a condition is missing at its end",
    "or udp port 1": "'or' stands where a condition",
    "udp port 1 udp port 2": "'udp port 1 udp port 2' stands where a condition",
    "udp port 1 or and udp port 2": "'and' stands where a condition",
    "(udp port 1": "')' is missing at its end",
    "udp and ((tcp)": "')' is missing at its end",
    "udp port 1)": "')' stands where `and`, `or` or the end is wanted",
    "udp (port 1)": "'(' stands where `and`, `or` or the end is wanted",
    "()": "')' stands where a condition",
    "esp[0] = 1": "'esp[0] = 1' stands where a condition",
    "ip[6:3] = 1": "'ip[6:3] = 1' stands where a condition",
    "ip[6:2] & 0x1fff": "'ip[6:2] & 0x1fff' stands where a condition",
    "udp port 1; true": "'udp port 1; true' stands where a condition",
}


@pytest.mark.parametrize("text", VALID)
def test_a_filter(text: str) -> None:
    assert filters.valid(text) == text


@pytest.mark.parametrize(("text", "said"), INVALID.items())
def test_what_is_none(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="is no filter: ") as caught:
        filters.valid(text)
    assert str(caught.value).startswith(f"{text!r} is no filter: ")
    assert said in str(caught.value)


def test_every_condition_has_an_example_of_itself() -> None:
    for example in filters.CONDITIONS:
        assert filters.valid(example) == example


def test_every_filter_there_is() -> None:
    for vpn in Catalog().vpns.values():
        for variant in vpn.file.variants.values():
            assert filters.valid(variant.wire)
