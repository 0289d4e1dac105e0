# SPDX-License-Identifier: MIT
"""README.md and docs/: their figures are those of the committed runs, and what no page shows is not committed."""
# ruff: noqa: RUF001 - en dashes are what the pages show

from __future__ import annotations

import json
import re
from itertools import combinations, product
from pathlib import Path
from statistics import median
from typing import Any

import pages
import pytest
from raw import FEW, GIT, IDLE, committed, listed, read

from lab.benches.vpn.views.quotes import LOAD
from lab.core.paths import ROOT
from lab.report.tables import figure
from lab.results.store import Store

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
SMALL = 64_000
"""Bytes: more in a file of results/ is data, not a description of it or a picture."""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture(scope="session")
def written() -> dict[Path, str]:
    """The pages that have a template, as `make docs` writes them."""
    return dict(pages.pages())


@pytest.mark.parametrize("page", [path for path in PAGES if (ROOT / pages.TEMPLATES / name(path)).exists()], ids=name)
def test_a_page_is_what_make_docs_writes(page: Path, written: dict[Path, str]) -> None:
    assert page.read_text(encoding="utf-8") == written[page], "`make docs` writes another: run it, and commit the page"


def test_every_template_has_its_page(written: dict[Path, str]) -> None:
    assert set(written) <= set(PAGES)
    assert ROOT / "README.md" in written


def cell(sample: dict[str, Any]) -> tuple[str, ...]:
    return sample["measure"], sample["vpn"], sample["variant"], sample["suite"], sample["conditions"]


def texts(values: list[float]) -> set[str]:
    """What a page may say of a cell: its median, the medians of two parts of its samples, or the least and greatest."""
    parts = [part for size in range(1, len(values)) for part in combinations(range(len(values)), size)]
    halves = [([values[i] for i in part], [v for i, v in enumerate(values) if i not in part]) for part in parts]
    modes = {f"{figure(median(one))} or {figure(median(other))}" for one, other in halves}
    return modes | {figure(median(values)), f"{figure(min(values))}–{figure(max(values))}"}


LOADED = [
    folder for folder in committed()
    if "kind" not in (meta := Store(folder).meta()) and LOAD["measure"] in meta["settings"]["measures"]
]  # fmt: skip
"""The runs with the load that is quoted."""


@pytest.mark.parametrize(("metric", "end", "quote"), [("throughput", "server", "rate"), ("cost", "machine", "cost")])
@pytest.mark.parametrize("folder", LOADED, ids=name)
def test_a_quoted_figure_is_what_the_samples_say(folder: Path, metric: str, end: str, quote: str) -> None:
    """Of every cell of the load that is quoted, off the lines of the run."""
    run, checked = pages.run(folder.name, root=ROOT), 0
    for (measure, vpn, variant, suite, conditions), values in read(folder, metric, end, cell).items():
        load, _, wire = conditions.partition(" wire=")
        if {"measure": measure, "conditions": load} == LOAD:
            text = getattr(run, quote)(f"{vpn}/{variant}", suite, wire)
            assert text.partition(" (")[0] in texts(values), (vpn, variant, suite)
            checked += 1
    if folder.name not in IDLE or metric != "cost":
        assert checked > (5 if folder.name in FEW else 10)


def test_a_quoted_cost_of_a_record_is_what_the_samples_say() -> None:
    folder = ROOT / "results" / "ktls-20261123-222359-nht"
    run, values = pages.run(folder.name, root=ROOT), read(folder, "cost_record", "machine", cell)
    for protocol, payload, path in product(("dtls", "tls"), (1400, 16000), ("library", "kernel-tx", "kernel")):
        samples = values["transmission", protocol, path, "aes-128-gcm", f"payload={payload} way=send"]
        text = run.cost(protocol, path, payload)  # type: ignore[attr-defined]
        assert text in texts([value / 1000 for value in samples])


def test_a_quoted_speed_of_a_cipher_is_what_the_samples_say() -> None:
    folder = ROOT / "results" / "crypto-20261123-093120-xjd"
    run, values = pages.run(folder.name, root=ROOT), read(folder, "speed", "machine", cell)
    for library, place, size in product(("openssl", "gnutls"), ("host", "container"), (16, 16384)):
        samples = values["crypto", library, place, "aes-128-gcm", f"size={size}"]
        text = run.speed(library, place, "aes-128-gcm", size)  # type: ignore[attr-defined]
        assert text == figure(median(samples) / 1e9)


@pytest.mark.skipif(not GIT, reason="no git, or not a checkout")
@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    tracked = {ROOT / path for path in listed()}
    tracked |= {parent for path in tracked for parent in path.parents}
    assert not [link for link in links if (page.parent / link.partition("#")[0]).resolve() not in tracked]


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert {path.name for path in PAGES if path.parent.name == "docs"} - {"README.md"} <= set(LINK.findall(index))


def test_the_readme_is_short_and_says_what_to_type() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    for line in ("    make demo ", "    make test ", "## Licence\n"):
        assert line in text


@pytest.mark.skipif(not GIT, reason="no git, or not a checkout")
class TestResults:
    """What is committed of a run: `docs/results.md` states the rule."""

    def test_every_committed_run_is_on_a_page(self) -> None:
        texts = "".join(path.read_text(encoding="utf-8") for path in PAGES)
        assert [folder.name for folder in committed() if folder.name not in texts] == []

    def test_nothing_derived_is_committed_but_the_pictures_of_a_page(self) -> None:
        pictures = {
            name((page.parent / link).resolve())
            for page in PAGES
            for link in LINK.findall(page.read_text(encoding="utf-8"))
            if link.endswith(".png")
        }
        taken = [folder / file for folder in committed() for file in ("meta.json", "samples.jsonl", "twins.jsonl")]
        runs = {name(path) for path in taken if path.name != "twins.jsonl" or path.exists()}
        assert set(listed("results")) == runs | pictures | {"results/analysis.ipynb"}

    def test_the_notebook_is_committed_without_outputs(self) -> None:
        path = ROOT / "results" / "analysis.ipynb"
        cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
        assert cells
        assert not [cell for cell in cells if cell["outputs"] or cell["execution_count"]], (
            "`jupyter execute --output=executed` leaves it as it is"
        )
        assert path.stat().st_size < SMALL
