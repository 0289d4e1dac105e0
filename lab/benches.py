"""What runs of benches have in common (`lab crypto`, `lab ktls`): settings, samples one by one, going on with a run.

A run is a folder as any other: in its samples the thing that is timed stands where a VPN would, so the plan, the store
and the analysis serve all of them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from pydantic import ValidationError

from lab.attempts import Taken
from lab.documents import Document
from lab.engine import LOST, Engine, because, gone
from lab.errors import NONSENSE, EngineGone, LabError, UsageError, told
from lab.matrix import Progress, side_by_side
from lab.options import faults
from lab.plan import Plan, Step
from lab.run import OUTCOMES, outcomes
from lab.schema import faults as wrong
from lab.store import Store, kind_of

Model = TypeVar("Model", bound=Document)
Record = Callable[[Store, Step, Mapping[str, Any]], dict[str, Any]]
"""What is stored of an attempt: who took which step of what, and how it ended."""


@dataclass(frozen=True)
class Lane:
    """One engine's share of a run, and how a sample is taken there."""

    engine: Engine
    sample: Callable[[Step], dict[str, Any]]


def settings(model: type[Model], asked: Mapping[str, Any]) -> Model:
    """The settings that a user asked for.

    Raises:
        UsageError: an option has a value that it cannot have.
    """
    try:
        return model.model_validate(asked)
    except ValidationError as error:
        raise faults(error) from error


def settings_of(model: type[Model], store: Store, kind: str) -> Model:
    """The settings of a run of `lab <kind>` that is to go on.

    Raises:
        UsageError: it is a run of something else, or has no such settings; names the file and the field.
    """
    meta = store.meta()
    other = kind_of(meta)
    if other != kind:
        raise UsageError(f"{store.folder.name} is no run of `lab {kind}`", f"`lab {other} --resume` goes on with it")
    found, said = wrong(model, meta.get("settings"))
    if found is None:
        raise UsageError("\n".join(f"{store.folder / 'meta.json'}: settings: {fault}" for fault in said))
    return found


def carry_out(plan: Plan, store: Store, progress: Progress, lanes: Sequence[Lane], record: Record) -> dict[str, int]:
    """Take every sample that is missing or went wrong, each on the disk before its lane's next; counts the outcomes.

    Of n lanes each takes every n-th sample, the same ones whenever the plan is carried out.

    Raises:
        LabError: the store cannot be written, or an engine is gone; Stopped: a signal came. What was measured is kept.
    """
    with store.writing():
        taken, steps, lock = Taken(store), plan.steps(), threading.Lock()
        for step, reason in taken.impossible(plan).items():
            store.append(record(store, step, {"outcome": "unsupported", "reason": reason}))

        def take(number: int) -> None:
            lane = lanes[number]
            for step in filter(taken.wants, steps[number :: len(lanes)]):
                with lock:
                    progress.before(step)
                result, ended = _sample(lane, step)
                if result:
                    sample = taken.numbered(step, record(store, step, result))
                    with lock:
                        store.append(sample)
                        progress.after(step, sample)
                if ended:
                    raise ended

        with progress.start(sum(map(taken.wants, steps)), len(steps)):
            if len(lanes) == 1:
                take(0)
            else:
                side_by_side([lane.engine for lane in lanes], [partial(take, number) for number in range(len(lanes))])
    return outcomes(store.last())


def _sample(lane: Lane, step: Step) -> tuple[dict[str, Any] | None, EngineGone | None]:
    """What is known of an attempt at a step; and what ends the run, where the engine is gone."""
    try:
        return lane.sample(step), None
    except LOST as error:
        ended = gone(lane.engine, error)
        if ended is None:
            return {"outcome": "failed", "reason": f"the engine refused: {because(error)}"}, None
        # As in `lab.run`: a machine of its own ended under this sample, maybe because of it.
        blamed = lane.engine.kill and not lane.engine.given_up
        return {"outcome": "failed", "reason": ended.message} if blamed else None, ended


def placed(store: Store, step: Step) -> dict[str, Any]:
    """The part of a sample that says which one it is."""
    return {"run": store.folder.name, "block": step.block, "position": step.position, **asdict(step.cell)}


@contextmanager
def attempted(stopped: Callable[[], str] = str) -> Iterator[dict[str, Any]]:
    """What is known of an attempt: whatever goes wrong with the bench is its outcome.

    `stopped` tells what has stopped of all that the bench needs; then that is why.
    """
    result: dict[str, Any] = {"outcome": "ok", "reason": "", "started": datetime.now(UTC).isoformat(), "raw": {}}
    try:
        yield result
    except (LabError, *NONSENSE) as error:
        result |= {"outcome": OUTCOMES.get(type(error), "failed"), "reason": told(error)}
        if ended := stopped():
            result |= {"outcome": "failed", "reason": f"{ended}: {told(error)}"}
