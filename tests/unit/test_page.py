# SPDX-License-Identifier: MIT
"""The page of a run: it stands alone, and every sample of the run stands behind a field."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
from frames import cell, frame, missing
from test_report import META, a_run

from lab.benches.vpn.views import report
from lab.report import matrix
from lab.report.page import write_page
from lab.report.views import nobody
from lab.stats import analysis
from lab.stats.summary import Summary


def written(folder: Path, df: pd.DataFrame) -> Path:
    """The page of a run."""
    run = Summary(df, META)
    return write_page(folder, run, lambda: report.tables(run, nobody, whole=True), report.pictures(run))


class TestPage:
    def test_page_is_the_same_byte_for_byte(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        first = written(tmp_path / "a", a_run()).read_bytes()
        assert written(tmp_path / "b", a_run().sample(frac=1, random_state=1)).read_bytes() == first
        pictures = sorted(path.name for path in (tmp_path / "a").glob("*.png"))
        assert pictures == [
            "cost.png", "cpu-split.png", "switches.png", "throughput-direction-up-streams-1.png",
            "transfer-size-1000000.png",
        ]  # fmt: skip
        for name in pictures:
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()

    def test_page_stands_alone(self, tmp_path: Path) -> None:
        page = written(tmp_path, a_run()).read_text()
        assert page.count("data:image/svg+xml;base64,") == 1
        document = re.sub(r"<script[ >].*?</script>", "", page, flags=re.DOTALL)
        assert not re.search(r"https?:|@import|src=[\"'](?!data:)", document)
        assert "Some CPU &lt;fast&gt;" in page
        assert '<td class="failed">1 failed²</td>' in page

    def test_no_text_of_a_run_ends_a_script(self, tmp_path: Path) -> None:
        ended = "</script><script>alert(1)</script>"
        page = written(tmp_path, frame([*cell("a", "x", [1, 2, 3]), missing("a", "y", "failed", ended)])).read_text()
        assert "alert(1)" in page
        assert "<script>alert" not in page

    def test_a_median_stays_good_where_a_sibling_failed(self, tmp_path: Path) -> None:
        rows = [*cell("a", "x", [1, 2, 3]), {**missing("a", "x", "failed", "why not"), "block": 3}]
        page = written(tmp_path, frame(rows)).read_text()
        style = r'<td class="([a-z]+)" style="--heat:([0-9.]+)">'
        field = re.search(style + r'<button [^>]*title="([^"]*)">2.00</button>', page)
        assert field
        assert field.groups() == ("mixed", "1.0", "1 failed: why not")

    def test_every_sample_stands_behind_its_field(self, tmp_path: Path) -> None:
        page = written(tmp_path, a_run()).read_text()
        data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
        numbered = {int(number) for number in re.findall(r'data-cell="(\d+)"', page)}
        assert numbered == set(range(len(data["cells"])))
        samples = [sample for each in data["cells"] for sample in each["samples"]]
        assert len(samples) == analysis.outcomes(a_run())["n"].sum()


class TestMatrices:
    def matrix(self, rows: list[dict[str, Any]]) -> matrix.Matrix:
        (built,), _ = matrix.build(Summary(frame(rows), META))
        return built

    def test_the_best_suite_is_on_top_and_the_best_field_darkest(self) -> None:
        built = self.matrix([*cell("a", "slow", [10, 10, 10]), *cell("a", "fast", [1000, 1000, 1000]),
                             *cell("b", "fast", [100, 100, 100])])  # fmt: skip
        assert [(suite, [entry and entry.heat for entry in row]) for suite, row in built.rows] == [
            ("fast", [1.0, 0.5]), ("slow", [0.0, None])
        ]  # fmt: skip

    def test_of_times_the_least_is_the_best(self) -> None:
        shake = {"measure": "handshake", "conditions": "", "metric": "handshake", "unit": "s", "end": "client"}
        built = self.matrix([*cell("a", "slow", [2, 2, 2], **shake), *cell("a", "quick", [1, 1, 1], **shake)])
        assert [(suite, row[0] and row[0].heat) for suite, row in built.rows] == [("quick", 1.0), ("slow", 0.0)]

    def test_what_did_not_work_is_a_state_of_its_own(self) -> None:
        built = self.matrix([*cell("a", "x", [1, 2, 3]), missing("b", "x", "unsupported", "no"),
                             missing("c", "x", "failed", "no"), missing("d", "x", "invalid", "no")])  # fmt: skip
        ((_, row),) = built.rows
        assert [entry and entry.state for entry in row] == ["ok", "unsupported", "failed", "invalid"]
