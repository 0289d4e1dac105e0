# SPDX-License-Identifier: MIT
"""The contract of a VPN's folder: each way to break it is one fault, named with its file, its line and the next step.

That the VPNs of the lab keep it, `test_every_vpn_keeps_it` says: what it demands is in lab/benches/vpn/contract/.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest
import typer

from lab.benches.vpn.contract import check, image
from lab.benches.vpn.contract.check import Checked
from lab.catalog.catalog import Catalog
from lab.cli import contract as cli
from lab.core.errors import UsageError

REAL = Catalog()
VPN_YAML = """\
title: Gamma
summary: a VPN for tests
dialect: greek
absent: gamma has two suites
interface: tun0
variants:
  udp: {records: user, wire: udp port 1}
  tcp: {records: user, wire: tcp port 1}
needs: {capabilities: [NET_ADMIN], devices: [/dev/net/tun]}
packages: [gammad]
proof:
  suite:
    server: &suite {run: [session], match: '^(?P<session>\\d+) (\\w+)$'}
    client: *suite
  counters:
    server: &counters {run: [bytes], match: 'rx=(?P<rx>\\d+) tx=(?P<tx>\\d+)'}
    client: *counters
"""
DOCKERFILE = """\
# What every test has.
ARG BASE
FROM ${BASE}
RUN apt-get update \\
 && apt-get install -y gammad
COPY session bytes \\
     up /usr/local/bin/
"""
SCRIPT = "#!/bin/bash\nset -euo pipefail\necho 1 STRONG\n"
FILES = MappingProxyType(
    {
        "images/gamma/vpn.yaml": VPN_YAML,
        "images/gamma/Dockerfile": DOCKERFILE,
        "images/gamma/up": SCRIPT,
        "images/gamma/session": SCRIPT,
        "images/gamma/bytes": SCRIPT,
        "images/base/Dockerfile": "ARG ROOTFS\nFROM ${ROOTFS}\n",
        "tests/data/gamma/udp-strong-server.txt": "1 STRONG\n",
        "tests/data/gamma/udp-strong-client.txt": "1 STRONG\n",
        "tests/data/gamma/udp-refused-client.txt": "nobody is there\n",
        "tests/data/gamma/counters-server.txt": "rx=1 tx=2\n",
        "tests/data/gamma/counters-client.txt": "rx=2 tx=1\n",
    }
)

Break = Callable[..., Checked]


@pytest.fixture
def root(catalog: Catalog) -> Path:
    """A catalogue with a VPN that keeps the contract."""
    for name, text in FILES.items():
        path = catalog.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755 if text == SCRIPT else 0o644)
    return catalog.root


@pytest.fixture
def checked(root: Path, catalog: Catalog) -> Break:
    """What is said of it once `old` has become `new` in a file. No file is left where nothing is put in its place."""

    def run(name: str = "", old: str = "", new: str | None = "") -> Checked:
        if name:
            path = root / name
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            assert old in text
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink() if new is None else path.write_text(text.replace(old, new) if old else new, encoding="utf-8")
        (each,) = check.check(Catalog(root, catalog.ciphers), ["gamma"])
        return each

    return run


def told(checked: Checked, root: Path) -> list[str]:
    """The faults, as a person reads them."""
    places = [(fault.file.relative_to(root), fault.line, fault) for fault in checked.faults]
    return [f"{file}:{line}: {fault.what} | {fault.fix}" for file, line, fault in places]


@pytest.mark.parametrize("name", REAL.vpns)
def test_every_vpn_keeps_it(name: str) -> None:
    (checked,) = check.check(REAL, [name])
    assert not [f"{fault.place}: {fault.what}" for fault in checked.faults]
    assert not checked.uncaptured


def test_a_folder_that_keeps_it(checked: Break) -> None:
    assert checked() == Checked("gamma", [], [])


VPN, DOCKER, DATA = "images/gamma/vpn.yaml", "images/gamma/Dockerfile", "tests/data/gamma"


@pytest.mark.parametrize(
    ("name", "old", "new", "fault"),
    [
        (VPN, "udp port 1", "udp prot 1", f"{VPN}:7: variants.udp.wire: 'udp prot 1' is no filter: "),
        (VPN, "title: Gamma\n", "", f"{VPN}:1: title: it is missing | take a neighbour's as a model"),
        (VPN, "", None, f"{VPN}:0: it is missing | take a neighbour's as a model"),
        (VPN, "packages: [gammad]\n", "", f"{VPN}:1: packages: there is none | name the Debian packages"),
        (VPN, "dialect: greek", "dialect: greeek", f"{VPN}:3: dialect: there is none called 'greeek', but 'greek' | v"),
        (VPN, "absent: gamma has two suites\n", "", f"{VPN}:3: dialect: nothing says why greek has no odd | say so"),
        (VPN, "wire: tcp port 1", "wire: tcp port 1, suites: {match: WEEK, otherwise: none}",
         f"{VPN}:8: variants.tcp.suites: no suite is left | names in greek: STRONG, WEAK"),
        (VPN, "(?P<session>\\d+)", "\\d+", f"{VPN}:13: proof.suite.server.match: it has no group `session` | name one"),
        (VPN, "[NET_ADMIN]", "[SYS_MODULE]", f"{VPN}:9: needs: capability 'SYS_MODULE' is not granted by docker-compo"),
        (VPN, "[/dev/net/tun]", "[/dev/tun]", f"{VPN}:9: needs: device '/dev/tun' is not granted by docker-compose"),
        (VPN, "wire: tcp port 1", "wire: tcp port 1, image: gamma-2",
         f"{VPN}:8: variants.tcp.image: there is no image gamma-2 | valid names: base, gamma"),
        (VPN, "wire: tcp port 1",
         "wire: tcp port 1, needs: {kernel: [{feature: G, module: {image: g, load: [l]}, probe: [p]}]}",
         f"{VPN}:8: variants.tcp.needs: there is no image g | valid names: base, gamma"),
        (DOCKER, "", None, f"{DOCKER}:0: it is missing | take a neighbour's"),
        (DOCKER, "FROM ${BASE}\n", "", f"{DOCKER}:0: it has no FROM | begin with `ARG BASE`"),
        (DOCKER, "ARG BASE\n", "", f"{DOCKER}:2: ${{BASE}} has no value | declare it above: `ARG BASE`"),
        (DOCKER, "FROM ${BASE}", "FROM debian:trixie", f"{DOCKER}:3: debian:trixie is no image of the lab | begin"),
        (DOCKER, "BASE", "BAES", f"{DOCKER}:3: ${{BAES}} stands for the image baes, and there is none | valid"),
        (DOCKER, "BASE", "ROOTFS", f"{DOCKER}:3: the last stage is not built on the lab's base | begin"),
        (DOCKER, "COPY session", "COPY --chmod=755 session", f"{DOCKER}:6: it sets a mode | engines as old as 20.10"),
        (DOCKER, "RUN apt-get update", "RUN cat <<EOF", f"{DOCKER}:4: it is a here-document | engines as old as 20.10"),
        (DOCKER, "COPY session", "COPY sesion session", f"{DOCKER}:6: there is no sesion in this folder to be copied"),
        (DOCKER, "COPY session", "COPY vpn.yaml session", f"{DOCKER}:6: it copies vpn.yaml: the image would not be"),
        (DOCKER, "COPY session bytes", "COPY session", "images/gamma/bytes:0: the Dockerfile does not copy it, so the"),
        (DOCKER, "     up ", "     ", "images/gamma/up:0: the Dockerfile does not copy it, so the lab cannot call it"),
        ("images/gamma/up", "#!/bin/bash\n", "", "images/gamma/up:1: its first line names no interpreter | begin with"),
        (f"{DATA}/udp-strong-client.txt", "STRONG", "WEAK",
         f"{DATA}/udp-strong-client.txt:0: the client's pattern reads WEAK from it, not STRONG | correct the pattern"),
        (f"{DATA}/udp-strong-client.txt", "1 STRONG", "none",
         f"{DATA}/udp-strong-client.txt:0: the client's pattern reads nothing from it, not STRONG | correct the"),
        (f"{DATA}/udp-refused-client.txt", "nobody is there", "1 STRONG",
         f"{DATA}/udp-refused-client.txt:0: the client's pattern reads STRONG from it, not nothing | correct"),
        (f"{DATA}/counters-server.txt", "\n", " key 0x00112233445566778899AABBCCDDEEFF\n",
         f"{DATA}/counters-server.txt:0: it holds what looks like a key | have the command in vpn.yaml print less"),
        (f"{DATA}/udp-odd-client.txt", "", "1 ODD\n",
         f"{DATA}/udp-odd-client.txt:0: the greek dialect has no suite odd | name it after a suite that the VPN has"),
        (f"{DATA}/counters-client.txt", "tx", "xt",
         f"{DATA}/counters-client.txt:0: the client's pattern of tcp reads no counters from it | correct"),
    ],
)  # fmt: skip
def test_what_breaks_it(
    checked: Break, root: Path, name: str, old: str, new: str | None, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "shellcheck", lambda: None)
    assert [line[: len(fault)] for line in told(checked(name, old, new), root)] == [fault]


def test_a_dialect_in_which_no_suite_has_a_name(checked: Break, root: Path, catalog: Catalog) -> None:
    text = catalog.ciphers.read_text(encoding="utf-8")
    catalog.ciphers.write_text(text.replace("dialects: {", "dialects: {norse: old, "), encoding="utf-8")
    shutil.rmtree(root / DATA)
    (line,) = told(checked(VPN, "dialect: greek", "dialect: norse"), root)
    assert line.startswith(f"{VPN}:3: dialect: no suite has a name in norse | give the suites that it has a name under")


def test_a_script_must_be_executable(checked: Break, root: Path) -> None:
    (root / "images/gamma/session").chmod(0o644)
    assert told(checked(), root) == [
        "images/gamma/session:0: it is a script that is not executable | `chmod +x session`"
    ]


def test_a_vpn_has_up(checked: Break, root: Path) -> None:
    assert [line.partition(":0")[0] for line in told(checked("images/gamma/up", "", None), root)] == [
        DOCKER + ":6: there is no up in this folder to be copied | name a file that is", "images/gamma/up",
    ]  # fmt: skip


def test_scripts_are_read_by_shellcheck(checked: Break, root: Path) -> None:
    assert check.shellcheck(), "make setup installs it"
    (line,) = told(checked("images/gamma/up", "echo", "echo $1 #"), root)
    assert line.startswith("images/gamma/up:3: SC2086: Double quote to prevent globbing")


@pytest.mark.parametrize(
    ("gone", "uncaptured"),
    [
        ("udp-strong-client.txt", ["udp", "tcp"]),
        ("counters-server.txt", ["udp", "tcp"]),
        ("udp-refused-client.txt", []),
    ],
)
def test_what_nobody_has_captured_yet_is_no_fault(checked: Break, gone: str, uncaptured: list[str]) -> None:
    assert checked(f"{DATA}/{gone}", "", None) == Checked("gamma", [], uncaptured)


def test_a_variant_proved_in_its_own_way_needs_a_capture_of_its_own(checked: Break) -> None:
    own = "proof: {suite: {server: &own {run: [session], match: '^(?P<session>.) (S.+)$'}, client: *own}}"
    assert checked(VPN, "wire: tcp port 1", f"wire: tcp port 1, {own}") == Checked("gamma", [], ["tcp"])


@pytest.mark.parametrize(
    ("word", "text", "copied"),
    [
        ("COPY", "up /usr/local/bin/up", ["up"]),
        ("COPY", "--chown=0 session up /bin/", ["session", "up"]),
        ("ADD", '["an end", "up", "/bin/"]', ["an end", "up"]),
        ("COPY", "--from=made /opt/x /opt/x", []),
        ("RUN", "cp up /bin/", []),
    ],
)
def test_what_an_instruction_copies(word: str, text: str, copied: list[str]) -> None:
    assert image.Instruction(1, word, text).copied == copied


def test_stages_of_an_image(root: Path) -> None:
    """A stage may be built on the Debian root, the last one not."""
    path = root / DOCKER
    path.write_text("ARG ROOTFS\nARG BASE\nFROM ${ROOTFS} AS made\nFROM $BASE AS own\nFROM own\n", encoding="utf-8")
    assert not list(image._stages(path, image.instructions(path)))
    path.write_text("ARG ROOTFS\nFROM ${ROOTFS} AS made\nFROM made\n", encoding="utf-8")
    assert [fault.line for fault in image._stages(path, image.instructions(path))] == [3]


def test_a_table_of_suites_that_cannot_be_read_is_told_once(root: Path, catalog: Catalog) -> None:
    catalog.ciphers.write_text("dialects: {greek: Greek}\nsuites: [{suite: a}]\n", encoding="utf-8")
    (table, *others) = check.check(Catalog(root, catalog.ciphers))
    assert [(fault.file, fault.line, fault.what) for fault in table.faults] == [
        (catalog.ciphers, 2, "suites.0.title: it is missing")
    ]
    assert not [each for each in others if each.faults]


def test_one_broken_folder_does_not_hide_the_faults_of_another(root: Path, catalog: Catalog) -> None:
    (root / VPN).write_text("title: [", encoding="utf-8")
    (root / "images" / "alpha" / "vpn.yaml").write_text("title: Alpha\n", encoding="utf-8")
    faults = {each.vpn: each.faults for each in check.check(Catalog(root, catalog.ciphers))}
    assert faults["gamma"][0].what.startswith("not YAML")
    assert faults["alpha"][0].what == "summary: it is missing"
    assert faults["beta"], "its Dockerfile is missing"


def test_an_unknown_vpn(root: Path, catalog: Catalog) -> None:
    with pytest.raises(UsageError, match=r"unknown VPN 'gama'\. Did you mean 'gamma'") as caught:
        check.check(Catalog(root, catalog.ciphers), ["gama"])
    assert caught.value.hint == "valid names: alpha, bare, beta, gamma"


class TestCommand:
    @pytest.fixture(autouse=True)
    def _of_the_root(self, root: Path, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cli, "Catalog", lambda: Catalog(root, catalog.ciphers))

    def test_nothing_is_wrong(self, capsys: pytest.CaptureFixture[str]) -> None:
        cli.check(["gamma"])
        assert capsys.readouterr().out == "gamma: ok\n"
        cli.check(["gamma"], as_json=True)
        assert json.loads(capsys.readouterr().out) == []

    def test_what_only_an_engine_shows_is_the_next_step(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        shutil.rmtree(root / DATA)
        cli.check(["gamma"])
        out = capsys.readouterr().out
        assert "What its ends answer is not kept yet of: udp, tcp" in out
        assert "next: lab build gamma; lab up gamma --variant udp; lab capture gamma --variant udp" in out

    def test_what_is_wrong(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (root / DOCKER).unlink()
        with pytest.raises(typer.Exit) as ended:
            cli.check(["gamma"], as_json=True)
        assert ended.value.exit_code == 1
        printed = capsys.readouterr()
        assert json.loads(printed.out) == [
            {"vpn": "gamma", "file": str(root / DOCKER), "line": 0, "fault": "it is missing",
             "next": "take a neighbour's as a model; CONTRIBUTING.md: Add a VPN"}
        ]  # fmt: skip
        assert printed.err == "lab: 1 fault: gamma\n"

    def test_without_shellcheck_it_says_so(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(check, "shellcheck", lambda: None)
        cli.check(["gamma"])
        assert "scripts: not read, shellcheck is missing" in capsys.readouterr().out
