# SPDX-License-Identifier: MIT
"""A measure is a file: what it declares of its figures makes tables, ranks, pictures, the screen and comparisons."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError
from rich.console import Console

from lab import benches
from lab.benches.vpn import bench, measures, settings
from lab.benches.vpn.measures import Measure
from lab.benches.vpn.views import contents
from lab.catalog.catalog import Catalog
from lab.cli import inventory
from lab.report import comparison, gate, write
from lab.report.tables import Table
from lab.report.views import nobody
from lab.results.cell import Cell
from lab.results.store import Store
from lab.stats import ranking
from lab.stats.summary import Summary

FILE = """
from typing import Annotated

from pydantic import Field

from lab.benches.vpn.measures import Timed
from lab.results.quantity import Quantity
from lab.results.reading import Reading
from lab.runner.forecast import Load

TITLE = "stray of round trips"
FIGURES = (
    Quantity("wander", "ms", "wander of a round trip", "less"),
    Quantity("steady", "fraction", better="more"),
    Quantity("asked", "count"),
)


class Options(Timed):
    pace: Annotated[str, Field(pattern="slow|fast", description="How fast round trips are asked for.")] = "slow"


def conditions(options):
    return [f"pace={options.pace}"]


def load(options):
    return Load(seconds=options.duration)


def run(tunnel, conditions, options):
    return {"times": [1.0]}


def parse(raw):
    wander = max(raw["times"]) - min(raw["times"])
    return [
        Reading("asked", "count", "client", len(raw["times"])),
        Reading("steady", "fraction", "client", 1 / (1 + wander)),
        Reading("wander", "ms", "client", wander),
    ]
"""
PACE = "wander", "pace=slow"


@pytest.fixture
def wander(tmp_path: Path) -> Iterator[Measure]:
    """The measure `wander`: a file beside those of the lab."""
    folder = tmp_path / "measures"
    folder.mkdir()
    (folder / "wander.py").write_text(FILE)
    measures.__path__.append(str(folder))
    try:
        yield measures.choose(["wander"])["wander"]
    finally:
        measures.__path__.remove(str(folder))
        sys.modules.pop(f"{measures.__name__}.wander", None)


def stored(folder: Path, measure: Measure, spans: dict[str, float]) -> Store:
    """A run of this measure alone; each VPN strays by its span and a little."""
    meta = {
        "figures": measures.declarations({"wander": measure}), "settings": {"measures": ["wander"], "blocks": 6},
        "engine": {"name": "host", "clock": "wall"}, "controls": ["plain"],
    }  # fmt: skip
    store = Store.create(folder, meta)
    for block in range(6):
        for position, (vpn, span) in enumerate(spans.items()):
            readings = measure.parse({"times": [5.0, 5.0 + span * (1 + block / 1000)]})
            store.append(
                {
                    "run": folder.name, "block": block, "position": position, "vpn": vpn, "variant": "udp",
                    "records": "user", "suite": "strong", "measure": PACE[0], "conditions": PACE[1], "outcome": "ok",
                    "reason": "", "engine": "host", "clock": "wall", "readings": [vars(each) for each in readings],
                }
            )  # fmt: skip
    return store


@pytest.fixture
def run(wander: Measure, tmp_path: Path) -> Store:
    return stored(tmp_path / "r1", wander, {"near": 1.0, "far": 2.0, "plain": 0.1})


def table(run: Summary, name: str) -> Table:
    return next(each for each in contents.build(run) if each.name.startswith(name))


def test_its_main_figure_is_known_whatever_the_order_of_rows(run: Store) -> None:
    for df in (run.frame(), run.frame().sample(frac=1, random_state=3)):
        main = Summary(df, run.meta()).under(PACE).main
        assert main is not None
        assert (main.metric, main.title, main.better) == ("wander", "wander of a round trip", "less")


def test_it_stands_in_tables_and_is_ranked_the_less_the_better(run: Store) -> None:
    summary = Summary.of(run)
    assert [each.name.partition(" ")[0] for each in contents.build(summary)] == ["samples", "matrix", "ranks"]
    suites, ranks = table(summary, "matrix"), table(summary, "ranks")
    assert suites.title.startswith("Wander of a round trip by ciphersuite, ms of wall-clock time (wander, pace=slow)")
    assert suites.columns[1:] == ["far/udp\nuser space", "near/udp\nuser space"]
    assert [cell.text.splitlines()[0] for cell in suites.rows[0][1:]] == ["2.00", "1.00"]
    assert [[cell.text for cell in row][:2] for row in ranks.rows] == [["1", "near/udp"], ["2", "far/udp"]]
    assert "not shown to be worse than it" in ranks.notes[0]
    assert ranking.pairwise(run.frame())["verdict"].notna().all()


def test_it_stands_in_pictures_on_the_screen_and_in_the_files(run: Store) -> None:
    out = io.StringIO()
    views = benches.views("matrix")
    page = write.write(views, run, Console(file=out, width=120))
    said = out.getvalue()
    assert "Wander of a round trip of 2 VPNs" in said
    assert "the less the better" in said
    factors = re.search(r"near is better than far, (\S+) to (\S+) times", said)
    assert factors
    assert 1 < float(factors[1]) <= float(factors[2])
    assert page is not None
    assert "wander of a round trip" in page.read_text()
    assert [path.name for path in sorted(run.folder.glob("*.png"))] == ["wander-pace-slow.png"]
    head, *rows = (run.folder / "results.csv").read_text().splitlines()
    assert head.endswith(",main,better")
    assert {tuple(row.split(",")[-2:]) for row in rows if ",wander,ms," in row} == {("yes", "less")}
    assert ",wander,ms,client," in (run.folder / "summary.csv").read_text()
    assert {row["metric"] for row in views.data(Summary.of(run), nobody)["summary"]} == {"asked", "steady", "wander"}
    assert views.thesis(Summary.of(run)).lines


def test_two_runs_are_compared_by_it(run: Store, wander: Measure, tmp_path: Path) -> None:
    other = stored(tmp_path / "r2", wander, {"near": 1.5, "far": 2.0, "plain": 0.1})
    compared = comparison.compare(run.frame(), other.frame())
    assert set(compared["metric"]) == {"wander", "steady"}, "a count is better neither way"
    near = compared[(compared["vpn"] == "near") & (compared["metric"] == "wander")]
    judged = gate.judge(near, 0.05)
    assert (near["verdict"].tolist(), judged.outcomes) == (["higher"], ["worse"])


def test_its_options_are_those_of_the_command(wander: Measure, catalog: Catalog) -> None:
    model = settings.composed()
    assert {"pace", "duration", "streams", "size"} <= set(model.model_fields)
    asked = model.model_validate({"measures": ["wander", "throughput"], "pace": "fast", "duration": 7})
    choice = bench.choose(asked, catalog)
    assert choice.options["wander"].model_dump() == {"duration": 7, "pace": "fast"}
    assert "pace" not in choice.options["throughput"].model_dump()
    assert {cell.conditions for cell in bench.planned(choice).cells if cell.measure == "wander"} == {"pace=fast"}
    assert bench.loads(asked)(Cell("alpha", "udp", "strong", "wander", "pace=fast")).seconds == 7
    for wrong in ({"pace": "medium"}, {"streams": [65]}, {"size": "1B"}, {"duration": 0}):
        with pytest.raises(ValidationError):
            model.model_validate(wrong)


def test_it_is_listed(wander: Measure, capsys: pytest.CaptureFixture[str]) -> None:
    inventory.list_(inventory.Things.MEASURES, as_json=True)
    listed = capsys.readouterr().out
    assert "wander (ms, the less the better), steady (fraction, the more the better), asked (count)" in listed
