# SPDX-License-Identifier: MIT
"""The one screen of a run: what it says, and that it fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from frames import cell, control, frame, ledger, missing

from lab import benches
from lab.benches.vpn.views import answer
from lab.core.paths import RESULTS
from lab.report.screen import Bar, bar, bars, listed, wrapped
from lab.results.store import Store
from lab.stats.summary import Summary

WIDTH, HEIGHT = 80, 40
SCREENS = sorted((Path(__file__).parents[1] / "data" / "screens").glob("*.txt"))


@pytest.mark.parametrize("path", SCREENS, ids=lambda path: path.stem)
def test_the_screen_of_a_committed_run(path: Path) -> None:
    store = Store(RESULTS / path.stem)
    lines = benches.views(benches.of(store)).screen(Summary.of(store), WIDTH)
    assert lines == path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= HEIGHT
    assert max(map(len, lines)) <= WIDTH


def test_there_is_a_screen_for_each_kind_of_run() -> None:
    assert {benches.of(Store(RESULTS / path.stem)) for path in SCREENS} == set(benches.folders())


def screen(rows: Any, **meta: Any) -> str:
    return "\n".join(answer.lines(Summary(frame(rows), meta), WIDTH))


FAST = cell("alpha", "aes-128-gcm", [400, 410, 390, 405, 395])
SLOW = cell("beta", "aes-128-gcm", [200, 203, 197, 201, 199])


def test_the_faster_is_said_to_be_faster_only_where_that_is_shown() -> None:
    text = screen(FAST + SLOW)
    assert "alpha is faster than beta, 1.98 to 2.02 times (95 % interval)" in text
    assert "blocks" not in text.partition("\n\n")[2]

    noisy = cell("beta", "aes-128-gcm", [350, 430, 380, 410, 370])
    text = screen(FAST + noisy)
    assert "alpha and beta: the samples do not show which is faster" in text
    assert "faster than" not in text
    assert "more blocks would decide what these 5 do not: `--blocks " in " ".join(text.split())

    alike = cell("beta", "aes-128-gcm", [401, 411, 391, 406, 396])
    assert "beta and alpha are equally fast: within 5 %" in screen(FAST + alike)


def test_the_wire_is_explained_once_below_the_title() -> None:
    means = {"dsl": "a DSL line; each packet by itself; 12ms delay each way", "lan": "a switch"}
    on_dsl = cell("alpha", "aes-128-gcm", [4, 4.1, 3.9], conditions="direction=up streams=1 wire=dsl")
    text = screen(on_dsl, conditions={"wire": means})
    assert text.count("\nwire=dsl: a DSL line; each packet by itself; 12ms delay each way\n") == 1
    assert "lan" not in text
    assert "wire=dsl:" not in screen(on_dsl)  # a run of an older version does not say


def test_two_blocks_show_nothing() -> None:
    text = screen(cell("alpha", "aes-128-gcm", [400, 410]) + cell("beta", "aes-128-gcm", [200, 205]))
    assert "alpha and beta: the samples do not show which is faster" in text
    assert "Nothing is compared under 3 blocks: `--blocks 3`" in text


def test_what_is_not_bound_by_the_processor_is_not_ranked() -> None:
    idle = cell("beta", "aes-128-gcm", [200, 205, 195, 203, 197], bottleneck="link")
    text = screen(FAST + idle)
    assert "Not ranked: beta: CPU-bound in 0 of 5 samples" in text
    assert "faster than" not in text


def test_the_bar_of_each_vpn_is_of_its_best_suite_and_data_path() -> None:
    rows = FAST + cell("alpha", "aes-256-gcm", [300] * 5) + cell("alpha", "aes-128-gcm", [100] * 5, variant="tcp")
    text = screen(rows + SLOW + control([4000] * 5), controls=["plain"])
    first, second = (line for line in text.splitlines() if "█" in line)
    assert first.startswith("alpha  400 █")
    assert second.startswith("beta   200 █")
    assert first.count("█") in (2 * second.count("█"), 2 * second.count("█") + 1)
    assert "udp, aes-128-gcm" in text
    assert "other data paths: tcp 100" in text
    assert "no VPN: 4000, 10.0 times the first" in text


def test_a_suite_that_does_not_encrypt_is_no_vpns_best() -> None:
    rows = FAST + cell("alpha", "null-sha1", [900] * 5)
    assert "900" not in screen(rows)
    assert "null-sha1" in screen(cell("alpha", "null-sha1", [900] * 5)), "where there is nothing else"


def test_the_processors_time_for_a_gigabyte() -> None:
    rows = [row for block in range(3) for row in ledger("alpha", "aes-128-gcm", block)]
    assert "CPU 1300 s/GB in the kernel, 700 user" in screen(rows)  # 1.1 + 0.2 s and 0.7 s for a MB


def test_what_the_machine_lacks_is_one_sentence_with_the_command_that_has_it() -> None:
    reason = "kernel 6.18 has no TLS: CONFIG_TLS is not set; try --engine vm"
    rows = FAST + [missing("alpha", suite, "unsupported", reason, variant="kernel") for suite in ("a", "b")]
    rows += [missing("gamma", suite, "unsupported", reason) for suite in ("a", "b")]
    text = " ".join(screen(rows, lacks={"alpha/kernel": reason, "gamma/udp": reason}).split())
    assert "This machine cannot run 2 of 3 data paths: alpha (kernel), gamma (udp)." in text
    assert "`lab build`, then `lab matrix --engine vm`" in text
    in_guest = [row | {"engine": "vm"} for row in rows]
    assert "--engine vm`" not in screen(in_guest, lacks={"alpha/kernel": reason})


def test_what_no_suite_of_the_run_fits_is_not_blamed_on_the_machine() -> None:
    rows = [*FAST, missing("gamma", "aes-128-gcm", "unsupported", "gamma has one suite")]
    text = screen(rows, lacks={})
    assert "Unsupported here, 1 of 2 data paths: gamma (udp)." in text
    assert "--engine vm" not in text


def test_failures_are_told_with_their_reasons_and_not_without_end() -> None:
    rows = FAST + [missing("beta", f"suite-{n}", "failed", "it broke\n" + "very long " * 40) for n in range(9)]
    lines = screen(rows).splitlines()
    assert "1 failed: beta/udp suite-0 (throughput): it broke very long very long very long" in lines
    assert lines[-1] == "and 4 more"
    assert len(lines) <= HEIGHT


def test_without_a_figure_of_a_vpn_there_is_nothing_to_answer() -> None:
    assert screen([missing("beta", "a", "failed", "it broke")]) == ""
    assert screen(control([4000] * 3), controls=["plain"]) == ""


def test_where_less_is_better_the_least_comes_first() -> None:
    handshakes = {"measure": "handshake", "metric": "handshake", "unit": "s", "conditions": "", "end": "client"}
    rows = cell("alpha", "a", [0.4] * 3, **handshakes) + cell("beta", "a", [0.1] * 3, **handshakes)
    lines = screen(rows).splitlines()
    assert [line.split()[0] for line in lines if "█" in line] == ["beta", "alpha"]
    assert "the less the better" in " ".join(lines)
    assert "faster" not in " ".join(lines)


def test_a_bar_is_drawn_to_an_eighth() -> None:
    assert bar(1, 10) == "█" * 10
    assert bar(0.5, 10) == "█" * 5
    assert bar(0.26, 10) == "██▋"
    assert bar(0, 10) == "▏", "a figure that is there is seen"
    assert bar(float("nan"), 10) == ""


@pytest.mark.parametrize("width", [60, 80, 132])
def test_bars_end_where_the_screen_ends(width: int) -> None:
    drawn = bars([Bar("one", 4, "4.0", "(3 to 5)"), Bar("another", 2, "2.0", "(1 to 3)", ["more " * 30])], width)
    assert max(map(len, drawn)) <= width
    assert len(drawn[0]) == width
    assert all(line.startswith(" " * 9) for line in drawn[2:])


def test_long_texts() -> None:
    assert wrapped("a b c", 3, "", " ") == ["a b", " c"]
    assert listed(["x " * 100], 20)[1].endswith("…")
    assert len(listed(["x " * 100], 20)) == 2
    assert listed(["a", "b", "c"], 20, most=2) == ["a", "b", "and 1 more"]
