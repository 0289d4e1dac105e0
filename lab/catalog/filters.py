# SPDX-License-Identifier: MIT
"""The filters of vpn.yaml: as much of pcap-filter(7) as it takes to describe the packets of a data path.

libpcap compiles a filter in the containers where packets are captured, and a wrong one there looks like a network that
does not work. So it is checked when it is read. What is valid here is valid there, unless it explains every packet that
there can be. Names of services and of other protocols are not valid: a container need not know them.
"""

from __future__ import annotations

import re
from typing import Any

NUMBER = r"(?:0x[0-9a-f]+|\d+)"
CONDITIONS = {
    "esp": r"ip|ip6|tcp|udp|sctp|icmp|icmp6|esp|ah",
    "udp port 500": r"(?:(?:tcp|udp|sctp) )?(?:(?:src|dst) )?port (?P<port>\d+)",
    "udp portrange 500-510": r"(?:(?:tcp|udp|sctp) )?(?:(?:src|dst) )?portrange (?P<first>\d+)-(?P<last>\d+)",
    "ip proto 47": r"(?:ip|ip6) proto (?P<protocol>\d+)",
    "ip6 multicast": r"(?:ip|ip6) multicast",
    "less 400": r"(?:less|greater) \d+",
    "ip[6:2] & 0x1fff != 0": rf"(?:ip|ip6|tcp|udp|sctp|icmp|icmp6)\[\d+(?::[124])?\](?: ?& ?{NUMBER})?"
    rf" ?(?:==?|!=|<=?|>=?) ?{NUMBER}",
}
"""The conditions that a filter is made of: an example of each, and its pattern."""
MOST = {"port": 65535, "first": 65535, "last": 65535, "protocol": 255}
"""The greatest number of each kind in these patterns."""
WORDS = re.compile(r"([()]|&&|\|\||!(?!=)|\b(?:and|or|not)\b)")
"""What stands between conditions."""


def valid(text: str) -> str:
    """The filter `text` itself.

    Raises:
        ValueError: it is not a filter; names what is wrong in it, and what can stand there.
    """
    depth, complete = 0, False
    for word in filter(None, (" ".join(part.split()) for part in WORDS.split(text))):
        if complete and word in ("and", "or", "&&", "||"):
            complete = False
        elif complete and word == ")" and depth:
            depth -= 1
        elif not complete and word == "(":
            depth += 1
        elif not complete and (word in ("not", "!") or _is_condition(word)):
            complete = word not in ("not", "!")
        else:
            wanted = "`and`, `or` or the end" if complete else f"a condition, such as {_examples()}"
            raise ValueError(f"{text!r} is no filter: {word!r} stands where {wanted} is wanted")
    if not complete:
        raise ValueError(f"{text!r} is no filter: a condition is missing at its end, such as {_examples()}")
    if depth:
        raise ValueError(f"{text!r} is no filter: {')' * depth!r} is missing at its end")
    return text


def _is_condition(word: str) -> bool:
    """Whether it is one of the CONDITIONS, with no number too great."""
    found: list[re.Match[str]] = [match for form in CONDITIONS.values() if (match := re.fullmatch(form, word))]
    numbers: dict[str, Any] = found[0].groupdict() if found else {}
    return bool(found) and all(int(number) <= MOST[name] for name, number in numbers.items())


def _examples() -> str:
    return ", ".join(f"`{example}`" for example in CONDITIONS)
