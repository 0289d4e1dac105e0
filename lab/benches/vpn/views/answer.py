# SPDX-License-Identifier: MIT
"""The answer of a run on one screen: the best of each VPN, what is shown to be faster, and what cannot run here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import isnan
from typing import Any

import pandas as pd

from lab.benches.vpn.views import cpu_time
from lab.catalog.catalog import Catalog
from lab.core.terminal import counted
from lab.report.screen import Bar, bars, failures, wrapped
from lab.report.tables import INTERVAL, each, figure, meant, named, of_clock, order, spread, spread_name, value
from lab.results.quantity import Quantity
from lab.stats import analysis, ranking
from lab.stats.differences import MOST_BLOCKS, UNDECIDED
from lab.stats.inference import MIN_SAMPLES
from lab.stats.summary import Load, Summary

Cell = tuple[str, str, str]
"""VPN, variant and suite."""
IN_KERNEL = ("cpu_system", "cpu_softirq", "cpu_irq")
"""The machine's states in which the kernel works."""


@dataclass(frozen=True)
class Field:
    """The cells that a screen compares: of each the rows of the summary, one for each mode."""

    main: Quantity
    load: Load
    cells: Mapping[Cell, list[Any]]
    control: list[Any]

    def median(self, cell: Cell) -> float:
        """The median of a cell; of several modes, that of the one with the most samples."""
        return float(self.cells[cell][0].median)

    def ordered(self, cells: Iterable[Cell]) -> list[Cell]:
        """Some cells, best first."""
        return sorted(cells, key=lambda cell: (self.main.rank(self.median(cell)), cell))

    def best(self, parts: int, within: Cell | None = None) -> list[Cell]:
        """The best cell of each VPN (`parts` 1) or data path (2), best first; of one VPN, `within` which a cell is."""
        bests: dict[tuple[str, ...], Cell] = {}
        for cell in self.ordered(self.cells):
            if within is None or cell[0] == within[0]:
                bests.setdefault(cell[:parts], cell)
        return list(bests.values())


def lines(run: Summary, width: int) -> list[str]:
    """The screen of a run, in lines of `width` columns; none where no VPN has a figure to compare."""
    field = field_of(run)
    if field is None:
        return []
    part = run.under(field.load)
    spent = cpu(part.measured)
    title = _title(run, field, width, with_cpu=bool(spent))
    title += [line for text in meant(run, [field.load]) for line in wrapped(text, width, more="  ")]
    shown = [run.heading, "", *title, "", *_bars(field, spent, width), ""]
    shown += [*_ranked(part, field, width), *_besides(run, field, width)]
    return [*shown, *_cannot(run, width), *failures(run, _named, width)]


def _named(row: Any) -> str:
    return f"{row.vpn}/{row.variant} {row.suite} ({row.measure})"


def field_of(run: Summary) -> Field | None:
    """What is compared: the first measure that has figures, under its first conditions; None if no VPN has any.

    Suites that do not encrypt are left out, unless the run has no others.
    """
    known = Catalog().suites
    for measure, (main, *_) in run.quantities.items():
        rows = run.mains[run.mains["measure"] == measure]
        if set(rows["vpn"]) <= {run.control}:
            continue
        conditions = order(rows["conditions"])[0]
        cells: dict[Cell, list[Any]] = {}
        for row in each(rows[rows["conditions"] == conditions].sort_values("mode")):
            cells.setdefault((row.vpn, row.variant, row.suite), []).append(row)
        control = [row for cell, found in cells.items() if cell[0] == run.control for row in found]
        vpns = {cell: found for cell, found in cells.items() if cell[0] != run.control}
        encrypting = {cell: found for cell, found in vpns.items() if cell[2] not in known or known[cell[2]].encrypts}
        return Field(main, (measure, conditions), encrypting or vpns, control)
    return None


def cpu(rows: pd.DataFrame) -> dict[tuple[str, str, str], str]:
    """The CPU time of the whole machine for a GB carried, in the kernel and in user space, in words; by cell."""
    spent = cpu_time.per_payload(rows[rows["end"] == "machine"], [*IN_KERNEL, "cpu_user", "payload"])
    spent = spent[(spent["metric"] != "payload") & (spent["mode"] == 1)]
    spent = spent.assign(where=spent["metric"].map(lambda metric: "kernel" if metric in IN_KERNEL else "user"))
    sums = spent.groupby([*analysis.SAMPLE, "where"])["value"].sum()
    medians = sums.groupby(["vpn", "variant", "suite", "where"]).median().unstack("where")
    return {
        cell: f"CPU {figure(kernel)} s/GB in the kernel, {figure(user)} user"
        for cell, kernel, user in medians.reindex(columns=["kernel", "user"]).itertuples(name=None)
    }


def _title(run: Summary, field: Field, width: int, *, with_cpu: bool) -> list[str]:
    """What is compared, and by what."""
    vpns, paths = (len({cell[:parts] for cell in field.cells}) for parts in (1, 2))
    suites = len({cell[2] for cell in field.cells})
    counts = {"VPN": vpns, "data path": paths, "suite": suites}
    what = ", ".join(counted(count, name) for name, count in counts.items())
    unit = of_clock(next(iter(field.cells.values()))[0].unit, run.clock)
    better = ", the less the better" if field.main.better == "less" else ""
    title = (
        f"{field.main.heading} of {what} ({named(field.load)}), {unit}: "
        f"the best of each VPN, median and {spread_name(run)}{better}"
    )
    return wrapped(f"{title}. CPU: of the whole machine, for each GB carried" if with_cpu else title, width)


def _bars(field: Field, spent: Mapping[Cell, str], width: int) -> list[str]:
    rows = []
    for best in field.best(1):
        vpn, variant, suite = best
        below = [f"{variant}, {suite}" + (f": {spent[best]}" if best in spent else "")]
        if len(field.cells[best]) > 1:
            below.append(f"several modes: {value(field.cells[best])}")
        others = [
            f"{path} {figure(field.median(cell))}" for cell in field.best(2, best) if (path := cell[1]) != variant
        ]
        below += [f"other data paths: {', '.join(others)}"] if others else []
        median = field.median(best)
        rows.append(Bar(vpn, median, figure(median), f"({spread(field.cells[best])})", below))
    return [*bars(rows, width), *_control(field, spent, width)]


def _control(field: Field, spent: Mapping[Cell, str], width: int) -> list[str]:
    if not field.control:
        return []
    row = field.control[0]
    times = row.median / field.median(field.best(1)[0])
    text = f"no VPN: {figure(row.median)}, {figure(times)} times the first"
    load = spent.get((row.vpn, row.variant, row.suite))
    return wrapped(text + (f": {load}" if load else ""), width)


def _ranked(part: Summary, field: Field, width: int) -> list[str]:
    """What the statistics say about each VPN's best cell and the next one's."""
    if len(bests := field.best(1)) == 1:
        return []
    without = part.others
    why = {(row.vpn, row.variant, row.suite): row.why for row in each(ranking.rankable(without.measured))}
    pairs = {}
    for row in each(without.pairs):
        a, b = ((key[0], key[1], key[3]) for key in (row.a, row.b))
        pairs[a, b] = (row.verdict, row.low, row.high, row.blocks, row.n)
        pairs[b, a] = (OPPOSITE.get(row.verdict, row.verdict), 1 / row.high, 1 / row.low, row.blocks, row.n)
    ranked = [cell for cell in bests if not why[cell]]
    sentences = [_sentence(a[0], b[0], *pairs[a, b][:3], part.clock, field.main) for a, b in pairwise(ranked)]
    for reason in order(text for cell in bests if (text := why[cell])):
        vpns = ", ".join(cell[0] for cell in bests if why[cell] == reason)
        limit = "" if "programs of others" in reason else "; something else than the processor was the limit"
        sentences.append(f"Not ranked: {vpns}: {reason}{limit}")
    blocks = int(without.measured["block"].nunique())
    sentences += _more([pairs[pair] for pair in pairwise(ranked)], blocks)
    return [line for sentence in sentences for line in wrapped(sentence, width, more="  ")]


def _more(compared: Iterable[tuple[str, float, float, float, int]], blocks: int) -> Iterator[str]:
    """How many blocks would decide what these do not."""
    wanted = [(more, n) for verdict, _, _, more, n in compared if verdict == UNDECIDED]
    if known := [int(more) for more, _ in wanted if not isnan(more)]:
        more = max(*known, blocks + 1)
        yield f"If the spread stays as it is, more blocks would decide what these {blocks} do not: `--blocks {more}`"
    elif blocks >= MIN_SAMPLES > min((n for _, n in wanted), default=MIN_SAMPLES):
        yield "Programs of others disturbed too many blocks: nothing is compared under 3 that they did not"
    elif wanted and blocks < MIN_SAMPLES:
        yield f"Nothing is compared under {MIN_SAMPLES} blocks: `--blocks {MIN_SAMPLES}`, better 5"
    elif wanted:
        yield f"Not even {MOST_BLOCKS} blocks would show more, if the spread stays as it is"


OPPOSITE = {"higher": "lower", "lower": "higher"}


def _sentence(a: str, b: str, verdict: str, low: float, high: float, clock: str, main: Quantity) -> str:
    better, _, same = main.words
    if verdict == ("lower" if main.better == "less" else "higher"):
        low, high = (1 / high, 1 / low) if main.better == "less" else (low, high)
        return f"{a} is {better} than {b}, {figure(low)} to {figure(high)} times ({INTERVAL})"
    if verdict == "tie":
        return f"{a} and {b} are {same}: within {analysis.margin_of(clock) * 100:.0f} %"
    return f"{a} and {b}: the samples do not show which is {better}"


def _besides(run: Summary, field: Field, width: int) -> list[str]:
    """What else the run has figures of."""
    measured = run.measured[["measure", "conditions"]].drop_duplicates()
    loads = set(measured.itertuples(index=False, name=None)) - {field.load}
    return (
        wrapped(f"Measured too: {'; '.join(named(load) for load in sorted(loads))}", width, more="  ") if loads else []
    )


def _cannot(run: Summary, width: int) -> list[str]:
    """The data paths without a sample: those that the machine lacks something for, and the others."""
    outcomes = run.outcomes[run.outcomes["vpn"] != run.control]
    outcomes = outcomes.assign(path=outcomes["vpn"] + "/" + outcomes["variant"])
    every, measured = order(outcomes["path"]), set(outcomes.loc[outcomes["outcome"] != "unsupported", "path"])
    lacks = set(run.meta.get("lacks", ()))
    texts = []
    if here := [path for path in every if path in lacks]:
        texts.append(f"This machine cannot run {len(here)} of {len(every)} data paths: {_grouped(here)}.")
        if run.engine == "host":
            texts[-1] += " In a guest with its own kernel they run: `lab build`, then `lab matrix --engine vm`."
    if others := [path for path in every if path not in measured | lacks]:
        texts.append(f"Unsupported here, {len(others)} of {len(every)} data paths: {_grouped(others)}.")
    return [line for text in texts for line in wrapped(text, width, more="  ")]


def _grouped(paths: Iterable[str]) -> str:
    """`vpn (path, path), vpn (path)`."""
    groups: dict[str, list[str]] = {}
    for path in paths:
        vpn, _, variant = path.partition("/")
        groups.setdefault(vpn, []).append(variant)
    return ", ".join(f"{vpn} ({', '.join(variants)})" for vpn, variants in groups.items())
