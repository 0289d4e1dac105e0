# SPDX-License-Identifier: MIT
"""The run folder: `meta.json` and `samples.jsonl` hold everything; `results.csv` and the reports are derived from them.

`samples.jsonl` is append-only, with one line a sample. A line is written and synced before the next sample starts, and
holds its own checksum. A line that a crash cut short is set aside; an edited line is an error. Neither is ever read as
a measurement. A run's folder has one writer.

A step of the plan (a cell in a block) that went wrong may be repeated. Every attempt stays, numbered, and the last one
counts.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.core import files
from lab.core.errors import LabError, UsageError
from lab.results import quantity, schema
from lab.results.cell import LOADS, Cell, parse_conditions
from lab.results.cpu import bottleneck
from lab.results.reading import Reading

if TYPE_CHECKING:
    import pandas

SCHEMA = 2
"""The schema of new runs: a subject's columns have its own names (`columns` in meta.json). Schema 1 is read as well:
its columns always have a VPN's names."""
READABLE = (1, SCHEMA)
COLUMNS = (
    "run", "block", "position", "vpn", "variant", "records", "suite", "measure", "conditions",
    "metric", "unit", "end", "value", "outcome", "reason", "engine", "clock", "bottleneck",
)  # fmt: skip
"""The columns of results.csv: one row a figure; a sample without figures has one row without a metric."""
ATTEMPT = "attempt"
"""The number of an attempt, in a sample that is not the first one. If a run has any, its table has this extra column:
the number of the attempt that counts."""
AGAIN = ("failed", "invalid")
"""The outcomes after which a step may be repeated: something went wrong."""
OUTCOMES = ("ok", "unsupported", *AGAIN)
"""Every outcome that a sample can have."""
SAMPLES, TWINS = "samples.jsonl", "twins.jsonl"
"""The samples of a run, and those of them that were taken once more, by another worker of a cluster."""
WORKER, MACHINE = "worker", "machine"
"""Which worker of a cluster took a sample, and on which machine. If any sample has them, they are extra columns."""
Key = tuple[int, Cell]
"""A step of the plan: its block and its cell."""


class Store:
    """One run's folder, open for appending."""

    def __init__(self, folder: Path, samples: str = SAMPLES) -> None:
        self.folder = folder
        self.samples = folder / samples
        self._columns: dict[str, str] | None = None

    @classmethod
    def create(cls, folder: Path, meta: Mapping[str, Any]) -> Store:
        """Create the folder and write `meta.json`.

        Raises:
            LabError: the folder exists or cannot be written.
        """
        try:
            folder.mkdir(parents=True)
            store = cls(folder)
            store.write_meta(meta)
        except FileExistsError as error:
            raise LabError(f"{folder} exists already", f"`--resume {folder.name}` resumes it") from error
        except OSError as error:
            raise LabError(f"{folder} cannot be written: {error.strerror}", "choose another with --results") from error
        return store

    @classmethod
    def begin(cls, results: Path, meta: Mapping[str, Any]) -> Store:
        """Create a run. Its name is the kind (unless a matrix), the time and three letters. See `create`."""
        letters = "".join(random.SystemRandom().choices("abcdefghjkmnpqrstuvwxyz", k=3))
        kind = f"{meta['kind']}-" if "kind" in meta else ""
        return cls.create(results / f"{kind}{datetime.now(UTC):%Y%m%d-%H%M%S}-{letters}", meta)

    def go_on(self, now: Mapping[str, Any], keys: Sequence[str]) -> Store:
        """Prepare a run for more samples, if it would go on as it was begun.

        `keys` of `meta.json` must have the same values `now`. A dot in a key leads to a nested key.

        Raises:
            LabError: something has changed since; says what.
        """
        stored = self.meta()
        if changed := differences(stored, now, keys):
            raise LabError(
                f"{self.folder.name} cannot be resumed: changed since it was started: {', '.join(changed)}",
                "restore what it was started with, or start a new run",
            )
        for _ in self.read(now.get("cells")):  # a sample outside the plan is an error before anything is measured
            pass
        return self

    @property
    def twins(self) -> Store:
        """The samples of this run that another worker took once more. They are compared, and count nowhere else."""
        return Store(self.folder, TWINS)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Lock this run for writing until the block ends. A last line that was cut short is set aside first.

        Raises:
            LabError: another process writes the run; says which.
        """
        descriptor = None
        try:
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LabError(
                f"run {self.folder.name} is being written by {_holder(self.folder)}",
                "a run has one writer: wait for it, or stop it",
            ) from error
        except OSError as error:
            raise LabError(f"{self.folder} cannot be held: {error.strerror}") from error
        else:
            self.mend()
            self.twins.mend()
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def mend(self) -> None:
        """Move a last line that was cut short to `samples.torn`. Its sample is taken again."""
        if self.samples.exists():
            data = self.samples.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                with self.samples.with_suffix(".torn").open("ab") as torn:
                    torn.write(data[whole:] + b"\n")
                os.truncate(self.samples, whole)

    def write_meta(self, meta: Mapping[str, Any]) -> None:
        """Replace `meta.json` atomically."""
        if faults := schema.faults(schema.Meta, json.loads(json.dumps(meta)))[1]:
            raise ValueError("; ".join(faults))  # it could not be read again
        text = json.dumps({"schema": SCHEMA, **meta}, indent=1, sort_keys=True) + "\n"
        files.write(self.folder / "meta.json", text)
        self._columns = dict(meta.get("columns", {}))

    def meta(self) -> dict[str, Any]:
        """The content of `meta.json`: the plan, the engine and the machine.

        Raises:
            UsageError: there is no such run, it has another schema, or a field is not what it must be; names it.
        """
        path = self.folder / "meta.json"
        try:
            meta = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise UsageError(f"no run at {self.folder}: it has no meta.json", _runs(self.folder.parent)) from error
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(f"{path} cannot be read: {error}") from error
        if not isinstance(meta, dict):
            raise UsageError(f"{path} is of no run: it holds {json.dumps(meta)[: schema.SHOWN]}")
        if meta.get("schema") not in READABLE:
            versions = " and ".join(map(str, READABLE))
            raise UsageError(f"{path} has schema {meta.get('schema')}, this lab reads {versions}")
        if faults := schema.faults(schema.Meta, meta)[1]:
            raise UsageError("\n".join(f"{path}: {fault}" for fault in faults))
        return meta

    def append(self, sample: Mapping[str, Any]) -> None:
        """Append one sample. It is on the disk when this returns.

        Raises:
            LabError: it could not be written; the earlier samples are untouched.
        """
        record = renamed(sample, self.columns)
        line = json.dumps({**record, "check": _checksum(record)}, sort_keys=True).encode() + b"\n"
        try:
            with self.samples.open("ab", buffering=0) as file:
                size = file.seek(0, os.SEEK_END)
                try:
                    while line:  # a write may be partial; the next one then says why
                        line = line[file.write(line) :]
                    os.fsync(file.fileno())
                except OSError:
                    os.truncate(self.samples, size)
                    raise
        except OSError as error:
            hint = f"make room, then resume the run: `--resume {self.folder.name}`"
            raise LabError(f"{self.samples} cannot be written: {error.strerror}", hint) from error

    def read(self, cells: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """Every attempt at every sample, in the order of time.

        `cells` are the cells of the plan, as text. By default they are those that `meta.json` names.

        Raises:
            LabError: a line is cut short or was changed, is no sample of this run, or is there twice; names it.
            UsageError: what `meta` raises.
        """
        meta = schema.Meta.model_validate(self.meta())
        cell_names = meta.cells if cells is None else cells
        plan = None if cell_names is None else set(cell_names)
        generic_names = {own_name: name for name, own_name in meta.columns.items()}
        seen = Seen()
        try:
            lines = self.samples.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return
        except OSError as error:
            raise LabError(f"{self.samples} cannot be read: {error.strerror}") from error
        for number, line in enumerate(lines, start=1):
            fault = ""
            try:
                sample = json.loads(line)
                intact = isinstance(sample, dict) and sample.pop("check", None) == _checksum(sample)
            except (ValueError, RecursionError):
                intact = False
            if not intact:
                fault = "this line was cut short or changed after it was written"
            else:
                sample = renamed(sample, generic_names)
                fault = schema.fault_of(meta, plan, sample) or seen.fault_of(sample, number)
            if fault:
                raise LabError(
                    f"{self.samples}:{number}: {fault}",
                    f"restore it, or delete it and measure it again with `--resume {self.folder.name}`",
                )
            yield sample

    def last(self) -> list[dict[str, Any]]:
        """The last attempt at each sample: the one that counts. Raises what `read` raises."""
        samples: dict[Key, dict[str, Any]] = {}
        for sample in self.read():
            samples[key_of(sample)] = sample
        return list(samples.values())

    def frame(self, samples: Sequence[Mapping[str, Any]] | None = None) -> pandas.DataFrame:
        """All figures of the samples that count, tidy, with COLUMNS (and ATTEMPT if a sample was repeated).

        If the run declares its figures, MAIN and BETTER (`lab.results.quantity`) say what each one is.

        This is the content of results.csv. `samples`: the result of `last`, if it was read already. Raises what `read`
        raises.
        """
        import pandas

        samples = self.last() if samples is None else samples
        marks = quantity.marks(quantity.declared(self.meta()))
        columns = [*COLUMNS, *([quantity.MAIN, quantity.BETTER] if marks else [])]
        columns += [key for key in (ATTEMPT, WORKER, MACHINE) if any(key in sample for sample in samples)]
        return pandas.DataFrame([row for sample in samples for row in _rows(sample, columns, marks)], columns=columns)

    @property
    def columns(self) -> dict[str, str]:
        """The subject's column names on the disk, by the VPN's names; empty if they are the same."""
        if self._columns is None:
            self._columns = dict(self.meta().get("columns", {}))
        return self._columns

    def write_table(self, name: str, frame: pandas.DataFrame) -> Path:
        """Write `frame` as a CSV file, with the subject's own column names.

        If the subject has its own names, each condition gets a column too.
        """
        if self.columns:
            own_names = self.columns.values()
            extra_columns = {
                name: values for name, values in _conditions(frame["conditions"]).items() if name not in own_names
            }
            frame = frame.assign(**extra_columns).rename(columns=self.columns)
        return files.write_table(self.folder / name, frame)

    def write_csv(self, frame: pandas.DataFrame | None = None) -> Path:
        """Write `results.csv`."""
        return self.write_table("results.csv", self.frame() if frame is None else frame)


def renamed(sample: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The sample with its keys renamed."""
    return {names.get(key, key): value for key, value in sample.items()}


def _conditions(texts: Iterable[str]) -> dict[str, list[str]]:
    """The values of each condition, by its name. A row without the condition has an empty value."""
    rows = [parse_conditions(text) for text in texts]
    return {name: [row.get(name, "") for row in rows] for name in sorted({name for row in rows for name in row})}


def differences(meta: Mapping[str, Any], other: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    """Which of `keys` have other values in `other`. A dot in a key leads to a nested key."""
    return [key.rpartition(".")[2] for key in keys if _at(meta, key) != _at(other, key)]


def _at(meta: Mapping[str, Any], key: str) -> Any:
    first, _, rest = key.partition(".")
    value = meta.get(first)
    return _at(value or {}, rest) if rest else value


def cell_of(sample: Mapping[str, Any]) -> Cell:
    """The cell of a sample."""
    return Cell(*(sample[key] for key in ("vpn", "variant", "suite", "measure", "conditions")))


def key_of(sample: Mapping[str, Any]) -> Key:
    """The step of a sample."""
    return sample["block"], cell_of(sample)


class Seen:
    """The samples read so far. A step occurs once, plus once for each attempt that went wrong."""

    def __init__(self) -> None:
        self.steps: dict[Key, tuple[int, int, str]] = {}
        self.places: dict[tuple[int, int], Cell] = {}

    def fault_of(self, sample: Mapping[str, Any], line: int) -> str:
        """Why a sample cannot follow the earlier ones; empty if it can."""
        key, place = key_of(sample), (sample["block"], sample["position"])
        former, attempt, outcome = self.steps.get(key, (0, 0, AGAIN[0]))
        if sample.get(ATTEMPT, 1) <= attempt:
            return f"block {key[0]} of {key[1]} is there twice: line {former} has it too"
        if outcome not in AGAIN:
            return f"block {key[0]} of {key[1]} was taken again although it was {outcome} in line {former}"
        if sample["position"] >= 0 and self.places.setdefault(place, key[1]) != key[1]:
            return f"position {place[1]} of block {place[0]} is that of {self.places[place]}, not of {key[1]}"
        self.steps[key] = line, sample.get(ATTEMPT, 1), sample["outcome"]
        return ""


def _rows(
    sample: Mapping[str, Any], columns: Sequence[str], marks: Mapping[tuple[str, str], Mapping[str, str]]
) -> list[list[Any]]:
    """The rows of a sample: one a figure, or one without a metric. The bottleneck is derived from the figures."""
    readings = sample.get("readings") or []
    loaded = int(parse_conditions(sample["conditions"]).get(LOADS, 1))
    shared = sample.get("clock") != "instructions"
    limit = bottleneck([Reading(**reading) for reading in readings], shared=shared, tunnels=loaded)
    figures = readings or [{"metric": None, "unit": None, "end": None, "value": None}]
    values = {ATTEMPT: 1, quantity.MAIN: "", quantity.BETTER: "", **sample, "bottleneck": limit}
    rows = [{**values, **figure, **marks.get((sample["measure"], figure["metric"]), {})} for figure in figures]
    return [[row.get(column) for column in columns] for row in rows]


def _checksum(sample: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(sample, sort_keys=True).encode()).hexdigest()[:16]


def _holder(folder: Path) -> str:
    """The process that locks a folder, from /proc/locks. The pid is missing if this user may not see it."""
    try:
        locks = [line.split() for line in Path("/proc/locks").read_text(encoding="ascii").splitlines()]
    except OSError:
        locks = []
    inode = str(folder.stat().st_ino)
    pids = [lock[4] for lock in locks if lock[1] == "FLOCK" and lock[5].rpartition(":")[2] == inode]
    return f"process {pids[0]}" if pids else "another process"


def _runs(results: Path) -> str:
    """The runs in a folder, and the folders whose `meta.json` is of no run."""
    metas, complaints = listed(results)
    message = f"runs in {results}: {', '.join(metas)}" if metas else f"{results} holds no run yet"
    return "\n".join([message, *complaints])


def listed(results: Path) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The `meta.json` of each run in a folder, by name; and a line on each that is of no run."""
    metas: dict[str, dict[str, Any]] = {}
    complaints = []
    for path in sorted(results.glob("*/meta.json")):
        try:
            metas[path.parent.name] = Store(path.parent).meta()
        except UsageError as error:
            complaints.append(f"no run: {error.message.splitlines()[0]}")
    return metas, complaints


def kind_of(meta: Mapping[str, Any]) -> str:
    """The kind of a run: `matrix`, `crypto` or `ktls`, like the command."""
    return str(meta.get("kind", "matrix"))


def runs(results: Path, kind: str) -> list[Store]:
    """The runs of `lab <kind>` in a folder, the newest first. Unreadable ones are left out."""
    metas = {name: meta for name, meta in listed(results)[0].items() if kind_of(meta) == kind}
    order = sorted(metas, key=lambda name: (str(metas[name].get("created", "")), name), reverse=True)
    return [Store(results / name) for name in order]
