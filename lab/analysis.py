"""From the rows of results.csv to figures that can be believed: pure functions on data frames.

A frame is tidy: one row per metric of a sample. What is derived (shares, costs per byte) comes back as rows of the
same form, so everything shown goes through `summarise`. Engines and clocks are never mixed: they are part of every key.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab import inference
from lab.errors import LabError
from lab.ledger import GIGABYTE

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

CELL = ["engine", "clock", "vpn", "variant", "records", "suite", "measure", "conditions"]
METRIC = ["metric", "unit", "end"]
SAMPLE = ["run", "block", "position", *CELL]
WITHIN = ["run", "block", "engine", "clock", "measure", "conditions", *METRIC]
"""What two samples must share for a ratio of one to the other to mean something."""
SERIES = ["vpn", "variant", "records", "suite"]
COLUMNS = [*SAMPLE, *METRIC, "value", "outcome", "reason", "bottleneck"]

CONTROL_SUITE = "none"
CPU_BOUND = "cpu"
"""How the bottleneck of a CPU-bound sample begins (`cpu:server`, `cpu:machine`)."""
MARGIN = 0.05
"""Cells within 5 % of each other are equivalent."""
HEADLINE = ("throughput", "duration", "cost", "rtt_p50", "handshake")
"""One metric or two of each measure: what two runs are compared by."""
VPN_ENDS = ("server", "client")
LOAD_ENDS = ("server-load", "client-load")
SYSCALLS = {
    "reads": ("read", "readv", "pread64", "preadv", "recvfrom", "recvmsg", "recvmmsg"),
    "writes": ("write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg", "sendmmsg", "sendfile"),
}
STATES = ("user", "system", "softirq", "irq", "idle", "iowait", "steal")


def find_run(results: Path, name: str | None = None) -> Path:
    """The folder of a run: `name` (under `results`, or a path), or the newest that has a results.csv.

    Raises:
        LabError: there is none.
    """
    # By name, which begins with the date: a fresh clone has no other order.
    found = sorted(path.parent for path in results.glob("*/results.csv"))
    named = [path for path in (results / name, Path(name)) if (path / "results.csv").is_file()] if name else found
    if not named:
        known = ", ".join(path.name for path in found) or "none"
        raise LabError(f"no run {name or ''} with a results.csv in {results.resolve()}", f"runs there: {known}")
    return named[0] if name else named[-1]


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
    """The readings of samples that count (outcome `ok`), of one metric, some or all, with columns as given."""
    frame = tidy(df)
    keep = (frame["outcome"] == "ok") & (frame["metric"] != "") & frame["value"].notna()
    metrics = [metric] if isinstance(metric, str) else list(metric)
    if metrics:
        keep &= frame["metric"].isin(metrics)
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
        listed = ", ".join(f"{engine} engine with {clock} clock" for engine, clock in found) or "none"
        raise LabError(f"results of one engine and clock wanted, found: {listed}", "report them separately")
    return found[0]


def summarise(df: pd.DataFrame, metric: str | Sequence[str] = ()) -> pd.DataFrame:
    """For each cell, metric and end: n, median, its 95 % interval (`low`, `high`; NaN where n < 3), min and max."""
    rows = measured(df, metric)
    keys = [*CELL, *METRIC]
    grouped = rows.groupby(keys, sort=True)["value"]
    summary = grouped.agg(n="size", median="median", min="min", max="max").reset_index()
    # In the order of time, so that resampling does not depend on the order of the frame's rows.
    ordered = rows.sort_values(["run", "block", "position"])
    values = {key: group.to_numpy() for key, group in ordered.groupby(keys)["value"]}
    low, high = inference.median_intervals([values[key] for key in summary[keys].itertuples(index=False, name=None)])
    summary["low"], summary["high"] = low, high
    return summary[[*keys, "n", "median", "low", "high", "min", "max"]]


def outcomes(df: pd.DataFrame) -> pd.DataFrame:
    """For each cell, outcome and reason: how many samples ended so (`n`). No attempt is left out."""
    samples = tidy(df).drop_duplicates([*SAMPLE, "outcome", "reason"])
    return samples.groupby([*CELL, "outcome", "reason"], sort=True).size().rename("n").reset_index()


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


# Ranking


def rankable(df: pd.DataFrame, metric: str = "throughput") -> pd.DataFrame:
    """For each measured cell: n, and why it cannot be ranked (empty if it can).

    Ranked are cells most of whose samples were CPU-bound: others measured the generator, the link or waiting.
    """
    rows = measured(df, metric)
    rows = rows.assign(bound=rows["bottleneck"].str.startswith(CPU_BOUND), empty=rows["value"] <= 0)
    cells = rows.groupby([*CELL, *METRIC], sort=True).agg(
        n=("value", "size"), bound=("bound", "sum"), empty=("empty", "sum")
    )
    verdicts = []
    for n, bound, empty in cells.itertuples(index=False, name=None):
        slack = "" if 2 * bound > n else f"CPU-bound in {bound} of {n} samples"
        verdicts.append(f"{empty} of {n} samples read nothing" if empty else slack)
    return cells.assign(why=verdicts).drop(columns=["bound", "empty"]).reset_index()


def pairwise(df: pd.DataFrame, metric: str = "throughput", margin: float = MARGIN) -> pd.DataFrame:
    """Every two cells that can be ranked and share a measure and conditions, by ratios within blocks.

    Columns: the shared ones, `a` and `b` (tuples: vpn, variant, records, suite), n blocks, the median ratio a / b, its
    interval, p (corrected within the comparison's family) and verdict: `tie`, `higher`, `lower`, `undecided`.
    """
    cells = rankable(df, metric)
    good = cells.loc[cells["why"] == "", [*CELL, *METRIC]]
    rows = measured(df, metric).merge(good, on=[*CELL, *METRIC])
    shared = [column for column in WITHIN if column not in ("run", "block")]
    found = [_pairs(dict(zip(shared, key, strict=True)), group, margin) for key, group in rows.groupby(shared)]
    columns = [*shared, "a", "b", "n", "ratio", "low", "high", "p", "verdict"]
    return pd.DataFrame([row for rows in found for row in rows], columns=columns)


def _pairs(shared: dict[str, Any], group: pd.DataFrame, margin: float) -> list[dict[str, Any]]:
    table = group.pivot_table(index=["run", "block"], columns=SERIES, values="value", aggfunc="median")
    logs, names = np.log(table.to_numpy(float)), list(table.columns)
    pairs = [(i, j) for i in range(len(names)) for j in range(i + 1, len(names))]
    gaps = [logs[:, i] - logs[:, j] for i, j in pairs]
    gaps = [gap[~np.isnan(gap)] for gap in gaps]
    ratios = [np.exp(gap) for gap in gaps]
    low, high = inference.median_intervals(ratios)
    p = inference.correct(inference.p_paired(gaps))
    return [
        shared | {
            "a": names[i], "b": names[j], "n": len(ratios[k]),
            "ratio": float(np.median(ratios[k])) if len(ratios[k]) else float("nan"),
            "low": low[k], "high": high[k], "p": p[k], "verdict": inference.verdict(low[k], high[k], p[k], margin),
        }
        for k, (i, j) in enumerate(pairs)
    ]  # fmt: skip


def tiers(
    df: pd.DataFrame, metric: str = "throughput", margin: float = MARGIN, control: str | None = None
) -> pd.DataFrame:
    """The summary of each cell with its rank tier (1 is best) among those of the same measure and conditions.

    A tier is led by its best cell and holds those that follow until one is shown to be lower than the leader: within
    a tier nothing is known to be worse than its best. `tier` is 0 where a cell cannot be ranked, and `why` says why.
    """
    summary = summarise(df, metric).merge(rankable(df, metric).drop(columns="n"), on=[*CELL, *METRIC])
    summary = summary[summary["vpn"] != control]
    pairs = pairwise(df[df["vpn"] != control], metric, margin)
    shared = [column for column in WITHIN if column not in ("run", "block")]
    lower: dict[Hashable, set[tuple[Any, Any]]] = {}
    for row in pairs.to_dict("records"):
        worse = {"lower": (row["a"], row["b"]), "higher": (row["b"], row["a"])}.get(row["verdict"])
        if worse:
            lower.setdefault(tuple(row[column] for column in shared), set()).add(worse)
    parts = []
    for key, group in summary.groupby(shared):
        ranked = group.sort_values(["median", *SERIES], ascending=[False, True, True, True, True])
        parts.append(ranked.assign(tier=_number(ranked, lower.get(key, set()))))
    if not parts:
        return summary.assign(tier=0)
    return pd.concat(parts, ignore_index=True)


def _number(ranked: pd.DataFrame, lower: set[tuple[Any, Any]]) -> list[int]:
    numbers, tier, leader = [], 0, None
    for *name, why in ranked[[*SERIES, "why"]].itertuples(index=False, name=None):
        if why:
            numbers.append(0)
            continue
        if leader is None or (tuple(name), leader) in lower:
            tier, leader = tier + 1, tuple(name)
        numbers.append(tier)
    return numbers


# Where the CPU time went


def _wide(df: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """One row per sample and end, one column per metric (NaN where not read)."""
    rows = measured(df, metrics)
    wide = rows.pivot_table(index=[*SAMPLE, "end"], columns="metric", values="value", aggfunc="sum")
    return wide.reindex(columns=list(metrics)).reset_index()


def _rows(frame: pd.DataFrame, metric: str, unit: str, value: pd.Series[float]) -> pd.DataFrame:
    """Derived values as rows of the tidy form; those that are undefined (0 / 0) are left out."""
    derived = frame[[*SAMPLE, "end"]].assign(
        metric=metric, unit=unit, value=value, outcome="ok", reason="", bottleneck=""
    )
    defined: pd.DataFrame = derived.loc[np.isfinite(derived["value"]), COLUMNS]
    return defined


def kernel_share(df: pd.DataFrame) -> pd.DataFrame:
    """`kernel_share`: what part of an end's CPU time the kernel spent; absent where an end spent none at all."""
    wide = _wide(df, ["cpu_user", "cpu_system"])
    return _rows(wide, "kernel_share", "fraction", wide["cpu_system"] / (wide["cpu_user"] + wide["cpu_system"]))


def per_payload(df: pd.DataFrame, metrics: Sequence[str], size: float = GIGABYTE) -> pd.DataFrame:
    """`metrics` per `size` bytes of payload carried (a GB is 10^9 bytes), under the same names."""
    payload = measured(df, "payload").groupby(SAMPLE)["value"].first().rename("payload")
    rows = measured(df, metrics).join(payload, on=SAMPLE, how="inner")
    per = {1e9: "GB", 1e6: "MB"}.get(size, f"{size:g} B")
    value = rows["value"] / (rows["payload"] / size)
    scaled = rows.assign(value=value, unit=rows["unit"] + f"/{per}")
    defined: pd.DataFrame = scaled.loc[np.isfinite(value), COLUMNS]
    return defined


def reads_and_writes(df: pd.DataFrame) -> pd.DataFrame:
    """`reads` and `writes` of each end: system calls of all names that receive or send, summed (count)."""
    rows = measured(df)
    family = rows["metric"].map({f"syscall:{name}": key for key, names in SYSCALLS.items() for name in names})
    rows = rows.assign(metric=family, unit="count")[family.notna()]
    kept = [column for column in COLUMNS if column != "value"]
    return rows.groupby(kept, sort=True)["value"].sum().reset_index()[COLUMNS]


def cost_by_place(df: pd.DataFrame) -> pd.DataFrame:
    """`cost` (CPU s/GB) at server, client, and `rest`: the machine's less theirs.

    The rest holds the kernel's own work for a VPN that has no process, and the load generators.
    """
    rows = measured(df, "cost")
    wide = rows.pivot_table(index=SAMPLE, columns="end", values="value", aggfunc="sum")
    wide = wide.reindex(columns=[*VPN_ENDS, "machine"]).reset_index()
    rest = wide["machine"] - wide["server"].fillna(0) - wide["client"].fillna(0)
    return pd.concat([rows[COLUMNS], _rows(wide.assign(end="rest"), "cost", "s/GB", rest)], ignore_index=True)


def ledger_closure(df: pd.DataFrame, processors: int, tolerance: float = 0.02) -> pd.DataFrame:
    """Does each sample's CPU ledger close: do the machine's states sum to wall x processors, within `tolerance`?

    Also whether the ends fit into what the machine was busy (all in seconds). Columns beside the sample's: `whole`,
    `parts`, `gap` (a fraction of the whole), `busy`, `ends`, and `closes`.
    """
    wide = _wide(df, ["wall", *(f"cpu_{state}" for state in STATES)])
    machine = wide[wide["end"] == "machine"]
    spent = wide[wide["end"].isin([*VPN_ENDS, *LOAD_ENDS])]
    ends = spent.assign(ends=spent[["cpu_user", "cpu_system"]].sum(axis=1)).groupby(SAMPLE)["ends"].sum()
    states = machine[[f"cpu_{state}" for state in STATES]]
    whole, parts = machine["wall"] * processors, states.sum(axis=1)
    busy = states.drop(columns=["cpu_idle", "cpu_iowait", "cpu_steal"]).sum(axis=1)
    closed = machine[SAMPLE].assign(whole=whole, parts=parts, gap=(parts - whole) / whole, busy=busy)
    closed = closed.join(ends, on=SAMPLE).reset_index(drop=True)
    fits = closed["ends"].fillna(0) <= closed["busy"] + tolerance * closed["whole"]
    return closed.assign(closes=(closed["gap"].abs() <= tolerance) & fits)


# Two runs


def compare(
    a: pd.DataFrame, b: pd.DataFrame, margin: float = MARGIN, metrics: Sequence[str] = HEADLINE
) -> pd.DataFrame:
    """Each cell's `metrics` in run `b` against run `a`: medians, their ratio b / a, its interval, p and verdict.

    Raises:
        LabError: the runs' engines or clocks differ.
    """
    left, right = one_clock(a), one_clock(b)
    if left != right:
        (engine, clock), (other, watch) = left, right
        raise LabError(
            f"these runs cannot be compared: {engine} engine with {clock} clock, {other} engine with {watch} clock",
            "compare runs of one engine and one clock",
        )
    keys = [*CELL, *METRIC]
    both = summarise(a, metrics).merge(summarise(b, metrics), on=keys, how="outer", suffixes=("_a", "_b"))
    both[["n_a", "n_b"]] = both[["n_a", "n_b"]].fillna(0).astype(int)
    cells = list(both[keys].itertuples(index=False, name=None))
    ours, theirs = _values(a, metrics, cells), _values(b, metrics, cells)
    positive = [min(len(x), len(y)) > 0 and min(*x, *y) > 0 for x, y in zip(ours, theirs, strict=True)]
    ours = [x if good else [] for x, good in zip(ours, positive, strict=True)]
    theirs = [y if good else [] for y, good in zip(theirs, positive, strict=True)]
    low, high = inference.ratio_intervals(theirs, ours)
    p = inference.correct(inference.p_unpaired([np.log(x) for x in ours], [np.log(y) for y in theirs]))
    found = [inference.verdict(*row, margin) for row in zip(low, high, p, strict=True)]
    only = np.select([both["n_a"] == 0, both["n_b"] == 0], ["only in B", "only in A"], default="")
    ratio = (both["median_b"] / both["median_a"]).where(pd.Series(positive, index=both.index, dtype=bool))
    both = both.assign(ratio=ratio, low=low, high=high, p=p)
    both["verdict"] = [missing or each for missing, each in zip(only, found, strict=True)]
    return both[[*keys, "n_a", "median_a", "n_b", "median_b", "ratio", "low", "high", "p", "verdict"]]


def _values(df: pd.DataFrame, metrics: Sequence[str], cells: Sequence[Hashable]) -> list[list[float]]:
    ordered = measured(df, metrics).sort_values(["run", "block", "position"])
    groups: dict[Hashable, list[float]] = {
        key: group.tolist() for key, group in ordered.groupby([*CELL, *METRIC])["value"]
    }
    return [groups.get(cell, []) for cell in cells]
