# SPDX-License-Identifier: MIT
"""Single figures of a run of `lab ktls` as text, for pages of documentation."""
# ruff: noqa: RUF001 - en dashes are what a reader of figures expects

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import isnan
from statistics import median

from lab.benches.ktls import cells, perf
from lab.benches.ktls.views import thesis_model
from lab.benches.ktls.views.frame import COST, WALL, Figures, Metric, Spot
from lab.report import quotes
from lab.report.tables import figure
from lab.results.cell import parse_conditions
from lab.stats import modes
from lab.stats.summary import Summary

SEND = "transmission/send"
Ways = tuple[str, str]
"""How the data is handed over on a path, and on the path that it is compared with."""
SENT: Ways = (SEND, SEND)
SUITE = "aes-128-gcm"


class Quotes(quotes.Quotes):
    """The figures of a run, of one suite (`SUITE`). A payload is in bytes, a way is `scenario/way`."""

    def __init__(self, run: Summary) -> None:
        super().__init__(run)
        self.figures = Figures.of(run)

    def _spot(self, protocol: str, path: str, payload: int, way: str) -> Spot:
        suite = cells.NONE if cells.load().protocol[protocol].raw else SUITE
        scenario, _, name = way.partition("/")
        return Spot(protocol, suite, scenario, path, name, payload)

    def cost(self, protocol: str, path: str, payload: int, way: str = SEND) -> str:
        """Thousands of instructions a record, or µs of CPU time, of the whole machine: `quotes.typical`."""
        return quotes.typical(self.figures.get(self._spot(protocol, path, payload, way), COST), quotes.thousands)

    def cost_extent(self, protocol: str, path: str, payload: int, way: str = SEND) -> str:
        """The same, of all samples: the least and the greatest."""
        return quotes.extent(self.figures.get(self._spot(protocol, path, payload, way), COST), quotes.thousands)

    def rate_extent(self, protocol: str, path: str, payload: int, way: str = SEND) -> str:
        """MB/s received, of all samples: the least and the greatest."""
        return quotes.extent(self.figures.get(self._spot(protocol, path, payload, way), WALL))

    def cost_ratio(self, protocol: str, path: str, over: str, payload: int, ways: Ways = SENT) -> str:
        """The cost of a record on a path as a share of another path's: the median of the ratios within a block.

        A dash if one of the two has several modes.
        """
        return figure(self._ratio(protocol, path, over, payload, ways, COST))

    def cost_ratios(self, protocol: str, path: str, over: str, payloads: Sequence[int]) -> str:
        """The least and the greatest of `cost_ratio` over payloads; those that do not repeat are left out."""
        ratios = [
            self._ratio(protocol, path, over, payload, SENT, COST)
            for payload in payloads
            if all(self._repeats(protocol, side, payload) for side in (path, over))
        ]
        known = [ratio for ratio in ratios if not isnan(ratio)]
        return f"{figure(min(known))}–{figure(max(known))}"

    def _repeats(self, protocol: str, path: str, payload: int) -> bool:
        """Whether the samples of a cost differ by no more than modes do."""
        rows = self.figures.get(self._spot(protocol, path, payload, SEND), COST)
        return all(row.max <= row.min * (1 + modes.GAP) for row in rows)

    def rate_ratio(self, protocol: str, path: str, over: str, payload: int, ways: Ways = SENT) -> str:
        """The rate received, likewise."""
        return figure(self._ratio(protocol, path, over, payload, ways, WALL))

    def _ratio(self, protocol: str, path: str, over: str, payload: int, ways: Ways, metric: Metric) -> float:
        spot, base = (self._spot(protocol, *side) for side in ((path, payload, ways[0]), (over, payload, ways[1])))
        return self.figures.ratio(spot, base, metric)

    @cached_property
    def _profiles(self) -> dict[tuple[str, str, int, str], float]:
        """The median share of all time, by protocol, path, payload and category, where data is sent and received."""
        shares: dict[tuple[str, str, int, str], float] = {}
        for (protocol, path, _, conditions), blocks in perf.of_samples(self.run.samples).items():
            condition = parse_conditions(conditions)
            if f"{condition['scenario']}/{condition['way']}" == SEND:
                for category in [*(row.category for row in perf.categories()), perf.OTHER]:
                    parts = [perf.shares(block)["all"].get(category, 0.0) for block in blocks]
                    shares[protocol, path, int(condition["payload"]), category] = median(parts)
        return shares

    def part(self, protocol: str, path: str, payload: int, *categories: str) -> str:
        """The part of `cost` that perf's samples attribute to these categories, in the same unit."""
        share = sum(self._profiles[protocol, path, payload, category] for category in categories)
        return quotes.thousands(share * self.figures.median(self._spot(protocol, path, payload, SEND), COST))

    def rate_ratio_there(self, protocol: str, payload: int) -> str:
        """The thesis's rate of AF_KTLS as a share of the library's (tables C.1 and C.2)."""
        chapter = thesis_model.load()
        (table,) = [row for row in chapter.payloads if (row.protocol, row.scenario) == (protocol, "transmission")]
        library, kernel = (column.values[payload] for column in table.columns)
        return figure(kernel / library)

    def file_ratio_there(self, protocol: str, way: str, over: str) -> str:
        """The thesis's rate of one way to send a file as a share of another's (tables C.3 and C.6)."""
        (table,) = [row for row in thesis_model.load().files if row.protocol == protocol]
        rates = {column.way: column.value for column in table.columns}
        return figure(rates[way] / rates[over])
