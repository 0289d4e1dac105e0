# SPDX-License-Identifier: MIT
"""Single figures of a run of `lab matrix` as text, for pages of documentation."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

import pandas as pd

from lab.benches.vpn import packets
from lab.benches.vpn.packets import WIRE
from lab.benches.vpn.views import cpu_time, spreads, thesis_model, thesis_speed, thesis_time
from lab.benches.vpn.views.speed_tables import CipherShare
from lab.benches.vpn.views.thesis_speed import Tally
from lab.core.errors import LabError
from lab.report import comparison, functions, quotes
from lab.report.tables import each, figure, percent
from lab.results.cell import parse_conditions
from lab.stats import analysis
from lab.stats.differences import HIGHER, LOWER
from lab.stats.summary import Summary

MEASURE = "throughput"
LOAD = {"measure": MEASURE, "conditions": "direction=up streams=1"}
"""The load that figures are quoted of: the client sends, in one stream."""


def on(wire: str) -> dict[str, str]:
    """The load that figures are quoted of, on a wire other than a whole one if that is named."""
    return LOAD | {"conditions": f"{LOAD['conditions']} wire={wire}"} if wire else LOAD


@dataclass(frozen=True)
class Repeats:
    """How well the cells of a run repeat.

    `several` counts the cells with several modes by path. Of all cells `every` is (greatest - least) / median. Of those
    with one mode, `spreads` are the same, and `factors` greatest / least.
    """

    cells: int
    several: Counter[str]
    every: pd.Series[float]
    spreads: pd.Series[float]
    factors: pd.Series[float]

    def within(self, share: float) -> str:
        """How many cells' samples lie no further apart: `19 of 20`."""
        return f"{int((self.every <= share).sum())} of {self.cells}"

    def spread(self, share: float) -> str:
        """The spread that this share of the cells with one mode does not exceed."""
        return percent(float(self.spreads.quantile(share)))

    @property
    def widest(self) -> str:
        """The greatest sample of a cell over its least, of the cell where this is most."""
        return figure(float(self.factors.max()))


@dataclass(frozen=True)
class Beside:
    """A metric in the cells of two runs: how many there are, what is said of them, and how far the two differ."""

    cells: int
    verdicts: Counter[str]
    differences: pd.Series[float]

    def apart(self, share: float) -> str:
        """The difference that this share of the cells does not exceed."""
        return percent(float(self.differences.quantile(share)))


class Quotes(quotes.Quotes):
    """The figures of a run. A path is `vpn/variant`."""

    def __init__(self, run: Summary, raw: CipherShare | None = None) -> None:
        super().__init__(run)
        self.raw = raw

    def _cell(self, metric: str, end: str, path: str, suite: str, wire: str = "") -> list[Any]:
        """A cell's figures, on a `wire` other than a whole one if that is named."""
        vpn, _, variant = path.partition("/")
        return self.cell(metric, end, **on(wire), vpn=vpn, variant=variant, suite=suite)

    def any(self, measure: str, metric: str, end: str, path: str, suite: str, conditions: str, over: int = 1) -> str:
        """The median of any figure, without interval; of each mode. `over`: in so many of its units."""
        vpn, _, variant = path.partition("/")
        where = {"measure": measure, "conditions": conditions, "vpn": vpn, "variant": variant, "suite": suite}
        return quotes.medians(self.cell(metric, end, **where), lambda value: figure(value / over))

    def rate(self, path: str, suite: str, wire: str = "") -> str:
        """Throughput, Mbit/s: `quotes.typical`."""
        return quotes.typical(self._cell(MEASURE, "server", path, suite, wire))

    def median_rate(self, path: str, suite: str, wire: str = "") -> str:
        """The median throughput, Mbit/s, without interval; of each mode."""
        return quotes.medians(self._cell(MEASURE, "server", path, suite, wire))

    def cost(self, path: str, suite: str, wire: str = "") -> str:
        """CPU seconds of the whole machine per GB carried: `quotes.typical`."""
        return quotes.typical(self._cell("cost", "machine", path, suite, wire))

    def median_cost(self, path: str, suite: str, wire: str = "") -> str:
        """The median of the same; of each mode."""
        return quotes.medians(self._cell("cost", "machine", path, suite, wire))

    def ahead(self, path: str, other: str, suite: str) -> str:
        """How much faster a data path is shown to be than another, as the report compares them: the 95 % interval.

        Raises:
            LabError: the run does not compare them.
        """
        asked = (*path.split("/"), suite), (*other.split("/"), suite)
        for row in each(self.run.pairs):
            pair = tuple((vpn, variant, its) for vpn, variant, _, its in (row.a, row.b))
            if row.measure == MEASURE and asked in (pair, pair[::-1]):
                low, high = (row.low, row.high) if pair == asked else (1 / row.high, 1 / row.low)
                is_shown = row.verdict in (HIGHER, LOWER) and low > 1
                return (
                    f"{figure(low)} to {figure(high)} times as fast as" if is_shown else "not shown to be faster than"
                )
        raise LabError(f"run {self.name} does not compare {path} with {other} by {suite}")

    @property
    def control(self) -> str:
        """The median throughput without a VPN, Mbit/s."""
        return quotes.medians(self.cell(MEASURE, "server", **LOAD, vpn=str(self.run.control)))

    @cached_property
    def _closure(self) -> pd.DataFrame:
        return cpu_time.ledger_closure(self.run.measured, int(self.run.meta["processors"]))

    def closes(self, *measures: str) -> str:
        """In how many samples the CPU ledger closes (`cpu_time.ledger_closure`): `606 of 609`. Default: in all."""
        rows = self._closure
        rows = rows[rows["measure"].isin(measures)] if measures else rows
        return f"{int(rows['closes'].sum())} of {len(rows)}"

    def wall(self, measure: str) -> tuple[float, float]:
        """The shortest and the longest load of a measure, in seconds."""
        times = analysis.measured(self.run.measured, "wall", measure=measure)["value"]
        return float(times.min()), float(times.max())

    def repeats(self, metric: str = MEASURE, **where: str) -> Repeats:
        """How well a metric repeats over the blocks of the run, in the cells chosen; by default throughput."""
        rows = analysis.measured(self.run.measured, metric, **(where or LOAD))
        cells = rows.groupby(["vpn", "variant", "suite", "conditions"]).agg(
            modes=("mode", "nunique"), least=("value", "min"), greatest=("value", "max"), median=("value", "median")
        )
        single = cells["modes"] == 1
        several = Counter(f"{vpn}/{variant}" for vpn, variant, *_ in cells.index[~single])
        spreads = (cells["greatest"] - cells["least"]) / cells["median"]
        factors = cells["greatest"] / cells["least"]
        return Repeats(len(cells), several, spreads, spreads[single], factors[single])

    def beside(self, other: Quotes, metric: str, end: str) -> Beside:
        """What `lab compare` says of a metric of the two runs, this one first."""
        rows = comparison.compare(self.run.df, other.run.df)
        rows = rows[(rows["metric"] == metric) & (rows["end"] == end) & rows["ratio"].notna()]
        return Beside(len(rows), Counter(rows["verdict"]), (rows["ratio"] - 1).abs())

    @cached_property
    def spreads(self) -> list[spreads.Spread]:
        """How far the samples of each data path's cells lie apart, and what goes with it; the widest first."""
        return sorted(spreads.of_run(self.run), key=lambda each: -each.deviation)

    def level(self, block: int) -> str:
        """The throughput of a block as a share of the median of the other blocks, cell by cell; the median of cells."""
        rows = analysis.measured(self.run.measured, MEASURE, **LOAD)
        shares = []
        for _, cell in rows.groupby(["vpn", "variant", "suite"]):
            here, others = cell.loc[cell["block"] == block, "value"], cell.loc[cell["block"] != block, "value"]
            if len(here) and len(others):
                shares.append(float(here.median() / others.median()))
        return figure(median(shares))

    def wire_packets(self, paths: Collection[str]) -> tuple[float, float]:
        """Packets that left by the wire for each packet that the sender's tunnel took: the least and the greatest.

        Over the throughput samples of these paths.
        """
        ratios = []
        for sample in self.run.samples:
            path = f"{sample['vpn']}/{sample['variant']}"
            if path in paths and sample["outcome"] == "ok" and LOAD.items() <= sample.items():
                before, after = (
                    sample["raw"]["load"][time]["ends"]["client"]["interfaces"] for time in ("before", "after")
                )
                sent = {name: after[name]["tx_packets"] - before[name]["tx_packets"] for name in after}
                (tunnel,) = set(sent) - {WIRE, "lo"}
                ratios.append(sent[WIRE] / sent[tunnel])
        return min(ratios), max(ratios)

    def raw_share(self, path: str, suite: str) -> str:
        """The part of one processor that encryption alone takes at the median throughput; a dash if unknown."""
        rows = self._cell(MEASURE, "server", path, suite)
        share = self.raw.share(rows[0].vpn, rows[0].records, suite, rows[0].median) if self.raw else float("nan")
        return percent(share)

    # Exact profiles

    @cached_property
    def _profiles(self) -> dict[tuple[str, ...], functions.Profile]:
        found = functions.of_samples(self.run.samples)
        return {
            (f"{vpn}/{variant}", suite, parse_conditions(text).get("wire", "")): its
            for (vpn, variant, suite, text), its in found.items()
        }

    def profile(self, path: str, suite: str, wire: str = "") -> functions.Profile:
        """Where the instructions of a data path went, per byte: of the size that the run profiled.

        Raises:
            LabError: the run has no such profile.
        """
        if (path, suite, wire) not in self._profiles:
            raise LabError(f"run {self.name} has no profile of {path} by {suite}{wire and f' on {wire}'}")
        return self._profiles[path, suite, wire]

    def gained(self, path: str, over: str, suite: str, most: int) -> list[functions.Change]:
        """The functions that differ most between two data paths, `over` first."""
        return functions.changes(self.profile(over, suite), self.profile(path, suite))[:most]

    def objects(self, cells: Sequence[Sequence[str]], least: float) -> list[tuple[str, list[float]]]:
        """Instructions a byte by program, library or part of the kernel; the largest first.

        A cell is a path, a suite and, if it is not the whole one, a wire.

        Those of which none has `least` are one row, `the rest`; `all` is the last.
        """
        profiles = [self.profile(*cell) for cell in cells]
        sums: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(profiles))
        for place, profile in enumerate(profiles):
            for _, name, instructions in profile.parts():
                sums[name][place] += instructions
        rows = [(name, its) for name, its in sums.items() if max(its) >= least]
        rest = [sum(its[place] for its in sums.values() if max(its) < least) for place in range(len(profiles))]
        rows.sort(key=lambda row: -max(row[1]))
        return [*rows, ("the rest", rest), ("all", [profile.total for profile in profiles])]

    def system_calls(self, path: str, suite: str) -> float:
        """System calls of both endpoints for a megabyte, the median over the samples that counted them."""
        vpn, _, variant = path.partition("/")
        rows = self.run.measured
        rows = rows[(rows["vpn"] == vpn) & (rows["variant"] == variant) & (rows["suite"] == suite)]
        payload = rows[rows["metric"] == "payload"].groupby(analysis.SAMPLE)["value"].first()
        calls = rows[rows["metric"].str.startswith("syscall:")].groupby(analysis.SAMPLE)["value"].sum()
        return float((calls / payload * packets.MEGABYTE).median())

    # Beside the thesis

    @cached_property
    def _speeds(self) -> thesis_speed.Speeds:
        return thesis_speed.Speeds.of(self.run, thesis_model.load().throughput)

    @cached_property
    def suite_order(self) -> Tally:
        """The pairs of suites of one VPN that the thesis tells apart (B.1 to B.3), and how many lie so here."""
        counts = [thesis_speed.suite_order(source, self._speeds) for source in thesis_model.load().throughput.tables]
        return sum(counts, Tally())

    @cached_property
    def vpn_order(self) -> Tally:
        """The pairs of VPNs in one suite that the thesis tells apart (B.4), and how many lie so here."""
        return thesis_speed.vpn_order(thesis_model.load(), self._speeds)

    @cached_property
    def _components(self) -> thesis_time.Here:
        return thesis_time.Here(self.run, thesis_model.load().components)

    def kernel_share(self, vpn: str, end: str = "server") -> str:
        """The kernel's share of the CPU time of an endpoint's processes, in the suite of the thesis's components."""
        return percent(self._components.of(vpn)["kernel_share", end][0].median)

    def kernel_share_there(self, vpn: str, end: str = "server") -> str:
        """The same in the thesis (tables 3.15 and 3.17)."""
        (row,) = [row for row in thesis_model.load().components.time if (row.vpn, row.end) == (vpn, end)]
        return percent(row.value[0] / sum(row.value))

    def cpu_ratio(self, vpn: str, over: str, end: str = "server") -> str:
        """The CPU time of an endpoint's processes per byte, as a share of another VPN's."""
        return figure(self._components.total(vpn, end) / self._components.total(over, end))

    def cpu_ratio_there(self, vpn: str, over: str, end: str = "server") -> str:
        """The same in the thesis."""
        totals = {row.vpn: sum(row.value) for row in thesis_model.load().components.time if row.end == end}
        return figure(totals[vpn] / totals[over])
