# SPDX-License-Identifier: MIT
"""`make docs`: pages from templates and runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pages
import pytest
import typer
from jinja2 import UndefinedError
from stored import sample

from lab.cli.main import app
from lab.core.errors import LabError
from lab.core.paths import ROOT
from lab.results.store import Store


def write(root: Path, name: str, text: str) -> None:
    path = root / pages.TEMPLATES / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def measure(root: Path, values: list[float]) -> None:
    """A run with one cell, from its raw samples."""
    store = Store.create(root / "results" / "r1", {"processors": 2})
    for block, value in enumerate(values):
        reading = {"metric": "throughput", "unit": "Mbit/s", "end": "server", "value": value}
        store.append(sample(block=block, position=0, readings=[reading]))


def test_a_figure_follows_from_the_raw_samples(tmp_path: Path) -> None:
    write(
        tmp_path, "README.md", '{% set r = run("r1") %}\n{{ r.samples }} samples: {{ r.rate("alpha/udp", "strong") }}\n'
    )
    measure(tmp_path, [100, 200, 300])
    assert dict(pages.pages(tmp_path)) == {tmp_path / "README.md": "3 samples: 200 (100\u2013300)\n"}


def test_the_screen_of_a_run_is_a_block(tmp_path: Path) -> None:
    write(tmp_path, "README.md", '{{ screen("r1") }}\n')
    measure(tmp_path, [100, 200, 300])
    (text,) = dict(pages.pages(tmp_path)).values()
    assert all(line.startswith("    ") for line in text.splitlines() if line)
    assert max(map(len, text.splitlines())) <= pages.WIDTH + 4
    assert "alpha  200" in text


def test_a_page_lies_where_its_template_does_and_names_it(tmp_path: Path) -> None:
    write(tmp_path, "docs/vpns.md", "<!-- {{ source }} -->\n")
    assert dict(pages.pages(tmp_path)) == {tmp_path / "docs/vpns.md": "<!-- docs/templates/docs/vpns.md -->\n"}


def test_what_does_not_exist_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "README.md", "{{ run('r2').samples }}")
    with pytest.raises(LabError, match="no run at"):
        dict(pages.pages(tmp_path))
    write(tmp_path, "README.md", "{{ figure }}")
    with pytest.raises(UndefinedError, match="figure"):
        dict(pages.pages(tmp_path))


def test_the_runs_of_the_pictures(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("![a](results/r1/a.png) [r3](results/r3)", encoding="utf-8")
    (tmp_path / "docs" / "x.md").write_text("![b](../results/r2/b.png)\n![c](../results/r2/c.png)", encoding="utf-8")
    assert pages.pictured(tmp_path) == ["r1", "r2"]


COMMAND = re.compile(r"^ {4}(?:LAB_\w+=\S+ )?(?:\.venv/bin/)?lab ((?:\S+ ?)+)", re.MULTILINE)


def shown() -> list[str]:
    """The arguments of each `lab` that a page says to type; of alternatives (`up|down`) each."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))]
    lines = [line.partition("#")[0].partition(";")[0].strip() for text in texts for line in COMMAND.findall(text)]
    words = [(line, re.search(r"\S+\|\S+", line)) for line in lines]
    return sorted(
        {line.replace(w[0], one) if w else line for line, w in words for one in (w[0].split("|") if w else [""])}
    )


@pytest.mark.parametrize("line", shown())
def test_a_command_on_a_page_exists_with_its_options(line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = line.split()
    while hasattr(command, "commands"):
        assert words[0] in command.commands, line
        command = command.commands[words.pop(0)]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("-")} <= options


def test_there_are_commands_on_the_pages() -> None:
    assert len(shown()) > 20
