# SPDX-License-Identifier: MIT
"""The history of every figure over the runs in a folder, and where it changed (`lab.stats.changes`).

A run's level of a figure is the geometric mean of its samples, by which `lab compare` compares. Runs of different
commands, engines or clocks are histories of their own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lab.core.errors import UsageError
from lab.report import tables
from lab.report.comparison import KEYS, chosen_rows, directions, levels
from lab.report.gate import BETTER, WORSE
from lab.results.store import Store, kind_of, listed
from lab.stats import changes
from lab.stats.analysis import CELL, clocked, one_clock, undisturbed

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence
    from pathlib import Path

    from lab.stats.changes import Change

STEPS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Series:
    """A figure (`cell`, `metric`, `unit`, `end`), its level in each of the `runs` that have it, and its changes.

    It is `better` if it is `more` or `less`.
    """

    cell: dict[str, str]
    metric: str
    unit: str
    end: str
    better: str
    runs: Sequence[str]
    levels: Sequence[float]
    changes: Sequence[Change]

    @property
    def picture(self) -> str:
        """A step a run, from least to greatest, and a stroke where the figure changed."""
        least, most = min(self.levels), max(self.levels)
        scale = (len(STEPS) - 1) / (most - least) if most > least else 0
        steps = [STEPS[round((level - least) * scale)] for level in self.levels]
        for change in reversed(self.changes):
            steps.insert(change.at, "|")
        return "".join(steps)

    def named(self) -> str:
        """The cell and the figure in words."""
        words = (self.cell[key] for key in ("vpn", "variant", "suite", "measure", "conditions"))
        return " ".join(word for word in (*words, self.metric) if word)

    def judged(self, change: Change) -> str:
        """Whether a change is `better` or `worse`."""
        return BETTER if (change.ratio > 1) == (self.better == "more") else WORSE

    def plain(self) -> dict[str, Any]:
        """Plain data for a program. A change names the first run after it, and the last before it."""
        found = []
        for each in self.changes:
            previous, run = self.runs[each.at - 1], self.runs[each.at]
            found.append({"run": run, "previous": previous, "verdict": self.judged(each), **asdict(each)})
        return {
            **self.cell, "metric": self.metric, "unit": self.unit, "end": self.end, "runs": list(self.runs),
            "levels": list(self.levels), "changes": found,
        }  # fmt: skip


@dataclass(frozen=True)
class Timeline:
    """The runs of one command, engine and clock, in the order of time, and the series of their figures."""

    kind: str
    engine: str
    clock: str
    runs: Sequence[str]
    series: Sequence[Series]

    @property
    def title(self) -> str:
        """What it is of, in words."""
        span = f" from {self.runs[0]} to {self.runs[-1]}" if len(self.runs) > 1 else f": {self.runs[0]}"
        count = f"{len(self.runs)} runs" if len(self.runs) > 1 else "one run"
        return f"lab {self.kind}, {clocked(self.engine, self.clock)}: {count}{span}"

    def rows(self) -> list[dict[str, str]]:
        """The changes as text, the newest first."""
        found = [(each, change) for each in self.series for change in each.changes]
        found.sort(key=lambda pair: -self.runs.index(pair[0].runs[pair[1].at]))
        return [self._row(each, change) for each, change in found]

    def _row(self, each: Series, change: Change) -> dict[str, str]:
        numbers = (change.before, change.after, change.ratio, change.low, change.high)
        before, after, ratio, low, high = map(tables.figure, numbers)
        return {
            "figure": f"{each.named()}, {tables.of_clock(each.unit, self.clock)}",
            "changed in": each.runs[change.at],
            "before": before,
            "after": after,
            "ratio": ratio,
            tables.INTERVAL: f"{low} to {high}",
            "p": f"{change.p:.2g}",
            "is": each.judged(change),
            "history": each.picture,
        }

    def summary(self) -> str:
        """How many figures changed, in words."""
        changed = sum(bool(each.changes) for each in self.series)
        short = sum(len(each.levels) < changes.SHORTEST for each in self.series)
        text = f"{changed} of {len(self.series)} figures changed"
        return f"{text}; {short} are in fewer than {changes.SHORTEST} runs, which show no change" if short else text

    def plain(self) -> dict[str, Any]:
        """Plain data for a program."""
        about = {"kind": self.kind, "engine": self.engine, "clock": self.clock, "runs": list(self.runs)}
        return {**about, "series": [each.plain() for each in self.series]}

    def markdown(self) -> str:
        """The changes as a table in Markdown."""
        lines = [f"**{self.title}**", "", self.summary()]
        if rows := self.rows():
            lines += ["", _line(list(rows[0])), _line(["---"] * len(rows[0]))]
            lines += [_line([text.replace("|", "¦") for text in row.values()]) for row in rows]
        return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    """A row of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def timelines(folder: Path, measures: Sequence[str] = ()) -> list[Timeline]:
    """The histories of the runs in a folder; of all measures, or of these.

    Raises:
        UsageError: there is no run with samples, or no such measure. LabError: a run cannot be read.
    """
    metas, complaints = listed(folder)
    ordered = sorted(metas, key=lambda name: (str(metas[name].get("created", "")), name))
    groups: dict[tuple[str, str, str], dict[str, dict[Hashable, float]]] = {}
    better: dict[tuple[str, str], str] = {}
    there: set[str] = set()
    for name in ordered:
        df = Store(folder / name).frame()
        if df.empty:
            continue
        known = directions(df)
        better |= known
        rows = undisturbed(chosen_rows(df, known))
        there |= set(rows["measure"])
        rows = rows[rows["measure"].isin(measures)] if measures else rows
        groups.setdefault((kind_of(metas[name]), *one_clock(df)), {})[name] = levels(rows)
    if not groups:
        raise UsageError("\n".join([f"{folder} holds no run with samples", *complaints]), "`lab list runs` lists runs")
    if unknown := [measure for measure in measures if measure not in there]:
        hint = f"there are: {', '.join(sorted(there))}"
        raise UsageError(f"--measure: no run in {folder} has {', '.join(unknown)}", hint)
    found = [Timeline(*about, list(runs), list(_series(runs, better))) for about, runs in sorted(groups.items())]
    return [each for each in found if each.series]


def _series(runs: dict[str, dict[Hashable, float]], better: Mapping[tuple[str, str], str]) -> Iterator[Series]:
    """The series of every figure that any of the runs has."""
    keys: list[Any] = sorted({key for found in runs.values() for key in found})
    named = {key: [name for name, found in runs.items() if key in found] for key in keys}
    family = sum(len(names) >= changes.SHORTEST for names in named.values())
    for key, names in named.items():
        values = [runs[name][key] for name in names]
        about = dict(zip(KEYS, map(str, key), strict=True))
        cell = {name: about[name] for name in CELL if name not in ("engine", "clock")}
        found = changes.changes(values, family)
        way = better[about["measure"], about["metric"]]
        yield Series(cell, about["metric"], about["unit"], about["end"], way, names, values, found)
