"""What a report shows, as tables of text: built once, drawn in the terminal and in HTML alike.

The shapes are those of the thesis's tables: throughput by ciphersuite and VPN (B.1 to B.4), user and kernel time of
each end (3.15, 3.17), context switches and read/write system calls (3.16, 3.18).
"""
# ruff: noqa: RUF001 - en dashes and multiplication signs are what a reader of tables expects

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from lab import analysis
from lab.inference import CONFIDENCE, MIN_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

INTERVAL = f"{CONFIDENCE * 100:.0f} % interval"
SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
OUTCOMES = ("ok", "unsupported", "failed", "invalid")
Load = tuple[str, str]
"""A measure that moves data, and its conditions."""


@dataclass(frozen=True)
class Cell:
    """One field: its text, and what it says (`unsupported`, `failed`, `invalid`, or nothing) for those who draw it."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """A table to show. The first `keys` columns name a row; `name` is unique in a report."""

    name: str
    title: str
    columns: list[str]
    rows: list[list[Cell]]
    keys: int = 1
    notes: list[str] = field(default_factory=list)


@dataclass
class Notes:
    """Numbers footnotes; a text said twice keeps its number."""

    texts: list[str] = field(default_factory=list)

    def mark(self, text: str) -> str:
        """The superscript number of the footnote `text`; nothing for an empty one."""
        if not text:
            return ""
        if text not in self.texts:
            self.texts.append(text)
        return str(self.texts.index(text) + 1).translate(SUPERSCRIPT)

    def lines(self) -> list[str]:
        """Every footnote with its number."""
        return [f"{self.mark(text)} {text}" for text in self.texts]


def each(frame: pd.DataFrame) -> Iterator[Any]:
    """The rows of a frame, columns as attributes."""
    yield from frame.itertuples(index=False)


def figure(value: float) -> str:
    """Three significant digits or all before the point, never an exponent: 0.123, 1.23, 12.3, 123, 12345."""
    if math.isnan(value):
        return "–"
    if value == 0:
        return "0"
    size = abs(value)
    digits = 0 if size >= 99.95 else 1 if size >= 9.995 else 2 if size >= 0.995 else 3 if size >= 0.0995 else 4
    return f"{value:.{digits}f}"


def percent(value: float) -> str:
    """A fraction as per cent."""
    return "–" if math.isnan(value) else f"{value * 100:.1f} %"


def interval(row: Any, show: Any = figure) -> str:
    """The interval of a row of `analysis.summarise`, or why there is none."""
    if row.n < MIN_SAMPLES:
        return "no interval"
    if show is percent:
        return f"{row.low * 100:.1f}–{row.high * 100:.1f} %"
    return f"{show(row.low)}–{show(row.high)}"


def natural(text: str) -> list[tuple[int, int, str]]:
    """Sorts `aes-128` before `aes-1024`, and words before numbers."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", text) if part]


def order(names: Iterable[str]) -> list[str]:
    """The distinct names in natural order."""
    return sorted(set(names), key=natural)


def series(df: pd.DataFrame) -> pd.Series[str]:
    """`vpn/variant` of each row."""
    return df["vpn"].astype(str) + "/" + df["variant"].astype(str)


def loads(df: pd.DataFrame, metrics: Sequence[str] = ("cpu_user", "cost")) -> list[Load]:
    """The measures and conditions that have `metrics` (a CPU ledger), fixed amounts of data before fixed times."""
    rows = analysis.measured(df, metrics)
    found = set(rows[["measure", "conditions"]].itertuples(index=False, name=None))
    return sorted(found, key=lambda load: (load[0] != "transfer", load))


def of_load(df: pd.DataFrame, load: Load) -> pd.DataFrame:
    """The rows of one measure under one set of conditions."""
    return df[(df["measure"] == load[0]) & (df["conditions"].fillna("") == load[1])]


def named(load: Load) -> str:
    """A load in words: `direction=up streams=1` where throughput is measured, else `transfer, size=10000000`."""
    return ", ".join(part for part in load if part and part != "throughput") or load[0]


def build(df: pd.DataFrame, meta: Mapping[str, Any], *, every_load: bool = False) -> list[Table]:
    """Every table there is data for; CPU tables of the first load, or of `every_load`.

    Raises:
        LabError: the frame mixes engines or clocks.
    """
    analysis.one_clock(df)
    df = analysis.tidy(df)
    control = analysis.control_of(df, meta)
    tables = [overview(df, meta)]
    throughput = order(df.loc[df["measure"] == "throughput", "conditions"])
    for conditions in throughput:
        tables += [matrix(df, ("throughput", conditions), control), ranking(df, ("throughput", conditions), control)]
    carrying = loads(df)
    if not throughput and carrying:
        tables.append(matrix(df, carrying[0], control))
    for load in carrying if every_load else carrying[:1]:
        tables += [cpu_time(df, load), switches(df, load), cost(df, load)]
    tables += [latency(df), handshake(df)]
    return [table for table in tables if table.rows]


def overview(df: pd.DataFrame, meta: Mapping[str, Any]) -> Table:
    """How many samples of each series ended how, why those that should not have, and whether the ledger closes."""
    ended = analysis.outcomes(df)
    counts = ended.assign(series=series(ended)).pivot_table(
        index="series", columns="outcome", values="n", aggfunc="sum", fill_value=0
    )
    rows = []
    for name in order(counts.index):
        numbers = [counts.to_dict("index")[name].get(outcome, 0) for outcome in OUTCOMES]
        kinds = ["", *OUTCOMES[1:]]
        rows.append([Cell(name), *(Cell(str(n), kind if n else "") for n, kind in zip(numbers, kinds, strict=True))])
    bad = ended[ended["outcome"].isin(["failed", "invalid"])]
    alike = ["vpn", "variant", "suite", "outcome", "reason"]
    notes = [
        f"{row.n} {row.outcome}: {row.vpn}/{row.variant} {row.suite} ({row.measure}): {row.reason}"
        for row in each(
            bad.groupby(alike)
            .agg(n=("n", "sum"), measure=("measure", lambda names: ", ".join(order(names))))
            .reset_index()
        )
    ]
    return Table("samples", "Samples by outcome", ["", *OUTCOMES], rows, notes=notes + closure(df, meta))


def closure(df: pd.DataFrame, meta: Mapping[str, Any]) -> list[str]:
    """One line on the CPU ledger, if the number of processors is known."""
    processors = meta.get("processors")
    checked = analysis.ledger_closure(df, int(processors)) if isinstance(processors, int) else pd.DataFrame()
    if checked.empty:
        return []
    worst = checked["gap"].abs().max()
    line = (
        f"CPU ledger: the machine's states sum to wall time × {processors} processors and hold the ends' time in "
        f"{int(checked['closes'].sum())} of {len(checked)} samples (tolerance 2 %, largest gap {percent(worst)})"
    )
    return [line]


def matrix(df: pd.DataFrame, load: Load, control: str | None) -> Table:
    """Suites by series: median throughput, interval and n; what has none says why in a footnote."""
    rows = of_load(df, load)
    summary = analysis.summarise(rows, "throughput")
    values = {(row.vpn, row.variant, row.suite): row for row in each(summary)}
    ended: dict[tuple[str, str, str], list[Any]] = {}
    for row in each(analysis.outcomes(rows)):
        ended.setdefault((str(row.vpn), str(row.variant), str(row.suite)), []).append(row)
    others = {key for key in ended if key[0] != control}
    columns = sorted({key[:2] for key in others}, key=lambda pair: (natural(pair[0]), natural(pair[1])))
    notes, lines = Notes(), []
    for suite in order(key[2] for key in others):
        cells = [_entry(values.get((*pair, suite)), ended.get((*pair, suite), []), notes) for pair in columns]
        lines.append([Cell(suite), *cells])
    said = [
        f"control {vpn}/{variant}: {figure(row.median)} ({interval(row)}, n {row.n})"
        for (vpn, variant, _), row in values.items()
        if vpn == control
    ]
    title = f"Throughput by ciphersuite, Mbit/s ({named(load)}): median, {INTERVAL}, n"
    header = ["suite", *("/".join(pair) for pair in columns)]
    return Table(f"matrix {named(load)}", title, header, lines, notes=said + notes.lines())


def _entry(row: Any, ended: Sequence[Any], notes: Notes) -> Cell:
    bad = [end for end in ended if end.outcome in ("failed", "invalid")]
    marks = " ".join(f"{end.n} {end.outcome}{notes.mark(end.reason)}" for end in bad)
    if row is not None:
        text = f"{figure(row.median)}\n{interval(row)} n{row.n}"
        return Cell(f"{text}\n{marks}", bad[0].outcome) if bad else Cell(text)
    if bad:
        return Cell(marks, bad[0].outcome)
    absent = "".join(notes.mark(end.reason) for end in ended if end.outcome == "unsupported")
    return Cell(f"–{absent}", "unsupported") if ended else Cell("")


def ranking(df: pd.DataFrame, load: Load, control: str | None) -> Table:
    """Rank tiers of the cells that were CPU-bound; the rest below, with why they have none."""
    rows = of_load(df, load)
    ranked = analysis.tiers(rows, control=control)
    shares: dict[tuple[Any, ...], Any] = {}
    if control and not analysis.measured(rows, "throughput", vpn=control).empty:
        ratios = analysis.ratios_to_control(rows, control)
        shares = {(row.vpn, row.variant, row.suite): row for row in each(ratios)}
    notes, lines = Notes(), []
    for row in each(ranked.assign(last=ranked["tier"] == 0).sort_values("last", kind="stable")):
        share = shares.get((row.vpn, row.variant, row.suite))
        kept = f"{percent(share.median)} ({interval(share, percent)})" if share is not None else ""
        tier = str(row.tier) if row.tier else f"–{notes.mark(str(row.why))}"
        texts = [tier, f"{row.vpn}/{row.variant}", row.suite, row.records, figure(row.median), interval(row)]
        lines.append([Cell(text, "" if row.tier else "unsupported") for text in [*texts, str(row.n), kept]])
    columns = ["tier", "vpn/variant", "suite", "records in", "Mbit/s", INTERVAL, "n", "of the control"]
    said = (
        "A tier holds its best cell and those not shown to be slower than it; cells within "
        f"{analysis.MARGIN * 100:.0f} % tie. Ratios are taken within blocks, p corrected (Benjamini-Hochberg). "
        "Cells that are not CPU-bound are not ranked."
    )
    return Table(f"ranks {named(load)}", f"Rank tiers ({named(load)})", columns, lines, 4, [said, *notes.lines()])


def _by_cell(parts: Iterable[pd.DataFrame]) -> dict[tuple[str, str], dict[tuple[str, str], Any]]:
    """Summaries as {(vpn/variant, suite): {(metric, end): row}}, in natural order."""
    found: dict[tuple[str, str], dict[tuple[str, str], Any]] = {}
    for part in parts:
        for row in each(analysis.summarise(part)):
            key = (f"{row.vpn}/{row.variant}", str(row.suite))
            found.setdefault(key, {})[(str(row.metric), str(row.end))] = row
    return {key: found[key] for key in sorted(found, key=lambda key: (natural(key[0]), natural(key[1])))}


def _median(row: Any) -> str:
    return figure(row.median) if row is not None else "–"


def _with_interval(row: Any, show: Any = figure) -> str:
    return f"{show(row.median)} ({interval(row, show)})" if row is not None else "–"


def _count(found: Mapping[tuple[str, str], Any]) -> str:
    sizes = sorted({row.n for row in found.values()})
    return str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]}–{sizes[-1]}"


def cpu_time(df: pd.DataFrame, load: Load) -> Table:
    """Tables 3.15 and 3.17: kernel and user seconds of the VPN's processes at each end, per GB, and the share."""
    rows = of_load(df, load)
    rows = rows[rows["end"].isin([*analysis.VPN_ENDS, "machine"])]
    per_gb = analysis.per_payload(rows, ["cpu_user", "cpu_system"])
    ends = analysis.VPN_ENDS
    parts = [frame[frame["end"].isin(ends)] for frame in (per_gb, analysis.kernel_share(rows))]
    lines = []
    for key, found in _by_cell(parts).items():
        cells = []
        for end in ends:
            kernel, user = (_median(found.get((f"cpu_{part}", end))) for part in ("system", "user"))
            cells += [f"{kernel} / {user}", _with_interval(found.get(("kernel_share", end)), percent)]
        lines.append([Cell(text) for text in (*key, *cells, _count(found))])
    columns = ["vpn/variant", "suite"]
    columns += [name for end in ends for name in (f"{end}: kernel / user s/GB", f"{end}: kernel share")] + ["n"]
    title = f"Kernel and user time of the VPN's processes, {named(load)}: medians, {INTERVAL} of the share"
    notes = ["– : those processes spent no time: the kernel's own work for a VPN is in the rest of the cost table"]
    return Table(f"cpu {named(load)}", title, columns, lines, 2, notes)


def switches(df: pd.DataFrame, load: Load) -> Table:
    """Tables 3.16 and 3.18: context switches, and system calls that read and write, of each end per MB carried."""
    rows = of_load(df, load)
    counts = ["context_switches_voluntary", "context_switches_involuntary"]
    calls = analysis.reads_and_writes(rows)
    carried = analysis.measured(rows, "payload")[analysis.COLUMNS]
    everything = pd.concat([analysis.measured(rows, counts)[analysis.COLUMNS], calls, carried], ignore_index=True)
    per_mb = analysis.per_payload(everything, [*counts, "reads", "writes"], 1e6)
    lines = []
    for key, found in _by_cell([per_mb]).items():
        cells = []
        for end in analysis.VPN_ENDS:
            cells.append(" / ".join(_median(found.get((metric, end))) for metric in counts))
            cells.append(" / ".join(_median(found.get((metric, end))) for metric in ("reads", "writes")))
        lines.append([Cell(text) for text in (*key, *cells, _count(found))])
    names = ("voluntary / involuntary", "read / write calls")
    columns = ["vpn/variant", "suite", *(f"{end}: {name}" for end in analysis.VPN_ENDS for name in names), "n"]
    title = f"Context switches and read/write system calls of the VPN's processes per MB, {named(load)}: medians"
    return Table(f"switches {named(load)}", title, columns, lines, 2)


def cost(df: pd.DataFrame, load: Load) -> Table:
    """CPU seconds of the whole machine per GB carried, and where they were spent."""
    lines = []
    places = (*analysis.VPN_ENDS, "rest", "machine")
    for key, found in _by_cell([analysis.cost_by_place(of_load(df, load))]).items():
        row = found.get(("cost", "machine"))
        cells = [_median(found.get(("cost", place))) for place in places]
        lines.append([Cell(text) for text in (*key, *cells, interval(row) if row else "–", _count(found))])
    columns = ["vpn/variant", "suite", *places, f"{INTERVAL} (machine)", "n"]
    notes = ["rest: the machine's time less that of the VPN's processes: the kernel's own work and the load generators"]
    return Table(f"cost {named(load)}", f"Cost, CPU s/GB, {named(load)}: medians", columns, lines, 2, notes)


def latency(df: pd.DataFrame) -> Table:
    """Round-trip times through the tunnel, idle and under load."""
    rows = analysis.measured(df, measure="latency")
    lines = []
    for conditions in order(rows["conditions"]):
        for key, found in _by_cell([rows[rows["conditions"] == conditions]]).items():
            quantiles = [_with_interval(found.get((f"rtt_{name}", "client"))) for name in ("p50", "p90", "p99")]
            loss = found.get(("loss", "client"))
            lost = percent(loss.median) if loss is not None else "–"
            lines.append([Cell(text) for text in (*key, conditions, *quantiles, lost, _count(found))])
    columns = ["vpn/variant", "suite", "conditions", "p50", "p90", "p99", "loss", "n"]
    return Table("latency", f"Round trip, ms: median of each percentile ({INTERVAL})", columns, lines, 3)


def handshake(df: pd.DataFrame) -> Table:
    """From the start of the client to the first byte through."""
    rows = analysis.measured(df, "handshake", measure="handshake")
    lines = []
    for key, found in _by_cell([rows]).items():
        row = found[("handshake", "client")]
        lines.append([Cell(text) for text in (*key, figure(row.median), interval(row), str(row.n))])
    columns = ["vpn/variant", "suite", "s", INTERVAL, "n"]
    return Table("handshake", "Handshake, s: from the client's start to the first byte through", columns, lines, 2)


def comparison(compared: pd.DataFrame, names: tuple[str, str], margin: float = analysis.MARGIN) -> Table:
    """The result of `analysis.compare`, one row a cell and metric."""
    lines = []
    for row in each(compared):
        values = [row.vpn, row.variant, row.suite, f"{row.measure} {row.conditions}".strip()]
        values += [f"{row.metric}, {row.unit} ({row.end})", f"{figure(row.median_a)} n{row.n_a}"]
        values += [f"{figure(row.median_b)} n{row.n_b}", figure(row.ratio)]
        values += ["–" if pd.isna(row.low) else f"{figure(row.low)}–{figure(row.high)}", row.verdict]
        lines.append([Cell(str(value)) for value in values])
    columns = ["vpn", "variant", "suite", "measure", "metric", f"A: {names[0]}", f"B: {names[1]}", "B / A", INTERVAL]
    notes = [f"tie: the interval lies within {margin * 100:g} %; p corrected for all rows (Benjamini-Hochberg)"]
    return Table("comparison", "Two runs, cell by cell", [*columns, "verdict"], lines, 5, notes)


def facts(meta: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """What `meta` says about a run, flattened to `a.b: value`; long lists are counted, long texts are cut."""
    found: list[tuple[str, str]] = []
    for key, value in meta.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            found += facts(value, f"{name}.")
        elif isinstance(value, list):
            plain = len(value) <= 16 and all(isinstance(item, str | int | float) for item in value)
            found.append((name, ", ".join(map(str, value)) if plain else f"{len(value)} entries"))
        elif value is not None:
            text = str(value)
            found.append((name, text if len(text) <= 300 else f"{text[:300]}…"))
    return found
