# SPDX-License-Identifier: MIT
"""The statistics of results.csv: pure functions on data frames.

A frame is tidy: one row per metric of a sample. Derived figures (shares, costs per byte) are rows of the same form, so
all figures go through `summarise`. Engines and clocks are never mixed: they are part of every key. On the instruction
clock the modes of a cell (`lab.stats.modes`) are not mixed either: each has its own summary.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lab.core.errors import LabError
from lab.results.quantity import BETTER, MAIN, YES, Quantity, undeclared
from lab.results.store import Store, kind_of, runs
from lab.stats import inference, modes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

CELL = ["engine", "clock", "vpn", "variant", "records", "suite", "measure", "conditions"]
METRIC = ["metric", "unit", "end"]
SAMPLE = ["run", "block", "position", *CELL]
WITHIN = ["run", "block", "engine", "clock", "measure", "conditions", *METRIC]
"""The columns that two samples must share if a ratio between them is to mean something."""
SERIES = ["vpn", "variant", "records", "suite"]
FOREIGN = "foreign"
"""The bottleneck of a sample that was slowed by programs of others."""
COLUMNS = [*SAMPLE, *METRIC, "value", "outcome", "reason", "bottleneck"]
ROWS = [*COLUMNS, "mode"]
"""The columns of rows that count (`measured`), and of all rows derived from them."""

ATTEMPT = "attempt"
"""A column of runs with repeated samples: the number of the attempt that counts."""
CONTROL_SUITE = "none"
MARGIN, EXACT_MARGIN = 0.05, 0.01
"""Cells this close to each other are equivalent: 5 % on the wall clock, 1 % on the instruction clock."""
VPN_ENDS = ("server", "client")
LOAD_ENDS = ("server-load", "client-load")


def find_run(results: Path, name: str | None = None, kind: str = "matrix") -> Path:
    """The folder of a run of `lab <kind>`: `name` (under `results`, or a path), or the newest run.

    Raises:
        LabError: there is none with samples, or `name` is a run of another kind.
    """
    folders = [store.folder for store in runs(results, kind)]
    candidates = [results / name, Path(name)] if name else folders
    matches = [path for path in candidates if any((path / name).is_file() for name in ("samples.jsonl", "results.csv"))]
    if matches and name and (actual_kind := kind_of(Store(matches[0]).meta())) != kind:
        raise LabError(f"{name} is a run of `lab {actual_kind}`, not of `lab {kind}`", f"runs there: {_names(folders)}")
    if not matches:
        message = f"no run {name or ''} of `lab {kind}` with samples in {results.resolve()}"
        raise LabError(message, f"runs there: {_names(folders)}")
    return matches[0]


def _names(folders: Sequence[Path]) -> str:
    return ", ".join(path.name for path in folders) or "none"


def read_csv(path: Path | str) -> pd.DataFrame:
    """A results.csv as a frame. Text stays as it is: `null` is a ciphersuite, not a missing value."""
    numbers = {"block": int, "position": int, "value": float}
    text = pd.read_csv(path, dtype=str, keep_default_na=False)
    return tidy(text.replace({"value": {"": "nan"}}).astype({key: numbers[key] for key in numbers if key in text}))


def tidy(df: pd.DataFrame) -> pd.DataFrame:
    """A copy whose text columns hold text (empty, not NaN) and whose values are numbers."""
    missing = [column for column in COLUMNS if column not in df]
    if missing:
        raise LabError(f"results lack the columns {', '.join(missing)}", "were they made by another version of lab?")
    text = [column for column in COLUMNS if column not in ("block", "position", "value")]
    frame = df.copy()
    frame[text] = frame[text].astype(object).fillna("").astype(str)
    frame["value"] = pd.to_numeric(frame["value"])
    return frame


def measured(df: pd.DataFrame, metric: str | Sequence[str] = (), **where: str) -> pd.DataFrame:
    """The readings of samples that count (outcome `ok`). `metric` (none: all) and `where` select rows.

    Each row has the `mode` of its sample. `df` must hold whole samples, or rows that this function returned: these
    count already.
    """
    frame = df
    if "mode" not in df:
        frame = tidy(df)
        frame = frame[(frame["outcome"] == "ok") & (frame["metric"] != "") & frame["value"].notna()]
        mains = {measure: its[0].metric for measure, its in quantities(frame).items()}
        frame = frame.assign(mode=modes.label(frame, CELL, SAMPLE, mains))
    metrics = [metric] if isinstance(metric, str) else list(metric)
    mask = frame["metric"].isin(metrics) if metrics else pd.Series(True, index=frame.index)
    for column, value in where.items():
        mask &= frame[column] == value
    return frame[mask]


def quantities(df: pd.DataFrame) -> dict[str, list[Quantity]]:
    """The figures that each measure's cells and runs are compared by, the main one first, whatever the rows' order.

    Their names are in the run's `meta.json` alone (`lab.results.quantity.declared`).
    """
    read = df[(df["outcome"] == "ok") & df["metric"].notna() & (df["metric"] != "")]
    read = read[[column for column in ("measure", "metric", "unit", MAIN, BETTER) if column in read]]
    found: dict[str, list[Quantity]] = {}
    for measure, its in read.drop_duplicates().sort_values(["measure", "metric"]).groupby("measure"):
        units = dict(zip(its["metric"], its["unit"], strict=True))
        if MAIN in its and (its[MAIN] == YES).any():
            told = its[(its[MAIN] == YES) | (its[BETTER] != "")].sort_values(MAIN, ascending=False, kind="stable")
            marked = zip(told["metric"], told["unit"], told[BETTER], strict=True)
            found[str(measure)] = [Quantity(metric, unit, better=better) for metric, unit, better in marked]
        else:
            found[str(measure)] = [replace(each, unit=units[each.metric]) for each in undeclared(list(units))]
    return found


def of_main(rows: pd.DataFrame, mains: Mapping[str, Sequence[Quantity]]) -> pd.DataFrame:
    """The rows of main figures, of each load at one end: the whole machine if it was read there, else the first.

    `mains`: the result of `quantities` for the rows' run.
    """
    rows = rows[rows["metric"] == rows["measure"].map({measure: its[0].metric for measure, its in mains.items()})]
    load = ["measure", "conditions"]
    ends = rows[[*load, "end"]].drop_duplicates().assign(part=lambda found: found["end"] != "machine")
    ends = ends.sort_values(["part", "end"]).drop_duplicates(load)
    return among(rows, [*load, "end"], set(ends[[*load, "end"]].itertuples(index=False, name=None)))


def among(rows: pd.DataFrame, columns: Sequence[str], keys: Collection[tuple[Any, ...]]) -> pd.DataFrame:
    """The rows whose `columns` are one of the keys."""
    found = [key in keys for key in zip(*(rows[name].tolist() for name in columns), strict=True)]
    return rows[pd.Series(found, index=rows.index, dtype=bool)]


def undisturbed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows whose samples programs of others did not slow (`lab.results.cpu.bottleneck`): these are compared."""
    return rows[rows["bottleneck"] != FOREIGN]


def control_of(df: pd.DataFrame, meta: Mapping[str, Any] | None = None) -> str | None:
    """The control's vpn: the first under `controls` in `meta`, else the first with suite `none`."""
    names: list[str] = list((meta or {}).get("controls", ()))
    names = names or sorted(set(df.loc[df["suite"] == CONTROL_SUITE, "vpn"]))
    return names[0] if names else None


def one_clock(df: pd.DataFrame) -> tuple[str, str]:
    """The engine and clock of a frame.

    Raises:
        LabError: there is none, or more than one: such figures never share a column.
    """
    pairs = sorted(set(df[["engine", "clock"]].astype(object).fillna("").itertuples(index=False, name=None)))
    if len(pairs) != 1:
        names = "; ".join(clocked(*pair) for pair in pairs) or "none"
        raise LabError(f"results of one engine and clock wanted, found: {names}", "report them separately")
    return pairs[0]


def margin_of(clock: str) -> float:
    """The margin within which cells are equivalent, unless another is asked for."""
    return EXACT_MARGIN if clock == modes.EXACT else MARGIN


def clocked(engine: str, clock: str) -> str:
    """An engine and its clock, in words for captions."""
    return f"{engine} engine, {clock} clock"


def summarise(df: pd.DataFrame, metric: str | Sequence[str] = ()) -> pd.DataFrame:
    """For each cell, metric, end and mode: n, median, min, max, and `low` to `high`, of which `spread` says what it is.

    On the wall clock from 6 samples on `interval`: the median's 95 % interval. With fewer, and on the instruction
    clock, where it is what the seeded perturbation caused, `range`: least to greatest. Empty, and low and high NaN, if
    n < 2. `modes` is the number of modes of the cell. Each has its own row. On the wall clock there is one.
    """
    rows = measured(df, metric)
    keys = [*CELL, *METRIC, "mode"]
    summary = rows.groupby(keys, sort=True)["value"].agg(n="size", median="median", min="min", max="max").reset_index()
    mode_counts = rows[[*CELL, "mode"]].drop_duplicates().value_counts(CELL).rename("modes").reset_index()
    summary = summary.merge(mode_counts, on=CELL, how="left")
    summary["spread"] = [inference.kind(n) for n in summary["n"]]
    exact = (summary["clock"] == modes.EXACT) & (summary["spread"] != "")
    summary.loc[exact, "spread"] = inference.RANGE
    known = summary["spread"] != ""
    summary["low"], summary["high"] = summary["min"].where(known), summary["max"].where(known)
    sure = summary["spread"] == inference.INTERVAL
    if sure.any():
        values = {key: group.to_numpy() for key, group in rows.groupby(keys)["value"]}
        low, high = inference.median_intervals(
            [values[key] for key in summary.loc[sure, keys].itertuples(index=False, name=None)]
        )
        summary.loc[sure, "low"], summary.loc[sure, "high"] = low, high
    return summary[[*keys, "modes", "n", "median", "low", "high", "spread", "min", "max"]]


def outcomes(df: pd.DataFrame) -> pd.DataFrame:
    """For each cell, outcome and reason: the number of samples (`n`). No sample is left out."""
    samples = tidy(df).drop_duplicates([*SAMPLE, "outcome", "reason"])
    return samples.groupby([*CELL, "outcome", "reason"], sort=True).size().rename("n").reset_index()


def attempts(df: pd.DataFrame) -> list[int]:
    """The number of attempts of each repeated sample. The frame holds the last attempt."""
    if ATTEMPT not in df:
        return []
    numbers = df.drop_duplicates(SAMPLE)[ATTEMPT].astype(int)
    return [int(number) for number in numbers[numbers > 1]]


def retaken(df: pd.DataFrame) -> list[str]:
    """One line on the repeated samples, if there are any."""
    if not (counts := attempts(df)):
        return []
    text = (
        f"{len(counts)} sample{'s were' if len(counts) > 1 else ' was'} taken more than once, up to {max(counts)} times"
    )
    return [f"{text}: the last attempt counts, all are in samples.jsonl"]


def ratios_to_control(df: pd.DataFrame, control: str | None) -> pd.DataFrame:
    """The summary of each cell's main figure over the control's in the same block, measure and conditions.

    A block without a valid control gives no ratio. n is the number of ratios.

    Raises:
        LabError: there is no such control.
    """
    rows = of_main(measured(df), quantities(df))
    controls = rows[rows["vpn"] == control]
    if control is None or controls.empty:
        raise LabError("no control with figures to take ratios to", "measure the control in every block")
    reference = controls[controls["value"] > 0].groupby(WITHIN)["value"].median().rename("reference").reset_index()
    joined = rows[rows["vpn"] != control].merge(reference, on=WITHIN, how="inner")
    return summarise(joined.assign(value=joined["value"] / joined["reference"], unit="ratio"))
