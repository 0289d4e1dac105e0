# SPDX-License-Identifier: MIT
"""The `match` of every vpn.yaml, against what the real ends printed: `tests/data/<vpn>/<variant>-<suite>-<end>.txt`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.benches.vpn import proof
from lab.catalog.catalog import Catalog
from lab.catalog.vpns import Ends, Vpn

DATA = Path(__file__).parent.parent / "data"
REAL = Catalog()
ENDS = ("server", "client")


@dataclass(frozen=True)
class Capture:
    """What one end printed. `case` is a suite's name where the tunnel was up by it, or what was wrong with it."""

    vpn: Vpn
    variant: str
    case: str
    end: str
    path: Path

    @property
    def native(self) -> str:
        """What must be read from it: nothing where the tunnel must not be believed."""
        return REAL.suites[self.case].native[self.vpn.file.dialect] if self.case in REAL.suites else ""

    def said(self, variant: str) -> str:
        """What is read from it by the way in which `variant` is proved."""
        ends = self.vpn.proof(variant).suite
        assert ends
        return proof.session(getattr(ends, self.end).match, self.path.read_text(encoding="utf-8"))[0]


def captures() -> Iterator[Capture]:
    for vpn in REAL.vpns.values():
        variants = "|".join(map(re.escape, sorted(vpn.file.variants, key=len, reverse=True)))
        for path in sorted((DATA / vpn.name).glob("*.txt")):
            if parts := re.fullmatch(rf"({variants})-(.+)-(server|client)", path.stem):
                yield Capture(vpn, parts[1], parts[2], parts[3], path)


def counted() -> Iterator[tuple[Vpn, str, Ends]]:
    for vpn in REAL.vpns.values():
        for variant in vpn.file.variants:
            if ends := vpn.proof(variant).counters:
                yield vpn, variant, ends


CAPTURES = list(captures())


def name(capture: Capture) -> str:
    return f"{capture.vpn.name}/{capture.path.stem}"


@pytest.mark.parametrize("capture", CAPTURES, ids=name)
def test_the_suite_is_read_from_what_an_end_printed(capture: Capture) -> None:
    assert capture.said(capture.variant) == capture.native


@pytest.mark.parametrize("capture", [each for each in CAPTURES if each.native], ids=name)
def test_no_variant_is_proved_by_what_another_printed(capture: Capture) -> None:
    own = capture.vpn.proof(capture.variant).suite
    for variant in capture.vpn.file.variants:
        if capture.vpn.proof(variant).suite != own:
            assert capture.said(variant) == ""


@pytest.mark.parametrize("capture", [each for each in CAPTURES if each.native], ids=name)
def test_no_other_suite_is_read_from_half_of_it(capture: Capture) -> None:
    """An end that has not said all of it yet has not proved another suite."""
    ends = capture.vpn.proof(capture.variant).suite
    assert ends
    probe = getattr(ends, capture.end)
    lines = capture.path.read_text(encoding="utf-8").splitlines(keepends=True)
    heads = {
        proof.session(probe.match, "".join(lines[:count]))[0] for count in range(0, len(lines), 1 + len(lines) // 40)
    }
    dialect = capture.vpn.file.dialect
    others = {row.native.get(dialect) for row in REAL.suites.values()} - {capture.native}
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
    [each for each in CAPTURES if re.match("tls.*-kernel", each.variant) and each.native],
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
    [each for each in CAPTURES if each.vpn.name == "strongswan" and each.native and not each.variant.endswith("-user")],
    ids=name,
)
def test_esp_in_the_kernel_is_believed_only_if_its_states_say_so(capture: Capture, said: str, instead: str) -> None:
    """The daemon reports the same where it carries ESP itself."""
    believed_no_more(capture, said, instead)


@pytest.mark.parametrize(("said", "instead"), [(r"tun of [\w-]+", "tun of nobody"), (r"tun of [\w-]+", "xfrm")])
@pytest.mark.parametrize(
    "capture", [each for each in CAPTURES if each.variant in ("esp-in-udp-user", "udp-go") and each.native], ids=name
)
def test_a_tun_device_is_believed_only_if_its_own_program_has_it(capture: Capture, said: str, instead: str) -> None:
    believed_no_more(capture, said, instead)


def believed_no_more(capture: Capture, said: str, instead: str) -> None:
    """What an end printed proves nothing with this instead of that."""
    text = capture.path.read_text(encoding="utf-8")
    other, changes = re.subn(said, instead, text, flags=re.MULTILINE)
    assert changes
    ends = capture.vpn.proof(capture.variant).suite
    assert ends
    assert proof.session(getattr(ends, capture.end).match, other) == ("", "")


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    ("vpn", "variant"),
    [
        pytest.param(vpn, variant, id=f"{vpn.name}/{variant}")
        for vpn in REAL.vpns.values()
        for variant in vpn.file.variants
        if vpn.proof(variant).suite
    ],
)
def test_every_variant_has_a_capture_of_each_end(vpn: Vpn, variant: str, end: str) -> None:
    own = vpn.proof(variant)
    alike = [other for other in vpn.file.variants if vpn.proof(other) == own]
    assert [each for each in CAPTURES if each.vpn is vpn and each.variant in alike and each.end == end and each.native]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    ("vpn", "variant", "ends"), [pytest.param(*each, id=f"{each[0].name}/{each[1]}") for each in counted()]
)
def test_the_counters_are_read_from_what_an_end_printed(vpn: Vpn, variant: str, ends: Ends, end: str) -> None:
    """From captures of their own, or from that of the suite where one command prints both."""
    probe = getattr(ends, end)
    own = [DATA / vpn.name / f"{stem}-{end}.txt" for stem in (f"counters-{variant}", "counters")]
    suite = vpn.proof(variant).suite
    paths = [path for path in own if path.exists()][:1]
    if suite and getattr(suite, end).run == probe.run:
        paths += [c.path for c in CAPTURES if (c.vpn, c.variant, c.end) == (vpn, variant, end) and c.native]
    assert paths, "no capture of the counters"
    for path in paths:
        counters = proof.named(probe.match, path.read_text(encoding="utf-8"))
        assert set(counters) == {"rx", "tx"}
        assert all(value >= 0 for value in counters.values())


def test_every_vpn_that_encrypts_shows_its_suite() -> None:
    for vpn in REAL.vpns.values():
        for variant in vpn.file.variants:
            assert vpn.file.control or vpn.proof(variant).suite, f"{vpn.name} {variant} has no proof of its suite"
