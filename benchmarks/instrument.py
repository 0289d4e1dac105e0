# SPDX-License-Identifier: MIT
"""How far the lab's figures can be believed: each claim, checked on simulated samples with the product's functions.

`.venv/bin/python benchmarks/instrument.py [--trials N] [--seed N] [--run RUN]`: about four minutes at 1000 trials, no
engine. A plan is 120 cells whose samples differ by normal noise of a stated size (the standard deviation of
logarithms). A figure is a share of trials: of 1000 it is known within 0.7 points where it is 1 %, and 1.4 points where
it is 5 %. Ranks take an eighth of the trials, gates a fortieth.

    differences    `lab compare`: two runs of one plan, with nothing changed, and with one cell made 3 % slower
    ranks          `lab report`: 20 cells that are equal
    modes          a cell on the instruction clock, with one mode and with two that are 1.3x apart
    intervals      the median of a cell on the wall clock
    gate           `lab compare --gate`
    looks          `--blocks auto`, and for comparison a run that is looked at after every block
    changes        `lab history`: 30 runs, as they are and with a step of 3 % at the 21st

and of real tunnels, in runs on the instruction clock under results/ (those committed for it, or `--run`):

    tunnels        the cells of a measure whose samples lie within 1 % of their median
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from lab.core.paths import ROOT
from lab.report import comparison, gate
from lab.results.looks import stages
from lab.results.store import COLUMNS, Store
from lab.stats import analysis, changes, differences, inference, modes, ranking
from lab.stats.summary import Summary

Array = NDArray[np.float64]
CELLS, EQUAL = 120, 20
"""Cells of a plan, and of a ranking."""
REPEATS = 0.003
"""Noise at which 19 of 20 cells lie within 1 % over three blocks: what the instruction clock is meant to reach."""
REAL = ("20261130-193014-snm", "20261130-205113-cmg", "20261130-025026-vtu")
"""The runs that show how real tunnels repeat."""
EXACT: dict[str, str] = {"engine": "vm", "clock": modes.EXACT}
WALL: dict[str, str] = {"engine": "host", "clock": "wall"}


@dataclass(frozen=True)
class Row:
    """A claim: what was simulated, the share that is wanted (at least, or at most), and the one that came out."""

    part: str
    what: str
    share: float
    least: float | None = None
    most: float | None = None
    trials: int = 0
    """The number of trials, where it is not that of the other rows."""

    @property
    def wanted(self) -> str:
        """The bound in words; empty where the figure is for information."""
        if self.least is not None:
            return f"≥ {self.least:.0%}"
        return f"≤ {self.most:.0%}" if self.most is not None else ""

    def met(self, trials: int) -> bool:
        """Whether the share is within the bound, or outside by no more than three errors of so many trials."""
        bound = next((bound for bound in (self.least, self.most) if bound is not None), 0.0)
        room = 3 * (bound * (1 - bound) / trials) ** 0.5
        within = self.least is None or self.share >= self.least - room
        return within and (self.most is None or self.share <= self.most + room)


def verdicts(logs_a: Array, logs_b: Array, margin: float) -> NDArray[Any]:
    """The verdict of each cell of each trial, as `lab compare` gives it. Shapes: trials, cells, blocks."""
    trials, cells, n = logs_a.shape
    found = differences.welch(list(logs_b.reshape(-1, n)), list(logs_a.reshape(-1, n)))
    judged = []
    for trial in range(trials):
        one = found.part(slice(trial * cells, (trial + 1) * cells))
        judged.append(differences.judge(one, margin, comparison.METHOD)[1])
    return np.array(judged)


def noise(rng: np.random.Generator, trials: int, n: int, size: float, cells: int = CELLS) -> Array:
    """Logarithms of samples of cells that differ by noise alone."""
    return size * rng.normal(size=(trials, cells, n))


def of_differences(rng: np.random.Generator, trials: int) -> Iterator[Row]:
    """Two runs of a plan, once with a cell that is slower by more than the clock's margin."""
    steps = (
        (modes.EXACT, REPEATS, 0.97, (3, 5, 10, 20)),
        (modes.EXACT, 0.01, 0.97, (3, 5, 10, 20)),
        ("wall", 0.05, 0.9, (3, 5, 10, 20, 40)),
    )
    for clock, size, factor, counts in steps:
        margin = analysis.margin_of(clock)
        for n in counts:
            a, b = noise(rng, trials, n, size), noise(rng, trials, n, size)
            said = verdicts(a, b, margin)
            about = f"{clock} clock, noise {size:.1%}, {n} blocks"
            wrong = np.isin(said, (differences.HIGHER, differences.LOWER)).any(axis=1).mean()
            yield Row(
                "differences", f"{about}: a false difference anywhere among {CELLS} equal cells", wrong, most=0.05
            )
            yield Row("differences", f"{about}: an equal cell is called a tie", (said == differences.TIE).mean())
            b[:, 0] += np.log(factor)
            slower = verdicts(a, b, margin)[:, 0]
            found, tie = (float((slower == each).mean()) for each in (differences.LOWER, differences.TIE))
            slow = f"{about}: a cell slower by {1 - factor:.0%}"
            yield Row("differences", f"{slow} is found", found, least=0.95 if size == REPEATS and n >= 5 else None)
            yield Row("differences", f"{slow} is called a tie", tie, most=0.05)
    yield from of_advice(rng, trials)


def of_advice(rng: np.random.Generator, trials: int) -> Iterator[Row]:
    """The number of blocks that is said to decide, taken: of cells whose spread is known well (40 blocks)."""
    for size, shift, margin in ((0.02, np.log(0.97), 0.01), (0.01, 0.0, 0.01)):
        logs = rng.normal(size=40)
        known = size * (logs - logs.mean()) / logs.std(ddof=1)
        found = differences.welch([known + shift], [known])
        n = int(found.blocks_needed(margin, differences.ALPHA)[0])
        a, b = noise(rng, trials, n, size, 1), noise(rng, trials, n, size, 1) + shift
        decided = (verdicts(a, b, margin) != differences.UNDECIDED).mean()
        what = f"noise {size:.1%}, ratio {np.exp(shift):.2f}, margin {margin:.0%}: decided at the advised {n} blocks"
        yield Row("differences", what, decided, least=0.9)


def of_modes_compared(rng: np.random.Generator, trials: int) -> Iterator[Row]:
    """Two runs of a plan in which the tunnels of a quarter of the cells fall on one of two values.

    With few blocks all tunnels of a run may fall on one value by chance, and of another run on the other. Nothing in
    these samples shows that: such rows have no bound.
    """
    quarter = CELLS // 4
    for n in (3, 5, 10, 20):
        a, b = noise(rng, trials, n, REPEATS), noise(rng, trials, n, REPEATS)
        for logs in (a, b):
            logs[:, :quarter] += two_modes(rng, (trials, quarter, n), 0.5)
        said = verdicts(a, b, analysis.EXACT_MARGIN)
        wrong = np.isin(said, (differences.HIGHER, differences.LOWER)).any(axis=1).mean()
        what = f"{n} blocks: a false difference anywhere, {quarter} of {CELLS} equal cells have two modes, 1.3x apart"
        yield Row("differences", what, wrong, most=0.05 if n >= 10 else None)


def two_modes(rng: np.random.Generator, shape: tuple[int, ...], share: float) -> Array:
    """Logarithms of the level of each sample: 1.3 for `share` of them, else 1."""
    return np.where(rng.random(shape) < share, np.log(1.3), 0.0)


def of_ranks(rng: np.random.Generator, whole: int) -> Iterator[Row]:
    """Equal cells; a trial is a set of conditions of its own, so one call ranks them all."""
    for where, size in ((EXACT, 0.01), (WALL, 0.05)):
        for n in (3, 5, 10):
            trials = max(whole // 8, 20)  # they take longest
            drift = 0.2 * rng.normal(size=(trials, 1, n)) if where is WALL else 0.0
            df = frame(np.exp(noise(rng, trials, n, size, EQUAL) + drift), where)
            tiers = ranking.tiers(df).groupby("conditions")["tier"].max()
            about = f"{where['clock']} clock, noise {size:.1%}, {n} blocks, {trials} trials"
            what = f"{about}: a second tier among {EQUAL} equal cells"
            yield Row("ranks", what, float((tiers > 1).mean()), most=0.05, trials=trials)


def frame(values: Array, where: dict[str, str], prefix: str = "trial") -> pd.DataFrame:
    """Throughputs as the rows of a run. Shapes: conditions, cells, blocks."""
    shape = values.shape
    trial, cell, block = (index.ravel() for index in np.indices(shape))
    rows = {
        "run": "r", "block": block, "position": 0, "vpn": [f"v{number:03}" for number in cell], "variant": "udp",
        "records": "user", "suite": "x", "measure": "throughput", "metric": "throughput", "unit": "Mbit/s",
        "conditions": [f"{prefix}={number}" for number in trial], "end": "server", "value": 100 * values.ravel(),
        "outcome": "ok", "reason": "", "bottleneck": "cpu:server", **where,
    }  # fmt: skip
    return pd.DataFrame(rows)[list(COLUMNS)]


def of_modes(rng: np.random.Generator, trials: int) -> Iterator[Row]:
    """Cells of one mode and of two."""
    for size in (0.03, 0.05, 0.08):
        for n in (3, 5, 10, 20):
            wrong = _several(noise(rng, 1, n, size, trials)[0])
            yield Row("modes", f"one mode, noise {size:.0%}, {n} blocks: called several", wrong, most=0.05)
    for n in (5, 10, 20):
        for share in (0.3, 0.5, 0.7):
            logs = noise(rng, 1, n, 0.01, trials)[0] + two_modes(rng, (trials, n), share)
            what = f"two modes, 1.3x apart, noise 1%, {share:.0%} in one, {n} blocks: missed"
            yield Row("modes", what, 1 - _several(logs), most=0.05 if n >= 10 else None)


def _several(logs: Array) -> float:
    return float(np.mean([max(modes.split(row)) > 1 for row in np.exp(logs)]))


def of_intervals(rng: np.random.Generator, trials: int) -> Iterator[Row]:
    """The median of skewed noise (exponential), whose true median is known."""
    for n in (3, 5, 6, 7, 10, 20):
        low, high = inference.median_intervals(list(rng.exponential(size=(10 * trials, n))))
        held = float(((low <= np.log(2)) & (np.log(2) <= high)).mean())
        kind = inference.kind(n)
        what = f"{n} samples, called {'95 % interval' if kind == inference.INTERVAL else kind}: holds the median"
        yield Row("intervals", what, held, least=0.945 if kind == inference.INTERVAL else None)


def of_gate(rng: np.random.Generator, trials: int) -> Iterator[Row]:
    """The exit code of `lab compare --gate`, of whole frames."""
    few = max(trials // 40, 10)
    codes: dict[str, list[int]] = {"half": [], "equal": [], "slower": []}
    for _ in range(few):
        a, b = (np.exp(noise(rng, 1, 5, REPEATS)) for _ in "ab")
        changes = {"half": (slice(114), 0.5), "equal": (slice(0), 1.0), "slower": (slice(6), 0.97)}
        for name, (cells, factor) in changes.items():
            changed = b.copy()
            changed[:, cells] *= factor
            compared = comparison.compare(frame(a, EXACT), frame(changed, EXACT))
            codes[name].append(gate.judge(compared, analysis.EXACT_MARGIN).code)
    about = f"instructions clock, noise {REPEATS:.1%}, 5 blocks, {few} trials"
    shares = {
        name: {result: found.count(code) / few for result, code in gate.CODES.items()} for name, found in codes.items()
    }
    half, slower, equal = (shares[name] for name in ("half", "slower", "equal"))
    yield Row("gate", f"{about}: 114 of {CELLS} cells at half speed: worse", half[gate.WORSE], least=0.95, trials=few)
    yield Row("gate", f"{about}: 6 of {CELLS} cells slower by 3%: worse", slower[gate.WORSE], least=0.95, trials=few)
    yield Row("gate", f"{about}: nothing changed: worse", equal[gate.WORSE], most=0.05, trials=few)
    yield Row("gate", f"{about}: nothing changed: passed", equal[gate.SAME])


def of_looks(rng: np.random.Generator, trials: int) -> Iterator[Row]:
    """Runs that stop when they are decided, of at most 20 blocks: what they find that is not there, and what is."""
    looks, every = stages(20), list(range(3, 21))
    for clock, sizes in ((modes.EXACT, (REPEATS, 0.01, 0.03)), ("wall", (0.02, 0.05))):
        for size in sizes:
            about = f"{clock} clock, noise {size:.1%}"
            for cells in (2, 8):
                equal = noise(rng, trials, every[-1], size, cells)
                some, false, blocks = stopped(equal, clock, looks, differences.ALPHA / len(looks))
                what = f"{about}, {cells} equal cells: a false difference when the run stops"
                yield Row("looks", what, false, most=0.05)
                yield Row("looks", f"{about}, {cells} equal cells: blocks taken, of {every[-1]}", blocks)
                if cells == 2:
                    peeked = stopped(equal, clock, every, differences.ALPHA)[1]
                    yield Row("looks", f"{about}, 2 equal cells: the same, looked at after every block", peeked)
            slower = noise(rng, trials, every[-1], size, 8)
            slower[:, 0] += np.log(0.97 if clock == modes.EXACT else 0.9)
            some, _, blocks = stopped(slower, clock, looks, differences.ALPHA / len(looks))
            slow = f"{about}, a cell of 8 slower by {0.03 if clock == modes.EXACT else 0.1:.0%}"
            yield Row("looks", f"{slow}: found when the run stops", some, least=None if size == 0.03 else 0.95)
            yield Row("looks", f"{slow}: blocks taken, of {every[-1]}", blocks)


def stopped(logs: Array, clock: str, at: list[int], alpha: float) -> tuple[float, float, float]:
    """Runs that are looked at after so many blocks, and stop when they are decided. Shapes: trials, cells, blocks.

    The shares whose first cell is below all others when they stop, and with any difference; of blocks the share taken.
    """
    pairs = list(combinations(range(logs.shape[1]), 2))
    firsts = np.array([one == 0 for one, _ in pairs])
    trials, lower, differ, blocks = len(logs), 0, 0, 0
    for n in at:
        said = within(logs[:, :, :n], pairs, clock, alpha)
        over = (said != differences.UNDECIDED).all(axis=1) | (n == at[-1])
        lower += int(np.all(said[over][:, firsts] == differences.LOWER, axis=1).sum())
        differ += int(np.isin(said[over], (differences.HIGHER, differences.LOWER)).any(axis=1).sum())
        blocks += n * int(over.sum())
        logs = logs[~over]
        if not len(logs):
            break
    return lower / trials, differ / trials, blocks / trials / at[-1]


def within(logs: Array, pairs: list[tuple[int, int]], clock: str, alpha: float) -> NDArray[Any]:
    """The verdict of each pair of cells of each trial, as `lab report` gives it."""
    trials, cells, n = logs.shape
    if clock == modes.EXACT:
        places = [(trial * cells + one, trial * cells + two) for trial in range(trials) for one, two in pairs]
        found = differences.every_two(list(logs.reshape(-1, n)), places)
    else:
        found = differences.paired([run[one] - run[two] for run in logs for one, two in pairs])
    parts = [found.part(slice(trial * len(pairs), (trial + 1) * len(pairs))) for trial in range(trials)]
    margin = analysis.margin_of(clock)
    return np.array([differences.judge(part, margin, ranking.METHOD, alpha)[1] for part in parts])


def of_changes(rng: np.random.Generator, trials: int) -> Iterator[Row]:
    """Histories of one figure, whose runs differ by normal noise, and by noise with far more runs that are off."""
    shapes = {"normal": rng.normal(size=(trials, 30)), "Student's t with 3": rng.standard_t(3, (trials, 30)) / 3**0.5}
    for shape, draws in shapes.items():
        about = f"30 runs, noise 1%, {shape}"
        still = [bool(changes.changes(row)) for row in np.exp(0.01 * draws)]
        yield Row("changes", f"{about}: no step, and a change is found", float(np.mean(still)), most=0.05)
        stepped = np.exp(0.01 * draws + np.log(0.97) * (np.arange(30) >= 20))
        found = [[change.at for change in changes.changes(row)] for row in stepped]
        near = [any(abs(at - 20) <= 1 for at in each) for each in found]
        yield Row("changes", f"{about}: a step of -3% is found within one run", float(np.mean(near)), least=0.95)
        more = [len(each) > 1 for each in found]
        yield Row("changes", f"{about}: another change is found beside the step", float(np.mean(more)), most=0.05)


def of_tunnels(run: Summary) -> Iterator[Row]:
    """The main figure of each measure of a run."""
    for measure, rows in analysis.of_main(run.measured, run.quantities).groupby("measure"):
        cells = rows.groupby(analysis.CELL)["value"]
        if cells.size().min() < 2:
            continue
        within = (cells.max() - cells.min()) / cells.median() <= analysis.EXACT_MARGIN
        blocks, paths = int(cells.size().max()), rows.groupby(["vpn", "variant"]).ngroups
        what = f"{run.runs[0]}, {measure}, {len(within)} cells of {paths} data paths, {blocks} blocks: within 1 %"
        yield Row("tunnels", what, float(within.mean()), least=0.95, trials=len(within))


Part = Callable[[np.random.Generator, int], Iterator[Row]]
PARTS: tuple[Part, ...] = (
    of_differences,
    of_modes_compared,
    of_ranks,
    of_modes,
    of_intervals,
    of_gate,
    of_looks,
    of_changes,
)


def rows(trials: int, seed: int) -> Iterator[Row]:
    """Every row. Each part has a generator of its own, so that its figures do not depend on the others."""
    for part, own in zip(PARTS, np.random.SeedSequence(seed).spawn(len(PARTS)), strict=True):
        yield from part(np.random.default_rng(own), trials)


def main() -> None:
    """Simulate, and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--trials", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=14)
    arguments.add_argument("--run", action="append", help="a run under results/")
    chosen = arguments.parse_args()
    title = f"{chosen.trials} trials a row, seed {chosen.seed}"
    table = Table("part", "what", "wanted", "measured", "", title=title, title_justify="left")
    real = (of_tunnels(Summary.of(Store(ROOT / "results" / name))) for name in chosen.run or REAL)
    for row in chain(rows(chosen.trials, chosen.seed), *real):
        table.add_row(
            row.part,
            row.what,
            row.wanted,
            f"{row.share:.1%}",
            "" if row.met(row.trials or chosen.trials) else "not met",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
