# SPDX-License-Identifier: MIT
"""What the `match` of every vpn.yaml must not read from what the real ends printed.

What it must read there, the contract says: test_contract.py.
"""

from __future__ import annotations

import re

import pytest

from lab.benches.vpn import proof
from lab.benches.vpn.contract import captures
from lab.benches.vpn.contract.captures import Capture
from lab.catalog.catalog import Catalog

REAL = Catalog()
CAPTURES = [capture for vpn in REAL.vpns.values() for capture in captures.every(REAL, vpn)]
UP = [capture for capture in CAPTURES if capture.case in REAL.suites]
"""Those of tunnels that were up by the suite in their name."""


def name(capture: Capture) -> str:
    return f"{capture.vpn.name}/{capture.path.stem}"


@pytest.mark.parametrize("capture", UP, ids=name)
def test_no_variant_is_proved_by_what_another_printed(capture: Capture) -> None:
    own = capture.vpn.proof(capture.variant).suite
    for variant in capture.vpn.file.variants:
        if capture.vpn.proof(variant).suite != own:
            assert capture.read(variant) == ""


@pytest.mark.parametrize("capture", UP, ids=name)
def test_no_other_suite_is_read_from_half_of_it(capture: Capture) -> None:
    """An end that has not said all of it yet has not proved another suite."""
    ends = capture.vpn.proof(capture.variant).suite
    assert ends
    probe = getattr(ends, capture.end)
    lines = capture.text.splitlines(keepends=True)
    heads = {
        proof.session(probe.match, "".join(lines[:count]))[0] for count in range(0, len(lines), 1 + len(lines) // 40)
    }
    dialect = capture.vpn.file.dialect
    others = {row.native.get(dialect) for name, row in REAL.suites.items() if name != capture.case}
    assert not heads & others


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (r"^kernel TLS: .*\n", ""),
        (r"^kernel TLS: 1\.\d", "kernel TLS: 1.1"),
        (r"^(kernel TLS: \S+) \S+", r"\1 AES-256-CCM"),
        (r"tx=sw", "tx=base"),
        (r"rx=sw|rx=base", "rx=hw"),
        (r"TlsCurrTxSw=1", "TlsCurrTxSw=2"),
        (r"^kernel TLS: .*", "kernel TLS: none none tx=base rx=base TlsCurrTxSw=0 TlsCurrRxSw=0"),
    ],
)
@pytest.mark.parametrize(
    "capture",
    [each for each in UP if re.match("tls.*-kernel", each.variant)],
    ids=name,
)
def test_kernel_tls_is_believed_only_if_the_kernel_says_just_that(capture: Capture, said: str, instead: str) -> None:
    """The ends go on in user space, and report the same session, where the kernel has not taken the records."""
    believed_no_more(capture, said, instead)


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (r"^kernel tunnel: .*\n", ""),
        (r"^(kernel tunnel: )DTLS1\.2", r"\1DTLS1.3"),
        (r"^(kernel tunnel: \S+) \S+", r"\1 AES-256-GCM"),
        (r" tun0 ", " tun1 "),
    ],
)
@pytest.mark.parametrize("capture", [each for each in CAPTURES if each.variant == "dtls-kernel"], ids=name)
def test_a_tunnel_of_the_kernels_is_believed_only_if_the_kernel_says_so(
    capture: Capture, said: str, instead: str
) -> None:
    """The daemons carry the packets, and report the same session, where the kernel does not."""
    believed_no_more(capture, said, instead)


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (r"^ipsec0: .*\n", ""),
        (r"^ipsec0: xfrm", "ipsec0: tun of charon-systemd"),
        (r"^kernel in: .*\n", ""),
        (r"^kernel out: .*\n", ""),
        (r"^(kernel out: )\S+", r"\1NULL"),
        (r"^(kernel in: \S+) encap \S+", r"\1 encap espintcp"),
    ],
)
@pytest.mark.parametrize(
    "capture",
    [each for each in UP if each.vpn.name == "strongswan" and not each.variant.endswith("-user")],
    ids=name,
)
def test_esp_in_the_kernel_is_believed_only_if_its_states_say_so(capture: Capture, said: str, instead: str) -> None:
    """The daemon reports the same where it carries ESP itself."""
    believed_no_more(capture, said, instead)


@pytest.mark.parametrize(("said", "instead"), [(r"tun of [\w-]+", "tun of nobody"), (r"tun of [\w-]+", "xfrm")])
@pytest.mark.parametrize("capture", [each for each in UP if each.variant in ("esp-in-udp-user", "udp-go")], ids=name)
def test_a_tun_device_is_believed_only_if_its_own_program_has_it(capture: Capture, said: str, instead: str) -> None:
    believed_no_more(capture, said, instead)


def believed_no_more(capture: Capture, said: str, instead: str) -> None:
    """What an end printed proves nothing with this instead of that."""
    text = capture.text
    other, changes = re.subn(said, instead, text, flags=re.MULTILINE)
    assert changes
    ends = capture.vpn.proof(capture.variant).suite
    assert ends
    assert proof.session(getattr(ends, capture.end).match, other) == ("", "")
