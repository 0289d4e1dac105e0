# SPDX-License-Identifier: MIT
"""docs/in-ci.md: the workflows on it name only commands and options that exist, and exit codes that are given."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from lab.cli.main import app
from lab.core.paths import ROOT
from lab.report import gate

PAGE = (ROOT / "docs" / "in-ci.md").read_text(encoding="utf-8")
WORKFLOWS = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]
ENDS = re.compile(r"[;&|<>]+|>>?|\|\|")
"""The words that end a simple command."""


def scripts() -> Iterator[str]:
    """The shell of each step."""
    for workflow in WORKFLOWS:
        for job in workflow["jobs"].values():
            yield from (step["run"] for step in job["steps"] if "run" in step)


def commands(script: str) -> Iterator[list[str]]:
    """The words of each simple command of a script."""
    for line in script.replace("\\\n", " ").splitlines():
        words: list[str] = []
        for word in [*shlex.shlex(line, posix=True, punctuation_chars=True), ";"]:
            if ENDS.fullmatch(word):
                yield words
                words = []
            else:
                words.append(word)


def labs() -> list[list[str]]:
    """The arguments of every `lab`."""
    words = [each for script in scripts() for each in commands(script)]
    return [each[1:] for each in words if each and Path(each[0]).name == "lab"]


def parsed(words: list[str]) -> Any:
    """What a command makes of its arguments."""
    command: Any = typer.main.get_command(app)
    name, *arguments = words
    return command.commands[name].make_context(name, arguments)


def test_the_steps_of_a_comparison_are_there() -> None:
    assert [words[0] for words in labs()] == ["build", "matrix", "compare", "build", "matrix", "history"]
    assert len(WORKFLOWS) == 2


@pytest.mark.parametrize("words", labs(), ids=" ".join)
def test_a_command_understands_its_options(words: list[str]) -> None:
    assert parsed(words)


def test_a_wrong_option_would_be_noticed() -> None:
    with pytest.raises(Exception, match="No such option"):
        parsed(["matrix", "--fast"])


def test_the_base_is_measured_as_the_change_is() -> None:
    """In one loop, on the clock that the page speaks of, into folders that the comparison names."""
    (script,) = [each for each in scripts() if "for side in base change" in each]
    measured = next(words for words in labs() if words[0] == "matrix")
    compared = next(words for words in labs() if words[0] == "compare")
    assert measured[-2:] == ["--results", "runs/$side"]
    assert parsed(measured).params["clock"] == "instructions"
    assert script.count("lab matrix") == 1
    context = parsed(compared)
    assert (str(context.params["results"]), context.params["against"]) == ("runs/change", ["runs/base"])
    assert context.params["gated"]
    assert context.params["markdown"]


def test_every_exit_code_is_explained() -> None:
    explained = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", PAGE, re.MULTILINE) for code in row.split(",")}
    assert explained == {*gate.CODES.values(), 1, 2}


def test_what_is_made_can_be_made() -> None:
    targets = {words[-1] for script in scripts() for words in commands(script) if words and words[0] == "make"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert targets == {"setup"}
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
