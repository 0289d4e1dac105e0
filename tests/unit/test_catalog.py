# SPDX-License-Identifier: MIT
"""The VPNs and suites that there are, invented ones here; and what is said of files that are wrong."""

import io
from pathlib import Path

import pandas
import pytest

from lab.benches.crypto import libraries
from lab.catalog.catalog import Catalog
from lab.catalog.vpns import KernelFeature, Needs
from lab.core.errors import UsageError

THESIS = """
    aes-128-gcm aes-192-gcm aes-256-gcm aes-128-ccm aes-192-ccm aes-256-ccm aes-128-cbc-sha1 aes-192-cbc-sha1
    aes-256-cbc-sha1 aes-128-cbc-sha256 aes-256-cbc-sha256 aes-128-cbc-md5 aes-256-cbc-md5 3des-cbc-sha1 3des-cbc-md5
    des-ede-cbc-sha1 desx-cbc-sha1 bf-cbc-sha1 cast5-cbc-sha1 rc2-cbc-sha1 rc2-40-cbc-sha1 rc2-64-cbc-sha1 des-cbc-sha1
    chacha20-poly1305 null-nomac
"""
"""Every row of the thesis's tables B.1 to B.4."""


PROOF = """\
proof:
  suite:
    server: {run: [show], match: 'cipher (.*)$'}
    client: {run: [show], match: 'cipher (.*)$'}
"""
"""That of `alpha`."""


def alter(catalog: Catalog, old: str, new: str) -> Path:
    """Change the vpn.yaml of `alpha`; returns its path."""
    path = catalog.root / "images" / "alpha" / "vpn.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_a_folder_with_a_vpn_yaml_is_a_vpn_and_controls_come_first(catalog: Catalog) -> None:
    assert list(catalog.vpns) == ["bare", "alpha", "beta"]
    assert catalog.vpns["alpha"].folder == catalog.root / "images" / "alpha"
    assert catalog.vpns["bare"].file.control
    assert not catalog.vpns["alpha"].file.control


def test_defaults(catalog: Catalog) -> None:
    alpha = catalog.vpns["alpha"].file
    assert (alpha.encrypts, alpha.addresses, alpha.packages) == (True, "tunnel", [])
    assert alpha.proof.counters is None


def test_suites_keep_the_order_of_the_file(catalog: Catalog) -> None:
    assert list(catalog.suites) == ["none", "strong", "weak", "odd"]


def test_why_a_suite_is_absent(catalog: Catalog) -> None:
    alpha, beta = catalog.vpns["alpha"], catalog.vpns["beta"]
    assert beta.why_not("udp", catalog.suites["weak"]) == "latin has nothing weak"
    assert alpha.why_not("udp", catalog.suites["odd"]) == "the greek dialect has no name for odd"


def test_a_vpn_may_say_why_it_has_few_suites(catalog: Catalog) -> None:
    path = catalog.root / "images" / "beta" / "vpn.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "absent: Beta has two suites\n", encoding="utf-8")
    beta = catalog.vpns["beta"]
    assert beta.why_not("udp", catalog.suites["none"]) == "Beta has two suites"
    assert beta.why_not("udp", catalog.suites["weak"]) == "latin has nothing weak"  # the suite's own reason says more


def test_a_variant_may_have_fewer_suites_and_more_needs(catalog: Catalog) -> None:
    path = catalog.root / "images" / "alpha" / "vpn.yaml"
    text = path.read_text(encoding="utf-8")
    more = """  fast:
    records: kernel
    wire: tcp
    needs: {devices: [/dev/fast], capabilities: [NET_ADMIN]}
    suites: {match: "STRO.*", otherwise: fast is for the strong}
"""
    path.write_text(text.replace("variants:\n", "variants:\n" + more), encoding="utf-8")
    alpha = catalog.vpns["alpha"]
    assert alpha.why_not("fast", catalog.suites["weak"]) == "fast is for the strong"
    assert not alpha.why_not("udp", catalog.suites["weak"])
    assert not alpha.why_not("fast", catalog.suites["strong"])
    assert alpha.why_not("fast", catalog.suites["odd"]) == "the greek dialect has no name for odd"
    assert "/dev/fast" in alpha.needs("fast").devices
    assert "/dev/fast" not in alpha.needs("udp").devices
    both = alpha.needs("fast").capabilities
    assert len(both) == len(set(both))


ESP = KernelFeature(feature="ESP", config="CONFIG_INET_ESP", probe=["true"])
TLS = KernelFeature(feature="TLS", config="CONFIG_TLS", probe=["modprobe", "tls"])


def test_needs_add_up_and_what_both_name_is_named_once() -> None:
    some = Needs(capabilities=["NET_ADMIN", "NET_RAW"], devices=["/dev/net/tun"], kernel=[ESP])
    more = Needs(capabilities=["SETGID", "NET_ADMIN"], devices=["/dev/vhost-net", "/dev/net/tun"], kernel=[TLS, ESP])
    assert some + more == Needs(
        capabilities=["NET_ADMIN", "NET_RAW", "SETGID"], devices=["/dev/net/tun", "/dev/vhost-net"], kernel=[ESP, TLS]
    )
    assert some + Needs() == Needs() + some == some
    assert (some.kernel, more.devices[0]) == ([ESP], "/dev/vhost-net")  # neither is changed by the sum


def test_a_choice_of_vpns_always_has_the_controls(catalog: Catalog) -> None:
    assert [vpn.name for vpn in catalog.choose_vpns(["beta"])] == ["bare", "beta"]
    assert [vpn.name for vpn in catalog.choose_vpns([])] == ["bare", "alpha", "beta"]


@pytest.mark.parametrize(
    ("variants", "left"),
    [
        ([], ["bare/wire", "alpha/udp", "alpha/tcp", "beta/udp"]),
        (["tcp"], ["bare/wire", "alpha/tcp"]),
        (["packaged"], ["bare/wire", "alpha/udp", "beta/udp"]),
        (["packaged", "tcp"], ["bare/wire", "alpha/udp", "alpha/tcp", "beta/udp"]),
    ],
)
def test_a_choice_of_variants(compiled: Catalog, variants: list[str], left: list[str]) -> None:
    chosen = compiled.choose_vpns([], variants)
    assert [f"{vpn.name}/{variant}" for vpn in chosen for variant in vpn.file.variants] == left
    assert list(compiled.vpns["alpha"].file.variants) == ["udp", "tcp"], "the catalogue itself has all"


def test_an_unknown_variant(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match=r"unknown variant 'packed'\. Did you mean 'packaged'") as caught:
        catalog.choose_vpns(["alpha"], ["packed"])
    assert caught.value.hint == "valid names: packaged, tcp, udp, wire"


def test_a_choice_of_variants_that_leaves_only_the_control(compiled: Catalog) -> None:
    alter(compiled, "wire: udp port 1}", "wire: udp port 1, image: alpha-compiled}")
    fresh = Catalog(compiled.root, compiled.ciphers)
    assert [vpn.name for vpn in fresh.choose_vpns([], ["packaged"])] == ["bare", "beta"]
    with pytest.raises(UsageError, match="`--variants packaged` leaves no data path but the control's") as caught:
        fresh.choose_vpns(["alpha"], ["packaged"])
    assert caught.value.hint == "valid names: tcp, udp, wire"


def test_an_unknown_vpn(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match=r"unknown VPN 'alfa'\. Did you mean 'alpha'") as caught:
        catalog.choose_vpns(["beta", "alfa"])
    assert caught.value.hint == "valid names: alpha, bare, beta"


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["all"], ["none", "strong", "weak", "odd"]),
        ([], ["none", "strong", "weak", "odd"]),
        (["quick"], ["strong"]),
        (["odd", "weak"], ["weak", "odd"]),
        (["quick", "odd"], ["strong", "odd"]),
    ],
)
def test_a_choice_of_suites(catalog: Catalog, names: list[str], chosen: list[str]) -> None:
    assert [row.suite for row in catalog.choose_suites(names)] == chosen


@pytest.mark.parametrize("names", [["strnog"], ["quick", "strnog"], ["all", "strnog"]])
def test_an_unknown_suite(catalog: Catalog, names: list[str]) -> None:
    with pytest.raises(UsageError, match=r"unknown suite 'strnog'\. Did you mean 'strong'") as caught:
        catalog.choose_suites(names)
    assert caught.value.hint == "valid names: all, none, odd, quick, strong, weak"


def test_a_variant_may_be_proved_in_its_own_way(catalog: Catalog) -> None:
    own = "proof: {suite: {server: {run: [s], match: '(S)'}, client: {run: [c], match: '(C)'}}}"
    alter(catalog, "wire: tcp port 1}", f"wire: tcp port 1, {own}}}")
    alpha = catalog.vpns["alpha"]
    udp, tcp = alpha.proof("udp").suite, alpha.proof("tcp").suite
    assert udp is not None
    assert tcp is not None
    assert (udp.server.match, tcp.server.match, tcp.client.match) == ("cipher (.*)$", "(S)", "(C)")


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("title: Alpha\n", "", 1, "title: it is missing"),
        ("interface: tun0", "interface: tun0\nport: 1194", 5, "port: lab knows no such key, got 1194"),
        ("records: user, wire: tcp", "records: both, wire: tcp", 7,
         "variants.tcp.records: 'user', 'kernel' or 'kernel-tx' is wanted, got 'both'"),
        ("wire: udp port 1", "wires: udp port 1", 6, "variants.udp.wire: it is missing"),
        ("[NET_ADMIN]", "NET_ADMIN", 9, "needs.capabilities: a list is wanted, got 'NET_ADMIN'"),
        ("client: {run: [show], match: 'cipher (.*)$'}", "client: {run: [show], match: '('}", 14,
         "proof.suite.client.match: not a regular expression: missing ), unterminated subpattern"),
        ("client: {run: [show], match", "client: {run: [], match", 14, "proof.suite.client.run: at least 1"),
        ("    client: {run", "    klient: {run", 12, "proof.suite.client: it is missing"),
        ("(.*)$'}\n    client", ".*'}\n    client", 13,
         "proof.suite.server.match: a group without a name is wanted, for the suite, and none with one but"),
        ("client: {run: [show], match: 'cipher (.*)$'}", "client: {run: [show], match: '(?P<sesion>.) (.*)$'}", 14,
         "proof.suite.client.match: a group without a name is wanted, for the suite, and none with one but"),
        ("proof:\n", "proof:\n  counters:\n    server: &c {run: [s], match: '(?P<rx>.) (?P<xt>.)'}\n    client: *c\n",
         13, "proof.counters.server.match: the named groups `rx` and `tx` are wanted, got `rx`, `xt` and 0 without a"),
        ("wire: udp port 1", "wire: udp prot 1", 6,
         "variants.udp.wire: 'udp prot 1' is no filter: 'udp prot 1' stands where a condition, such as `esp`, `udp"),
        ("wire: tcp port 1", "wire: tcp port 1 or", 7,
         "variants.tcp.wire: 'tcp port 1 or' is no filter: a condition is missing at its end"),
        (PROOF, "", 6, "variants.udp: nothing proves its suite: `suite` is missing under"),
        ("  udp: {", "  packaged: {", 6, "variants.packaged: `packaged` is the name of a set of variants"),
        ("  udp: {", "  nan: {", 6, "variants.nan.[key]: 'nan' is no name"),
        ("interface: tun0", "interface: the tunnel", 4, "interface: text that matches"),
        ("needs:\n", "packages: [Alpha]\nneeds:\n", 8, "packages.0: text that matches"),
        ("dialect: greek", "dialect: Greek!", 3, "dialect: text that matches"),
        ("  capabilities", "\tcapabilities", 9, "not YAML: found character '\\t' that cannot start any token"),
        ("variants:\n", "variants: {}\nothers:\n", 5, "variants: at least 1 is wanted, got {}"),
    ],
    ids=["missing", "extra", "choice", "misspelt", "type", "regex", "no-command", "one-end", "no-suite",
         "no-session", "counter", "filter", "half-a-filter", "no-proof", "set", "missing-value", "interface",
         "package", "name", "yaml", "empty"],
)  # fmt: skip
def test_a_malformed_vpn_yaml(catalog: Catalog, old: str, new: str, line: int, expected: str) -> None:
    path = alter(catalog, old, new)
    with pytest.raises(UsageError) as caught:
        _ = catalog.vpns
    assert f"{path}:{line}: {expected}" in caught.value.message


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("- {suite: new}", "4.title: it is missing"),
        ("- {suite: new, title: ''}", "4.title: text is wanted, and not none"),
        ("- {suite: new, title: New, nativ: {}}", "4.nativ: lab knows no such key"),
        ("- {suite: New Suite, title: New}", "4.suite: text that matches"),
        ("- {suite: new, title: New, quick: perhaps}", "4.quick: true or false is wanted"),
        ("- {suite: new, title: New, native: [a]}", "4.native: a mapping is wanted"),
        ("- {suite: new, title: New, native: {greek: ''}}", "4.native.greek: text is wanted, and not none"),
        ("- {suite: new, title: New, native: {greek: }}", "4.native.greek: text is wanted, got None"),
        ("- {suite: new, title: New, native: {greek: ' A'}}", "4.native.greek: no space is wanted around it, got ' A'"),
        ("- {suite: new, title: New, absent: {greek: ''}}", "4.absent.greek: text is wanted, and not none"),
        (
            "- {suite: new, title: New, native: {greek: A}, absent: {greek: none here}}",
            "4.absent.greek: both `native` and `absent` in greek: one of them is wrong",
        ),
        ("- {suite: weak, title: Again}", "4.suite: there is a suite weak already"),
        ("- {suite: quick, title: Quick}", "4.suite: quick is the name of a set of suites: choose another"),
        ("- {suite: 'null', title: Nothing}", "4.suite: 'null' is no name: readers of results.csv take it for"),
        (
            "- {suite: new, title: New, native: {greek: STRONG}}",
            "4.native.greek: strong has the same name, STRONG: a proof of the one would be a proof of the other",
        ),
        (
            "- {suite: new, title: New, native: {greeek: NEW}}",
            "4.native.greeek: there is no such dialect. Did you mean 'greek'? Valid: air, greek, latin; a new one is",
        ),
        ("- {suite: new, title: New, absent: {norse: none}}", "4.absent.norse: there is no such dialect."),
    ],
)
def test_a_malformed_row_of_suites(catalog: Catalog, row: str, expected: str) -> None:
    """It is named with its line. Two rows by one native name would be proved by the same words."""
    text = catalog.ciphers.read_text(encoding="utf-8")
    catalog.ciphers.write_text(text + row + "\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        _ = catalog.suites
    assert f"{catalog.ciphers}:7: suites.{expected}" in caught.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dialects: {a: A}\nsuites: [\n", ":3: not YAML: "),
        ("dialects: {a: A}\nsuites: []\n", ":2: suites: at least 1 is wanted, got []"),
        ("suites:\n- {suite: new, title: New}\n", ":1: dialects: it is missing"),
        ("dialects: {a: }\nsuites:\n- {suite: new, title: New}\n", ":1: dialects.a: text is wanted"),
        ("- {suite: new, title: New}\n", ":1: the document: a mapping is wanted"),
        ("dialects: {a: A}\nsuites:\n- {suite: new, title: New, native: {a: X, a: Y}}\n",
         ":3: not YAML: the key 'a' stands in line 3 already"),
        ("dialects: {a: A}\nsuites:\n- suite: new\n  title: New\n  title: Old\n",
         ":5: not YAML: the key 'title' stands in line 4 already"),
    ],
)  # fmt: skip
def test_a_malformed_table_of_suites(catalog: Catalog, text: str, expected: str) -> None:
    catalog.ciphers.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        _ = catalog.suites
    assert f"{catalog.ciphers}{expected}" in caught.value.message


def test_no_table_of_suites(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        _ = Catalog(root=tmp_path, ciphers=tmp_path / "none.yaml").suites


@pytest.mark.parametrize("suite", THESIS.split())
def test_every_suite_of_the_thesis_has_a_row(suite: str) -> None:
    assert suite in Catalog().suites


def test_every_dialect_is_that_of_a_vpn_or_of_a_library() -> None:
    real = Catalog()
    libraries_own = {row.dialect for row in libraries.load().values()} | {libraries.STITCHED}
    assert set(real.table.dialects) == libraries_own | {vpn.file.dialect for vpn in real.vpns.values()}


def test_no_name_is_taken_for_a_missing_value() -> None:
    """A reader of results.csv uses pandas with its defaults, to which `null` and `nan` are no names."""
    real = Catalog()
    names = [*real.vpns, *real.suites, *(variant for vpn in real.vpns.values() for variant in vpn.file.variants)]
    column = pandas.read_csv(io.StringIO("\n".join(["name", *names])))["name"]
    assert column.tolist() == names
