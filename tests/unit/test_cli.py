# SPDX-License-Identifier: MIT
"""What is asked of `lab` wrongly is refused with what would be right, before any engine is asked for anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from stored import sample

from lab import __version__
from lab.benches.vpn import measures
from lab.catalog.catalog import Catalog
from lab.cli import main, options
from lab.results.store import Store
from lab.runner.settings import size_in_bytes, size_text

DEAD = "unix:///nonexistent/docker.sock"
VPNS = list(Catalog().vpns)
VPN = next(name for name, vpn in Catalog().vpns.items() if not vpn.file.control)
VARIANTS = sorted({name for vpn in Catalog().vpns.values() for name in vpn.file.variants})

Said = tuple[int, str, str]
Lab = Callable[..., Said]


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Lab:
    """Run the command, with an engine that cannot be reached; returns its exit code, output and complaints."""
    monkeypatch.setenv("DOCKER_HOST", DEAD)
    monkeypatch.delenv("LAB_RESULTS", raising=False)
    monkeypatch.setattr("lab.runner.lock.LOCK", tmp_path / "lock")  # a run on this machine is no concern of these

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["lab", *arguments])
        try:
            main.main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1 if stop.code else 0
        else:
            code = 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.parametrize(
    ("arguments", "said", "names"),
    [
        (["matrix", "--vpns", VPN + "x"], f"unknown VPN '{VPN}x'. Did you mean '{VPN}'?", VPNS),
        (["matrix", "--ciphers", "aes-128-gmc"], "unknown suite 'aes-128-gmc'. Did you mean 'aes-128-gcm'?",
         ["aes-128-gcm", "all", "quick"]),
        (["matrix", "--measures", "throughputs"], "unknown measure 'throughputs'. Did you mean 'throughput'?",
         list(measures.every())),
        (["matrix", "--variants", "udpp"], "unknown variant 'udpp'", VARIANTS),
        (["up", VPN + "x"], f"unknown VPN '{VPN}x'. Did you mean '{VPN}'?", VPNS),
        (["up", VPN, "--variant", "nonsense"], f"unknown variant of {VPN} 'nonsense'", []),
        (["up", VPN, "--cipher", "aes-128-gmc"], "unknown suite 'aes-128-gmc'. Did you mean 'aes-128-gcm'?", []),
        (["build", VPN + "x"], f"unknown image '{VPN}x'. Did you mean '{VPN}'?", [*VPNS, "base", "meter"]),
        (["build", "--variants", "udpp"], "unknown variant 'udpp'", [*VARIANTS, "packaged"]),
        (["build", "--from", "stok"], "unknown source 'stok'", ["auto", "bootstrap", "stock"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and value else "",
)  # fmt: skip
def test_an_unknown_name(lab: Lab, arguments: list[str], said: str, names: list[str]) -> None:
    code, _, complaints = lab(*arguments)
    assert (code, said in complaints) == (2, True), complaints
    valid = complaints.partition("valid names: ")[2].strip().split(", ")
    assert valid != [""]
    assert set(names) <= set(valid)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--blocks", "0"], "--blocks: at least 1 is wanted, got 0"),
        (["--blocks", "-3"], "--blocks: at least 1 is wanted, got -3"),
        (["--duration", "0"], "--duration: at least 1 is wanted, got 0"),
        (["--duration", "0.5"], "Invalid value for '--duration'"),
        (["--duration", "601"], "--duration: at most 600 is wanted, got 601"),
        (["--streams", "0"], "--streams: at least 1 is wanted, got '0'"),
        (["--streams", "1,many"], "--streams: a whole number is wanted"),
        (["--streams", "65"], "--streams: at most 64 is wanted, got '65'"),
        (["--directions", "sideways"], "--directions: 'up' or 'down' is wanted, got 'sideways'"),
        (["--size", "10XB"], "--size: '10XB' is not a size"),
        (["--size", "999"], "--size: at least 1000 is wanted, got '999'"),
        (["--size", "2GB"], "--size: at most 1000000000 is wanted, got '2GB'"),
        (["--engine", "hots"], "--engine: 'host', 'vm' or 'cable' is wanted, got 'hots'"),
        (["--clock", "sundial"], "--clock: 'wall' or 'instructions' is wanted, got 'sundial'"),
        (["--kernel", "mainline"], "--kernel: 'backports' or 'stable' is wanted, got 'mainline'"),
        (["--memory", "512"], "--memory: at least 1024 is wanted, got 512"),
        (["--processors", "0"], "--processors: at least 1 is wanted, got 0"),
        (["--guests", "0"], "--guests: at least 1 is wanted, got 0"),
        (["--clock", "instructions"], "--engine: the clock `instructions` needs --engine vm: only an emulator"),
        (
            ["--engine", "vm", "--clock", "instructions", "--processors", "2"],
            "--engine: the clock `instructions` works with one",
        ),
        (["--engine", "vm", "--guests", "2"], "--engine: several guests disturb each other"),
        (["--resume", "nonsense"], "no run at "),
        (["--blocks", "1000000000"], "--blocks: at most 10000 is wanted, got 1000000000"),
        (["--blocks", "many"], "--blocks: a whole number or `auto` is wanted, got 'many'"),
        (["--nonsense"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_value_that_cannot_be(lab: Lab, arguments: list[str], said: str) -> None:
    code, _, complaints = lab("matrix", *arguments)
    assert (code, said in complaints) == (2, True), complaints


@pytest.mark.parametrize("option", [["--runnable"], ["--variants", "packaged"]])
def test_one_image_or_those_that_are_needed(lab: Lab, option: list[str]) -> None:
    code, _, complaints = lab("build", VPN, *option)
    assert (code, f"one image or {option[0]}, not both" in complaints) == (2, True), complaints


@pytest.mark.parametrize("runnable", [[], ["--runnable"]])
def test_only_the_images_of_some_variants_are_built(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, runnable: list[str]
) -> None:
    """Where it is asked what this machine can run, that is asked of these variants alone."""
    built: list[tuple[set[str], Any]] = []
    monkeypatch.setattr("lab.engines.engine.connect", object)
    monkeypatch.setattr(
        "lab.engines.build.build",
        lambda host, folders, progress, *, needed, **_: built.append(({each.name for each in folders}, needed)),
    )
    assert lab("build", *runnable)[0] == lab("build", *runnable, "--variants", "packaged")[0] == 0
    (every, _), (packaged, needed) = built
    others = {variant.image for vpn in Catalog().vpns.values() for variant in vpn.file.variants.values()} - {None}
    assert others
    assert others <= every
    assert packaged == {"base", "meter", *VPNS}
    assert (needed is not None) == bool(runnable)
    if needed:
        monkeypatch.setattr("lab.benches.vpn.bench.requirements.lacks", lambda engine, vpns: {})
        assert set(needed()) == packaged


@pytest.mark.parametrize("words", [["up"], ["down"], ["vm", "up"], ["vm", "down", "--disks"], ["vm", "shell"]])
@pytest.mark.parametrize("name", ["..", "/srv", "a/b", "-a", "a b"])
def test_what_nothing_can_be_called(lab: Lab, words: list[str], name: str) -> None:
    """A name becomes a part of a path under which things are removed."""
    code, _, complaints = lab(*words, f"--name={name}")
    assert (code, f"--name: {name!r} is not a valid name" in complaints) == (2, True), complaints


def leaves(command: Any, *words: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command, with the words that lead to it."""
    for name, each in getattr(command, "commands", {}).items():
        yield from leaves(each, *words, name)
    if not hasattr(command, "commands"):
        yield words, command


TAKES_TEXT = [
    pytest.param(
        [*words, f"{name}={{}}"] if name[0] == "-" else [*words, *["x"] * nth, "{}"], name, id=" ".join([*words, name])
    )
    for words, command in leaves(typer.main.get_command(main.app))
    for nth, parameter in enumerate(command.params)
    if not getattr(parameter, "is_flag", False)
    for name in [parameter.opts[0] if parameter.param_type_name == "option" else parameter.name.upper()]
]


def test_every_kind_of_command_is_among_them() -> None:
    names = {param.id for param in TAKES_TEXT}
    assert {"matrix --resume", "matrix --vpns", "crypto --libraries", "vm up --name", "report RUN"} <= names


@pytest.mark.parametrize(("words", "name"), TAKES_TEXT)
def test_an_empty_word_is_no_way_to_say_nothing(lab: Lab, words: list[str], name: str) -> None:
    """It is what `--resume "$RUN"` becomes where RUN is not set: no new run, nor all VPNs, was asked for."""
    for empty in ("", " ,"):
        code, _, complaints = lab(*(word.format(empty) for word in words))
        assert (code, f"lab: {name}: {empty!r} is empty" in complaints) == (2, True), complaints


@pytest.mark.parametrize("arguments", [["report", "r2"], ["compare", "r2", "r1"], ["thesis", "r2"]])
def test_a_run_that_is_not_there(lab: Lab, tmp_path: Path, arguments: list[str]) -> None:
    Store.create(tmp_path / "r1", {})
    code, _, complaints = lab(*arguments, "--results", str(tmp_path))
    assert code == 2
    assert f"no run at {tmp_path}/r2" in complaints
    assert "r1" in complaints.splitlines()[-1]


@pytest.mark.parametrize("margin", ["-1", "0", "1", "5", "nan", "inf"])
def test_a_margin_is_a_part_of_one(lab: Lab, tmp_path: Path, margin: str) -> None:
    Store.create(tmp_path / "r1", {})
    code, _, complaints = lab("compare", "r1", "r1", f"--margin={margin}", "--results", str(tmp_path))
    assert (code, complaints.splitlines()[0]) == (
        2, f"lab: --margin: more than 0 and less than 1 is wanted, got {float(margin):g}"
    )  # fmt: skip


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Runs of three blocks: two alike, one of a tenth less, two with failures or few blocks, one of another clock."""

    def run(name: str, speeds: list[float], clock: str = "instructions", outcome: str = "ok") -> None:
        engine = {"name": "vm", "clock": clock}
        created = f"2026-01-01T00:00:0{len(list(tmp_path.iterdir()))}+00:00"
        store = Store.create(tmp_path / name, {"engine": engine, "created": created})
        for block, speed in enumerate(speeds):
            reading = {"metric": "throughput", "unit": "Mbit/s", "end": "server", "value": speed}
            readings = [reading] if outcome == "ok" else []
            reason = "" if outcome == "ok" else "killed"
            where = {"run": name, "engine": "vm", "clock": clock}
            store.append(sample(0, block=block, outcome=outcome, reason=reason, readings=readings, **where))

    run("broken", [1, 1, 1], outcome="failed")
    run("a", [100, 100.1, 99.9])
    run("aa", [100.1, 100, 100.2])
    run("vague", [100, 110, 92])
    run("empty", [])
    run("slow", [90, 90.1, 89.9])
    run("newer", [95, 95.1, 94.9])
    run("other", [100, 100, 100], clock="wall")
    return tmp_path


@pytest.mark.parametrize(("b", "code"), [("aa", 0), ("slow", 3), ("vague", 4), ("broken", 3)])
@pytest.mark.parametrize("form", [[], ["--json"], ["--markdown"]], ids=["text", "json", "markdown"])
def test_a_gate_tells_by_its_exit_code(lab: Lab, history: Path, b: str, code: int, form: list[str]) -> None:
    result = {0: "passed", 3: "not passed: worse", 4: "undecided"}[code]
    told, output, _ = lab("compare", "a", b, "--gate", *form, "--results", str(history))
    assert told == code
    if form == ["--json"]:
        answer = json.loads(output)
        assert answer["gate"]["exit_code"] == code
        assert answer["margin"] == 0.01
    else:
        assert output.startswith(f"**{result}") if form else f"Gate: {result}" in output
    assert lab("compare", "a", b, *form, "--results", str(history))[0] == 0, "without it a comparison is no error"


def test_a_run_against_its_past(lab: Lab, history: Path) -> None:
    """The newest past run is what it is held against; of a folder those before it count that can be compared."""
    code, output, _ = lab("compare", "slow", "--against", str(history), "--gate", "--json", "--results", str(history))
    told = json.loads(output)
    assert (code, told["a"], told["b"], told["past"]) == (4, "vague", "slow", 4)
    code, output, _ = lab("compare", "aa", "--against", "a", "--gate", "--json", "--results", str(history))
    assert (code, json.loads(output)["a"], json.loads(output)["past"]) == (0, "a", 1)
    several = ["--against", "a,slow", "--against", "vague"]
    code, output, _ = lab("compare", "a", "aa", *several, "--json", "--results", str(history))
    assert (json.loads(output)["a"], json.loads(output)["past"]) == ("a", 3)


def test_no_past_to_compare_with(lab: Lab, history: Path) -> None:
    assert lab("compare", "a", "--results", str(history))[0] == 2
    code, _, complaints = lab("compare", "a", "--against", "a", "--results", str(history))
    assert (code, "no past run" in complaints) == (2, True)
    code, _, complaints = lab("compare", "a", "--against", "nonesuch", "--results", str(history))
    assert (code, "--against: nonesuch is no run" in complaints) == (2, True)
    code, _, complaints = lab("compare", "a", "--against", "other", "--results", str(history))
    assert (code, "cannot be compared" in complaints) == (1, True)
    assert lab("compare", "a", "aa", "--json", "--markdown", "--results", str(history))[0] == 2


@pytest.mark.parametrize("arguments", [["compare", "r1", "r2"], ["compare", "r2", "r1", "--json"]], ids=" ".join)
def test_runs_of_two_commands_have_nothing_to_compare(lab: Lab, tmp_path: Path, arguments: list[str]) -> None:
    engine = {"engine": {"name": "vm", "clock": "wall"}}
    Store.create(tmp_path / "r1", engine)
    Store.create(tmp_path / "r2", {"kind": "ktls", **engine})
    Store.create(tmp_path / "r3", {"kind": "ktls", **engine})
    code, output, complaints = lab(*arguments, "--results", str(tmp_path))
    assert (code, output) == (2, "")
    assert "r1 is one of `lab matrix`" in complaints or "r1 one of `lab matrix`" in complaints
    assert "r2 one of `lab ktls`" in complaints or "r2 is one of `lab ktls`" in complaints


@pytest.mark.parametrize("command", ["matrix", "crypto", "ktls"])
def test_a_run_of_another_command_does_not_go_on(lab: Lab, tmp_path: Path, command: str) -> None:
    other = "crypto" if command == "ktls" else "ktls"
    Store.create(tmp_path / "r1", {"kind": other})
    code, _, complaints = lab(command, "--resume", "r1", "--results", str(tmp_path))
    assert code == 2
    assert f"r1 is not a run of `lab {command}`" in complaints
    assert f"`lab {other} --resume r1`" in complaints


def test_options_are_named_as_they_are_typed(lab: Lab) -> None:
    code, _, complaints = lab("ktls", "--file-payloads", "1")
    assert (code, complaints) == (2, "lab: --file-payloads: at least 8 is wanted, got '1'\n")


@pytest.mark.parametrize(
    "arguments", [["list", "vpns"], ["list", "suites"], ["matrix"], ["build"], ["up"]], ids=" ".join
)
def test_a_root_with_nothing_in_it(tmp_path: Path, arguments: list[str]) -> None:
    """Nothing to list is no answer, and nothing to build no success."""
    there = os.environ | {"LAB_ROOT": str(tmp_path), "LAB_LOCK": str(tmp_path / "lock"), "DOCKER_HOST": DEAD}
    command = [sys.executable, "-m", "lab", *arguments]
    done = subprocess.run(command, env=there, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"no {tmp_path}/images/*/" in done.stderr
    assert "LAB_ROOT" in done.stderr


def test_unknown_commands_and_things(lab: Lab) -> None:
    assert lab("nonsense")[0] == 2
    code, _, complaints = lab("list", "nonsense")
    assert code == 2
    for name in ("vpns", "suites", "measures", "runs"):
        assert name in complaints


@pytest.mark.parametrize(
    "arguments",
    [["matrix"], ["matrix", "--engine", "vm"], ["status"], ["up"], ["down"], ["build"], ["crypto"], ["ktls"]],
    ids=" ".join,
)
def test_without_an_engine(lab: Lab, arguments: list[str]) -> None:
    code, _, complaints = lab(*arguments)
    assert code == 1
    assert complaints.startswith(f"lab: no Docker engine answers at DOCKER_HOST={DEAD}")
    assert "correct or unset DOCKER_HOST" in complaints.splitlines()[-1]
    assert "Traceback" not in complaints


def test_lists_need_no_engine(lab: Lab) -> None:
    for what, names in (("vpns", VPNS), ("suites", list(Catalog().suites)), ("measures", list(measures.every()))):
        code, output, _ = lab("list", what, "--json")
        assert code == 0
        assert [row[what.removesuffix("s")] for row in json.loads(output)] == names
        assert lab("list", what)[0] == 0


def test_version_and_help(lab: Lab) -> None:
    assert lab("--version") == (0, f"lab {__version__}\n", "")
    code, output, _ = lab("--help")
    assert code == 0
    for command in (
        "doctor", "build", "up", "down", "status", "matrix", "report", "compare", "thesis", "list", "crypto", "ktls",
        "vm",
    ):  # fmt: skip
        assert command in output


def test_the_installed_command(tmp_path: Path) -> None:
    """From any folder, as a process of its own: exit code, complaint on stderr, nothing on stdout."""
    command = [sys.executable, "-c", "from lab.cli.main import main; main()", "matrix", "--vpns", "nonsense"]
    result = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"DOCKER_HOST": DEAD}, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("lab: unknown VPN 'nonsense'.")


def test_a_catalog_elsewhere(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "lab" / "catalog").mkdir(parents=True)
    catalog.ciphers.rename(tmp_path / "lab" / "catalog" / "suites.yaml")
    with (tmp_path / "images" / "alpha" / "vpn.yaml").open("a", encoding="utf-8") as file:
        file.write("port: 1194\n")
    command = [sys.executable, "-c", "from lab.cli.main import main; main()", "list", "vpns"]
    result = subprocess.run(
        command, env=os.environ | {"LAB_ROOT": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert f"{tmp_path}/images/alpha/vpn.yaml:15: port: lab knows no such key" in result.stderr


@pytest.mark.parametrize(
    ("text", "size"),
    [("10MB", 10**7), ("1GB", 10**9), ("64KB", 64000), ("5000", 5000), ("5000B", 5000), ("10mb", 10**7), ("3K", None)],
)
def test_sizes(text: str, size: int | None) -> None:
    if size is None:
        with pytest.raises(ValueError, match=f"'{text}' is not a size"):
            size_in_bytes(text)
    else:
        assert size_in_bytes(text) == size
        assert size_in_bytes(size_text(size)) == size_in_bytes(size) == size


@pytest.mark.parametrize("text", ["", "MB", "-5MB", "1.5GB", "10 MB", "10MBB", "10XB", "0x10", "²MB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size; for example 10MB or 1GB"):
        size_in_bytes(text)


@pytest.mark.parametrize(
    ("text", "words"), [("a,b", ["a", "b"]), (" a , b ,", ["a", "b"]), ("", []), (",", []), ("a", ["a"])]
)
def test_words(text: str, words: list[str]) -> None:
    assert options.words(text) == words
