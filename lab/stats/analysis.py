# SPDX-License-Identifier: MIT
"""From the rows of results.csv to figures that can be believed: pure functions on data frames.

A frame is tidy: one row per metric of a sample. What is derived (shares, costs per byte) comes back as rows of the
same form, so everything shown goes through `summarise`. Engines and clocks are never mixed: they are part of every key.
On the instruction clock the modes of a cell (`lab.stats.modes`) are never mixed either: each is summarised on its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lab.core.errors import LabError
from lab.results.store import Store, kind_of, runs
from lab.stats import inference, modes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CELL = ["engine", "clock", "vpn", "variant", "records", "suite", "measure", "conditions"]
METRIC = ["metric", "unit", "end"]
SAMPLE = ["run", "block", "position", *CELL]
WITHIN = ["run", "block", "engine", "clock", "measure", "conditions", *METRIC]
"""What two samples must share for a ratio of one to the other to mean something."""
SERIES = ["vpn", "variant", "records", "suite"]
COLUMNS = [*SAMPLE, *METRIC, "value", "outcome", "reason", "bottleneck"]
ROWS = [*COLUMNS, "mode"]
"""What rows that count have (`measured`), and all that is derived from them."""

ATTEMPT = "attempt"
"""A column of a run in which samples were taken again: which attempt it is that counts."""
CONTROL_SUITE = "none"
MARGIN = 0.05
"""Cells within 5 % of each other are equivalent."""
VPN_ENDS = ("server", "client")
LOAD_ENDS = ("server-load", "client-load")


def find_run(results: Path, name: str | None = None, kind: str = "matrix") -> Path:
    """The folder of a run of `lab <kind>`: `name` (under `results`, or a path), or the one that was begun last.

    Raises:
        LabError: there is none that has a results.csv.
    """
    there = [store.folder for store in runs(results, kind)]
    wanted = [results / name, Path(name)] if name else there
    found = [path for path in wanted if (path / "results.csv").is_file()]
    if found and name and (other := kind_of(Store(found[0]).meta())) != kind:
        raise LabError(f"{name} is a run of `lab {other}`, not of `lab {kind}`", f"runs there: {_names(there)}")
    if not found:
        missing = f"no run {name or ''} of `lab {kind}` with a results.csv in {results.resolve()}"
        raise LabError(missing, f"runs there: {_names(there)}")
    return found[0]


def _names(folders: Sequence[Path]) -> str:
    return ", ".join(path.name for path in folders) or "none"


def read_csv(path: Path | str) -> pd.DataFrame:
    """A results.csv as a frame. Text is taken as it stands: `null` is a ciphersuite, not a missing value."""
    numbers = {"block": int, "position": int, "value": float}
    text = pd.read_csv(path, dtype=str, keep_default_na=False)
    return tidy(text.replace({"value": {"": "nan"}}).astype({key: numbers[key] for key in numbers if key in text}))


def tidy(df: pd.DataFrame) -> pd.DataFrame:
    """A copy whose text columns hold text (an empty one, not NaN) and whose values are numbers."""
    missing = [column for column in COLUMNS if column not in df]
    if missing:
        raise LabError(f"results lack the columns {', '.join(missing)}", "were they made by another version of lab?")
    text = [column for column in COLUMNS if column not in ("block", "position", "value")]
    frame = df.copy()
    frame[text] = frame[text].astype(object).fillna("").astype(str)
    frame["value"] = pd.to_numeric(frame["value"])
    return frame


def measured(df: pd.DataFrame, metric: str | Sequence[str] = (), **where: str) -> pd.DataFrame:
    """The readings of samples that count (outcome `ok`), of one metric, some or all, with columns as given.

    Each with the `mode` of its sample: give it whole samples, or rows that it returned before.
    """
    frame = tidy(df)
    frame = frame[(frame["outcome"] == "ok") & (frame["metric"] != "") & frame["value"].notna()]
    if "mode" not in frame:
        frame = frame.assign(mode=modes.label(frame, CELL, SAMPLE))
    metrics = [metric] if isinstance(metric, str) else list(metric)
    keep = frame["metric"].isin(metrics) if metrics else pd.Series(True, index=frame.index)
    for column, value in where.items():
        keep &= frame[column] == value
    return frame[keep]


def control_of(df: pd.DataFrame, meta: Mapping[str, Any] | None = None) -> str | None:
    """The vpn that is the control: the first that `meta` names under `controls`, else the one with suite `none`."""
    names: list[str] = list((meta or {}).get("controls", ()))
    names = names or sorted(set(df.loc[df["suite"] == CONTROL_SUITE, "vpn"]))
    return names[0] if names else None


def one_clock(df: pd.DataFrame) -> tuple[str, str]:
    """The engine and clock of a frame.

    Raises:
        LabError: there is more than one; such figures never stand in one column.
    """
    found = sorted(set(df[["engine", "clock"]].astype(object).fillna("").itertuples(index=False, name=None)))
    if len(found) != 1:
        listed = "; ".join(clocked(*pair) for pair in found) or "none"
        raise LabError(f"results of one engine and clock wanted, found: {listed}", "report them separately")
    return found[0]


def clocked(engine: str, clock: str) -> str:
    """An engine and its clock in words, as captions have them."""
    return f"{engine} engine, {clock} clock"


def summarise(df: pd.DataFrame, metric: str | Sequence[str] = ()) -> pd.DataFrame:
    """For each cell, metric, end and mode: n, median, min, max and how far it can be trusted (`low`, `high`).

    On the wall clock those are the median's 95 % interval, NaN where n < 3. On the instruction clock there is no noise
    to sample again: they are the least and the greatest, the spread of the seeded perturbation; NaN where n < 2.
    `modes` says how many modes the cell has: one row each. On the wall clock that is one.
    """
    rows = measured(df, metric)
    keys = [*CELL, *METRIC, "mode"]
    summary = rows.groupby(keys, sort=True)["value"].agg(n="size", median="median", min="min", max="max").reset_index()
    counted = rows[[*CELL, "mode"]].drop_duplicates().value_counts(CELL).rename("modes").reset_index()
    summary = summary.merge(counted, on=CELL, how="left")
    # In the order of time, so that resampling does not depend on the order of the frame's rows.
    ordered = rows.sort_values(["run", "block", "position"])
    values = {key: group.to_numpy() for key, group in ordered.groupby(keys)["value"]}
    noisy = summary["clock"] != modes.EXACT
    low, high = inference.median_intervals(
        [values[key] for key in summary.loc[noisy, keys].itertuples(index=False, name=None)]
    )
    spread = summary["n"] > 1
    summary["low"], summary["high"] = summary["min"].where(spread), summary["max"].where(spread)
    summary.loc[noisy, "low"], summary.loc[noisy, "high"] = low, high
    return summary[[*keys, "modes", "n", "median", "low", "high", "min", "max"]]


def outcomes(df: pd.DataFrame) -> pd.DataFrame:
    """For each cell, outcome and reason: how many samples ended so (`n`) in the end. None is left out."""
    samples = tidy(df).drop_duplicates([*SAMPLE, "outcome", "reason"])
    return samples.groupby([*CELL, "outcome", "reason"], sort=True).size().rename("n").reset_index()


def attempts(df: pd.DataFrame) -> list[int]:
    """How often each sample was taken that was taken more than once; the last attempt is the one in the frame."""
    if ATTEMPT not in df:
        return []
    taken = df.drop_duplicates(SAMPLE)[ATTEMPT].astype(int)
    return [int(number) for number in taken[taken > 1]]


def retaken(df: pd.DataFrame) -> list[str]:
    """One line on the samples that were taken more than once, if any were."""
    if not (found := attempts(df)):
        return []
    count = (
        f"{len(found)} sample{'s were' if len(found) > 1 else ' was'} taken more than once, up to {max(found)} times"
    )
    return [f"{count}: the last attempt counts, all are in samples.jsonl"]


def ratios_to_control(df: pd.DataFrame, control: str | None, metric: str = "throughput") -> pd.DataFrame:
    """Each cell's `metric` as a share of the control's in the same block, measure and conditions; summarised.

    Blocks without a control that counts give no ratio; n says how many did.

    Raises:
        LabError: there is no such control.
    """
    rows = measured(df, metric)
    mine = rows[rows["vpn"] == control]
    if control is None or mine.empty:
        raise LabError(f"no control with {metric} to take ratios to", "measure the control in every block")
    reference = mine[mine["value"] > 0].groupby(WITHIN)["value"].median().rename("reference").reset_index()
    joined = rows[rows["vpn"] != control].merge(reference, on=WITHIN, how="inner")
    return summarise(joined.assign(value=joined["value"] / joined["reference"], unit="ratio"))
