"""The run folder: `meta.json` and `samples.jsonl` hold everything; `results.csv` and the reports are derived from them.

`samples.jsonl` is append-only: one line a sample, written and synced before the next sample starts, each with a
checksum of itself. A line cut short by a crash is set aside, an edited one is an error: neither is ever read as a
measurement.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import files, ledger
from lab.errors import LabError, UsageError
from lab.plan import Cell

if TYPE_CHECKING:
    import pandas

SCHEMA = 1
COLUMNS = (
    "run", "block", "position", "vpn", "variant", "records", "suite", "measure", "conditions",
    "metric", "unit", "end", "value", "outcome", "reason", "engine", "clock", "bottleneck",
)  # fmt: skip
"""The columns of results.csv: one row a figure; a sample without figures has one row without a metric."""


class Store:
    """One run's folder, open for appending."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.samples = folder / "samples.jsonl"

    @classmethod
    def create(cls, folder: Path, meta: Mapping[str, Any]) -> Store:
        """Make the folder and write `meta.json`.

        Raises:
            LabError: the folder exists or cannot be written.
        """
        try:
            folder.mkdir(parents=True)
            store = cls(folder)
            store.write_meta(meta)
        except FileExistsError as error:
            raise LabError(f"{folder} exists already", f"`--resume {folder.name}` goes on with it") from error
        except OSError as error:
            raise LabError(f"{folder} cannot be written: {error.strerror}", "choose another with --results") from error
        return store

    @classmethod
    def begin(cls, results: Path, meta: Mapping[str, Any]) -> Store:
        """A new run, named by the time and a few letters, and by its kind where that is no matrix; see `create`."""
        letters = "".join(random.SystemRandom().choices("abcdefghjkmnpqrstuvwxyz", k=3))
        kind = f"{meta['kind']}-" if "kind" in meta else ""
        return cls.create(results / f"{kind}{datetime.now(UTC):%Y%m%d-%H%M%S}-{letters}", meta)

    def go_on(self, now: Mapping[str, Any], keys: Sequence[str]) -> Store:
        """Make ready to take more samples, once it is known that the run would be as it was begun.

        `keys` of `meta.json`, those of a key in a key behind a dot, must be what they are `now`.

        Raises:
            LabError: something has changed since; says what.
        """
        then = self.meta()
        changed = [key.rpartition(".")[2] for key in keys if _at(then, key) != _at(now, key)]
        if changed:
            raise LabError(
                f"{self.folder.name} cannot go on: changed since it was started: {', '.join(changed)}",
                "go back to what it was started with, or start a new run",
            )
        self.mend()
        return self

    def mend(self) -> None:
        """Before a run goes on: move a last line that was cut short to `samples.torn`; its sample is taken again."""
        if self.samples.exists():
            data = self.samples.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                with (self.folder / "samples.torn").open("ab") as torn:
                    torn.write(data[whole:] + b"\n")
                os.truncate(self.samples, whole)

    def write_meta(self, meta: Mapping[str, Any]) -> None:
        """Replace `meta.json`, whole or not at all."""
        text = json.dumps({"schema": SCHEMA, **meta}, indent=1, sort_keys=True) + "\n"
        files.write(self.folder / "meta.json", text)

    def meta(self) -> dict[str, Any]:
        """What was planned, and on what.

        Raises:
            UsageError: there is no such run, or it has another schema.
        """
        path = self.folder / "meta.json"
        try:
            meta: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise UsageError(f"no run at {self.folder}: it has no meta.json", _runs(self.folder.parent)) from error
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} cannot be read: {error}") from error
        if meta.get("schema") != SCHEMA:
            raise UsageError(f"{path} has schema {meta.get('schema')}, this lab reads {SCHEMA}")
        return meta

    def append(self, sample: Mapping[str, Any]) -> None:
        """Add one sample; it is on the disk when this returns.

        Raises:
            LabError: it could not be written; what was there before is untouched.
        """
        line = json.dumps({**sample, "check": _checksum(sample)}, sort_keys=True).encode() + b"\n"
        try:
            with self.samples.open("ab", buffering=0) as file:
                size = file.seek(0, os.SEEK_END)
                try:
                    while line:  # a write may take a part; the next one says why
                        line = line[file.write(line) :]
                    os.fsync(file.fileno())
                except OSError:
                    os.truncate(self.samples, size)
                    raise
        except OSError as error:
            hint = f"make room, then go on with `--resume {self.folder.name}`"
            raise LabError(f"{self.samples} cannot be written: {error.strerror}", hint) from error

    def read(self) -> Iterator[dict[str, Any]]:
        """Every sample in the order in which it was taken.

        Raises:
            LabError: a line is cut short or was changed; names it.
        """
        if not self.samples.exists():
            return
        for number, line in enumerate(self.samples.read_bytes().split(b"\n")[:-1], start=1):
            try:
                sample = json.loads(line)
                intact = isinstance(sample, dict) and sample.pop("check", None) == _checksum(sample)
            except ValueError:
                intact = False
            if not intact:
                raise LabError(
                    f"{self.samples}:{number}: this line was cut short or changed after it was written",
                    f"restore it, or delete it and measure it again with `--resume {self.folder.name}`",
                )
            yield sample

    def frame(self) -> pandas.DataFrame:
        """All figures, tidy, with COLUMNS: what results.csv holds. Raises what `meta` raises."""
        import pandas

        self.meta()
        return pandas.DataFrame([row for sample in self.read() for row in _rows(sample)], columns=list(COLUMNS))

    def write_csv(self) -> Path:
        """Derive `results.csv`."""
        return files.write_table(self.folder / "results.csv", self.frame())


def _at(meta: Mapping[str, Any], key: str) -> Any:
    first, _, rest = key.partition(".")
    found = meta.get(first)
    return _at(found or {}, rest) if rest else found


def cell_of(sample: Mapping[str, Any]) -> Cell:
    """The cell of a sample."""
    return Cell(*(sample[key] for key in ("vpn", "variant", "suite", "measure", "conditions")))


def _rows(sample: Mapping[str, Any]) -> list[list[Any]]:
    """The rows of a sample: one a figure, or one without a metric. The verdict is derived, as all figures are."""
    readings = sample.get("readings") or []
    limit = ledger.bottleneck([ledger.Reading(**reading) for reading in readings])
    figures = readings or [{"metric": None, "unit": None, "end": None, "value": None}]
    return [[{**sample, "bottleneck": limit, **figure}.get(column) for column in COLUMNS] for figure in figures]


def _checksum(sample: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(sample, sort_keys=True).encode()).hexdigest()[:16]


def _runs(results: Path) -> str:
    known = sorted(path.parent.name for path in results.glob("*/meta.json"))
    return f"runs in {results}: {', '.join(known)}" if known else f"{results} holds no run yet"


def kind_of(meta: Mapping[str, Any]) -> str:
    """The command that a run is of: `matrix`, `crypto` or `ktls`."""
    return str(meta.get("kind", "matrix"))


def runs(results: Path, kind: str) -> list[Store]:
    """The runs of `lab <kind>` in a folder, the one that was begun last first; what cannot be read is none."""
    found = {}
    for path in results.glob("*/meta.json"):
        store = Store(path.parent)
        try:
            meta = store.meta()
        except LabError:
            continue
        if kind_of(meta) == kind:
            found[str(meta.get("created", "")), store.folder.name] = store
    return [found[key] for key in sorted(found, reverse=True)]
