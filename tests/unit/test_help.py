# SPDX-License-Identifier: MIT
"""The help of each command: flags, examples that can be typed, the names of the catalogue; and what Tab offers."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from lab.benches.vpn import measures
from lab.catalog.catalog import Catalog
from lab.cli import main, names
from lab.core.paths import RESULTS

LAB = [sys.executable, "-m", "lab"]
ROOT = typer.main.get_command(main.app)


def commands(command: Any = ROOT, *words: str) -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its words."""
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, *words, name)
    if not hasattr(command, "commands"):
        yield " ".join(words), command


COMMANDS = dict(commands())


Lab = Callable[..., str]


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lab:
    """Run the command in a terminal of 80 columns; returns what it prints, unless it complains."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words: str, **environment: str) -> str:
        monkeypatch.setattr(sys, "argv", ["lab", *words])
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main.main()
        printed = capsys.readouterr()
        assert (ended.value.code or 0, printed.err) == (0, "")
        return printed.out

    return run


def of_root(root: Path, *words: str) -> str:
    """What a command prints about another catalogue: a process of its own."""
    environment = os.environ | {"COLUMNS": "80", "LAB_ROOT": str(root)}
    return subprocess.run([*LAB, *words], env=environment, capture_output=True, text=True, check=True).stdout


def flat(text: str) -> str:
    """A help text without its frame and line breaks."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", text).split())


@pytest.mark.parametrize("words", ["", "vm", *COMMANDS])
def test_help_at_80_columns(lab: Lab, words: str) -> None:
    text = lab(*words.split(), "--help")
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text, "something is cut off"
    assert "<bool>" not in text, "a flag has no value"
    usage, _, rest = text.partition("╭")
    assert "{" not in usage.splitlines()[-2] + rest.replace("{vpn}", ""), "names are missing"


def test_json_is_a_flag(lab: Lab) -> None:
    assert json.loads(lab("list", "--json", "measures"))


@pytest.mark.parametrize(("words", "command"), COMMANDS.items())
def test_every_command_has_examples_that_it_understands(words: str, command: Any) -> None:
    examples = re.findall(r"^- `(?:.* && )?(lab .*)`$", names.filled(command.help), re.MULTILINE)
    assert examples, f"lab {words} has no example"
    for example in examples:
        assert len(example) <= 74, "it is wrapped at 80 columns"
        program, *arguments = shlex.split(example)
        own = arguments[: len(words.split())]
        assert [program, *own] == ["lab", *words.split()]
        context = command.make_context(words, arguments[len(own) :])
        assert all(context.params[each.name] is not None for each in command.params if each.required)


def test_the_help_of_a_run_names_what_can_be_measured(lab: Lab) -> None:
    text, catalog = flat(lab("matrix", "--help")), Catalog()
    for vpn in catalog.vpns.values():
        assert vpn.name in text
        assert all(variant in text for variant in vpn.file.variants)
    for name in (*catalog.suites, *measures.every()):
        assert name in text


def test_the_names_are_those_of_the_catalogue_in_use(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "lab" / "catalog").mkdir(parents=True)
    catalog.ciphers.rename(tmp_path / "lab" / "catalog" / "suites.yaml")
    text = flat(of_root(tmp_path, "matrix", "--help"))
    vpns = sorted(catalog.vpns, key=lambda name: catalog.vpns[name].file.control)
    assert f"VPNs, separated by commas: {', '.join(vpns)}." in text
    assert "lab matrix --vpns alpha --ciphers strong" in text


@pytest.mark.parametrize("words", ["matrix", "up", "build"])
def test_help_needs_no_catalogue(words: str, tmp_path: Path) -> None:
    """It is where somebody looks who has broken it."""
    assert f"Usage: lab {words} " in of_root(tmp_path, words, "--help")


def test_the_help_says_how_to_switch_completion_on(lab: Lab) -> None:
    assert "lab --install-completion makes Tab complete" in flat(lab("--help"))


class TestCompletion:
    """What bash is told to offer at the end of a line."""

    @pytest.fixture
    def offered(self, lab: Lab) -> Callable[[str], list[str]]:
        def ask(line: str) -> list[str]:
            words = line.split(" ")
            asked = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
            return lab(_LAB_COMPLETE="complete_bash", **asked).split()

        return ask

    def test_commands(self, offered: Callable[[str], list[str]]) -> None:
        assert offered("lab ma") == ["matrix"]
        assert offered("lab vm s") == ["shell", "status"]

    def test_names(self, offered: Callable[[str], list[str]]) -> None:
        catalog = Catalog()
        assert set(offered("lab matrix --vpns ")) == set(catalog.vpns)
        assert set(offered("lab up ")) == set(catalog.vpns)
        assert set(offered("lab matrix --ciphers ")) == {"all", "quick", *catalog.suites}
        assert offered("lab matrix --variants pack") == offered("lab build --variants pack") == ["packaged"]
        assert set(offered("lab matrix --measures t")) == {"throughput", "transfer"}

    def test_the_last_word_of_a_list(self, offered: Callable[[str], list[str]]) -> None:
        first, second = list(Catalog().vpns)[:2]
        assert offered(f"lab matrix --vpns {first},{second[:4]}") == [f"{first},{second}"]
        assert f"{first},{first}" not in offered(f"lab matrix --vpns {first},")

    def test_runs(self, offered: Callable[[str], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        runs = {path.parent.name for path in RESULTS.glob("*/meta.json")}
        assert runs
        assert set(offered("lab report ")) == runs
        monkeypatch.setenv("LAB_RESULTS", str(tmp_path))
        assert offered("lab report ") == []

    def test_choices_of_the_engine(self, offered: Callable[[str], list[str]]) -> None:
        assert offered("lab matrix --engine ") == ["host", "vm", "cable"]
        assert offered("lab matrix --clock i") == ["instructions"]

    def test_an_unfinished_line_is_no_error(self, offered: Callable[[str], list[str]]) -> None:
        assert offered("lab up '' --name .. --engine ") == ["host", "vm", "cable"]

    def test_nor_is_a_catalogue_that_cannot_be_read(
        self, offered: Callable[[str], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(names, "_catalog", lambda: Catalog(tmp_path))
        assert offered("lab matrix --vpns ") == []
