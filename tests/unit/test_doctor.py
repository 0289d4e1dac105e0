# SPDX-License-Identifier: MIT
"""`lab doctor`: what it says of a machine, and that it looks where Docker keeps its data."""

from __future__ import annotations

import json
import sys
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from lab.benches.vpn import doctor
from lab.catalog.catalog import Catalog
from lab.cli import main, rows
from lab.core.errors import LabError

Usage = namedtuple("Usage", ["total", "used", "free"])


def meminfo(kilobytes: int) -> str:
    return f"MemTotal:       99999999 kB\nMemFree:           1000 kB\nMemAvailable:   {kilobytes} kB\nBuffers: 1 kB\n"


def test_memory_for_a_guest() -> None:
    enough = doctor.memory(meminfo(3584 * 1024))
    assert (enough.state, enough.detail) == ("ok", "3584 MiB available")
    little = doctor.memory(meminfo(3583 * 1024))
    assert little.state == "note", "VPNs on the host take less"
    assert "3583 MiB available: a guest of `--engine vm` takes 3584 MiB" in little.detail
    assert "--memory" in little.fix


def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def usage(path: Path) -> Any:
        asked.append(path)
        return Usage(10**12, 0, 5 * 10**9)

    monkeypatch.setattr("lab.benches.vpn.doctor.shutil.disk_usage", usage)
    assert doctor.disk("disk", tmp_path, 4 * 10**9).state == "ok"
    full = doctor.disk("disk", tmp_path / "not" / "yet", 8 * 10**9)
    assert (full.state, full.detail) == ("missing", f"5.0 GB free in {tmp_path}/not/yet, 8.0 GB needed")
    assert full.fix
    assert asked == [tmp_path, tmp_path], "a folder that is to be made is looked at by its parent"


def test_kvm(tmp_path: Path) -> None:
    absent = doctor.kvm(tmp_path / "kvm")
    assert absent.state == "note", "guests are emulated then, and work"
    assert "emulates" in absent.detail
    (tmp_path / "kvm").touch()
    assert doctor.kvm(tmp_path / "kvm").state == "ok"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """An engine with its data in a folder of its own; it has every image, and lacks one data path."""
    image = SimpleNamespace(attrs={"Size": 139_000_000})
    client = SimpleNamespace(images=SimpleNamespace(get=lambda tag: image))
    facts = {"ServerVersion": "20.10", "KernelVersion": "6.18", "DockerRootDir": str(tmp_path / "docker")}
    engine = SimpleNamespace(facts=facts, here=True, client=client, image_id=lambda tag: "sha256:1")
    monkeypatch.setattr(doctor, "connect", lambda: engine)
    monkeypatch.setattr("lab.benches.vpn.doctor.images.is_current", lambda *_: True)
    monkeypatch.setattr("lab.benches.vpn.doctor.lacking", lambda *_: {})
    monkeypatch.setattr("lab.benches.vpn.doctor.lacking_wires", lambda *_: {})
    monkeypatch.setattr("lab.benches.vpn.doctor.testbed.labs", lambda *_: {})
    return engine


def examined() -> dict[str, doctor.Finding]:
    return {finding.what: finding for finding in doctor.examine(Catalog())}


def test_the_disk_is_that_of_docker(engine: SimpleNamespace, tmp_path: Path) -> None:
    assert f"free in {tmp_path}/docker" in examined()["disk for Docker"].detail
    engine.here = False
    assert examined()["disk for Docker"].detail == "on another machine: not examined"
    assert "memory" not in examined(), "it would be this machine's"


def test_everything_is_looked_at(engine: SimpleNamespace) -> None:
    vpns = Catalog().vpns
    wanted = {"processors", "memory", "disk for Docker", "disk for runs", "/dev/net/tun", "/dev/kvm", "Docker engine"}
    assert wanted | {f"VPN {name}" for name in vpns} | {f"image {name}" for name in vpns} <= set(examined())


def test_what_the_kernel_lacks(engine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    vpn = max(Catalog().vpns.values(), key=lambda vpn: len(vpn.file.variants))
    first, second, *others = vpn.file.variants
    lacks = {(vpn.name, first): "no ESP", (vpn.name, second): "no ESP"}
    monkeypatch.setattr("lab.benches.vpn.doctor.lacking", lambda *_: lacks)
    found = examined()
    assert found[f"VPN {vpn.name}"].detail.startswith(", ".join(others) + "; ")
    missing = found[f"VPN {vpn.name}: {first}, {second}"]
    assert (missing.state, missing.detail) == ("unsupported", "no ESP")
    assert "--engine vm" in missing.fix


def test_wires_that_the_kernel_lacks(engine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    every = list(Catalog().wires)
    assert examined()["wires"].detail == ", ".join(every)
    monkeypatch.setattr("lab.benches.vpn.doctor.lacking_wires", lambda *_: dict.fromkeys(every[2:], "no netem"))
    found = examined()
    assert (found["wires"].state, found["wires"].detail) == ("ok", "whole, cut")
    missing = found[f"wires {', '.join(every[2:])}"]
    assert (missing.state, missing.detail) == ("unsupported", "no netem")
    assert "--engine vm" in missing.fix


def test_images_that_are_not_built(engine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.benches.vpn.doctor.images.is_current", lambda *_: False)
    engine.image_id = lambda tag: None
    found = examined()
    assert (found["image base"].state, found["image base"].detail) == ("missing", "not built")
    assert all(found[f"VPN {name}"].fix == "`lab build`" for name in Catalog().vpns)


def test_without_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect() -> None:
        raise LabError("no Docker engine", "install one")

    monkeypatch.setattr(doctor, "connect", connect)
    found = examined()
    assert (found["Docker engine"].state, found["Docker engine"].fix) == ("missing", "install one")
    assert {"memory", "disk for Docker", "/dev/kvm"} <= set(found)


def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[Any, str, str]:
    monkeypatch.setattr(sys, "argv", ["lab", "doctor", *words])
    monkeypatch.setattr(rows, "console", Console(width=80))
    with pytest.raises(SystemExit) as ended:
        main.main()
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err


def test_the_command_says_what_is_missing(
    engine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "_machine", lambda engine: [doctor.Finding("disk", "missing", "1 GB", "make room")])
    code, output, complaints = shown(monkeypatch, capsys)
    assert (code, complaints.splitlines()[0]) == (1, "lab: missing: disk")
    assert max(map(len, output.splitlines())) <= 80
    assert "fix: make room" in output
    code, output, complaints = shown(monkeypatch, capsys, "--json")
    assert (code, complaints) == (1, "")
    assert {"what": "disk", "state": "missing", "detail": "1 GB", "fix": "make room"} in json.loads(output)


def test_the_command_succeeds_where_something_is_merely_unsupported(
    engine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "_machine", lambda engine: [doctor.Finding("/dev/kvm", "note", "absent", "none")])
    vpn = next(iter(Catalog().vpns.values()))
    lacks = {(vpn.name, name): "no ESP" for name in vpn.file.variants}
    monkeypatch.setattr("lab.benches.vpn.doctor.lacking", lambda *_: lacks)
    code, output, complaints = shown(monkeypatch, capsys)
    assert (code, complaints) == (0, "")
    assert "unsupported" in output
