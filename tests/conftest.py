# SPDX-License-Identifier: MIT
"""What the tests share: output captured from the real tools, and a catalog of invented VPNs."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from lab.catalog.catalog import Catalog
from lab.results.store import Store

DATA = Path(__file__).parent / "data"

CIPHERS = """\
dialects: {air: no VPN, greek: names in Greek, latin: names in Latin}
suites:
- {suite: none, title: no VPN, encrypts: false, native: {air: none}}
- {suite: strong, title: Strong, quick: true, native: {greek: STRONG, latin: FORTIS}}
- {suite: weak, title: Weak, native: {greek: WEAK}, absent: {latin: "latin has nothing weak"}}
- {suite: odd, title: Odd, native: {latin: IMPAR}}
"""
CONTROL = """\
title: Control
summary: nothing at all
dialect: air
interface: eth0
addresses: wire
encrypts: false
control: true
variants:
  wire: {records: kernel, wire: ip}
"""
ALPHA = """\
title: Alpha
summary: a VPN in user space
dialect: greek
interface: tun0
variants:
  udp: {records: user, wire: udp port 1}
  tcp: {records: user, wire: tcp port 1}
needs:
  capabilities: [NET_ADMIN]
  devices: [/dev/net/tun]
proof:
  suite:
    server: {run: [show], match: 'cipher (.*)$'}
    client: {run: [show], match: 'cipher (.*)$'}
"""
BETA = """\
title: Beta
summary: a VPN in the kernel
dialect: latin
interface: beta0
variants:
  udp: {records: kernel, wire: udp port 2}
needs:
  kernel:
    - {feature: Beta, config: CONFIG_BETA, probe: ["true"]}
proof:
  suite:
    server: &suite {run: [show], match: 'cipher (.*)$'}
    client: *suite
"""


TOGETHER = {
    "tests/e2e": "host",
    "tests/live": "host",
    "tests/vm/test_kept": "kept",
    "tests/vm/test_beside": "kept",
    "tests/vm/test_ends": "kept",
    "tests/vm/test_faults": "kept",
}
"""Folders and files whose tests share what there is one of: the labs of this machine's engine (one test takes them all
down), and the guest that is kept up."""
GUEST = re.compile(r"\[(stable|backports)\b")
"""What is done again in a guest of another kernel."""


LAST = 2000
"""Characters of a failure that are shown at once; all of it stands in the summary."""


class Groups(LoadScopeScheduling):  # type: ignore[misc]
    """Which tests `pytest -n 2` takes one after the other: those of a file, as a rule."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition(".py::")[0]
        guest = GUEST.search(nodeid) if file.startswith("tests/vm/") else None
        return TOGETHER.get(file) or TOGETHER.get(file.rpartition("/")[0]) or f"{file} {guest[1] if guest else ''}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Groups:
    """Where tests are shared out among processes, they are so by these groups."""
    return Groups(config, log)


class AtOnce:
    """Says which test failed, and why, when it fails: a run that is cut short has no summary."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self.terminal = terminal

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.terminal.ensure_newline()
            self.terminal.write_line(f"{report.nodeid}: {report.when} failed", red=True)
            self.terminal.write_line(report.longreprtext[-LAST:])


def pytest_sessionstart(session: pytest.Session) -> None:
    """Only the process that has a terminal tells of failures: those of all its workers."""
    plugins = session.config.pluginmanager
    if terminal := plugins.get_plugin("terminalreporter"):
        plugins.register(AtOnce(terminal))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Why tests were skipped: by reason, since pytest's own lines, one for each test, bury what failed."""
    skipped = terminalreporter.stats.get("skipped", [])
    for reason, times in Counter(report.longrepr[2] for report in skipped).most_common():
        terminalreporter.write_line(f"SKIPPED [{times}] {reason.removeprefix('Skipped: ')}")


@pytest.fixture(scope="session")
def captured() -> Callable[[str], str]:
    """The text of a file under `tests/data`."""
    return lambda name: (DATA / name).read_text(encoding="utf-8")


@pytest.fixture
def raw() -> Callable[[str], dict[str, Any]]:
    """What a measure's `run` returned, from a file under `tests/data/raw`; a fresh copy, free to be changed."""

    def load(name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((DATA / "raw" / name).read_text(encoding="utf-8"))
        return content

    return load


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """Two invented VPNs, `alpha` (user space, two variants) and `beta` (kernel), and a control, `bare`."""
    for name, text in {"bare": CONTROL, "alpha": ALPHA, "beta": BETA}.items():
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        (folder / "vpn.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "images" / "base").mkdir()  # an image that is no VPN
    ciphers = tmp_path / "ciphers.yaml"
    ciphers.write_text(CIPHERS, encoding="utf-8")
    return Catalog(root=tmp_path, ciphers=ciphers)


@pytest.fixture
def compiled(catalog: Catalog) -> Catalog:
    """The same, but `tcp` of alpha runs in another image than alpha's own."""
    path = catalog.root / "images" / "alpha" / "vpn.yaml"
    path.write_text(ALPHA.replace("wire: tcp port 1}", "wire: tcp port 1, image: alpha-compiled}"), encoding="utf-8")
    return catalog


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "results" / "r1", {"plan": "abc"})
