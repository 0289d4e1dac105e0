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

from docker.errors import DockerException
from pydantic import ValidationError
from requests.exceptions import RequestException

from lab.documents import Document
from lab.engine import Engine
from lab.errors import LabError, UsageError
from lab.matrix import Progress, side_by_side
from lab.options import faults
from lab.plan import Plan, Step
from lab.run import OUTCOMES, outcomes
from lab.store import Store, cell_of, kind_of

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
        UsageError: it is a run of something else.
    """
    meta = store.meta()
    other = kind_of(meta)
    if other != kind:
        raise UsageError(f"{store.folder.name} is no run of `lab {kind}`", f"`lab {other} --resume` goes on with it")
    return settings(model, meta["settings"])


def carry_out(plan: Plan, store: Store, progress: Progress, lanes: Sequence[Lane], record: Record) -> dict[str, int]:
    """Take every sample that is missing, each on the disk before its lane's next; how many ended in each outcome.

    Of n lanes each takes every n-th sample, the same ones whenever the plan is carried out.

    Raises:
        LabError: the store cannot be written; Stopped: a signal came. What was measured is kept.
    """
    done = {(each["block"], cell_of(each)) for each in store.read()}
    for cell, reason in plan.unsupported.items():
        if (0, cell) not in done:
            store.append(record(store, Step(0, -1, cell), {"outcome": "unsupported", "reason": reason}))
    steps, lock = plan.steps(), threading.Lock()

    def take(number: int) -> None:
        for step in steps[number :: len(lanes)]:
            if (step.block, step.cell) in done:
                continue
            with lock:
                progress.before(step)
            try:
                taken = record(store, step, lanes[number].sample(step))
            except (DockerException, RequestException) as error:
                if not lanes[number].engine.given_up:  # under this sample, maybe because of it: what is known stays
                    gone = {"outcome": "failed", "reason": f"the engine no longer answers: {error}"}
                    with lock:
                        store.append(record(store, step, gone))
                raise
            with lock:
                store.append(taken)
                progress.after(step, taken)

    with progress.start(sum((step.block, step.cell) not in done for step in steps), len(steps)):
        if len(lanes) == 1:
            take(0)
        else:
            side_by_side([lane.engine for lane in lanes], [partial(take, number) for number in range(len(lanes))])
    return outcomes(list(store.read()))


def placed(store: Store, step: Step) -> dict[str, Any]:
    """The part of a sample that says which one it is."""
    return {"run": store.folder.name, "block": step.block, "position": step.position, **asdict(step.cell)}


@contextmanager
def attempted() -> Iterator[dict[str, Any]]:
    """What is known of an attempt: whatever goes wrong with the bench is its outcome."""
    result: dict[str, Any] = {"outcome": "ok", "reason": "", "started": datetime.now(UTC).isoformat(), "raw": {}}
    try:
        yield result
    except LabError as error:
        result |= {"outcome": OUTCOMES.get(type(error), "failed"), "reason": error.message}
    except (ValueError, LookupError, TypeError, ArithmeticError) as error:
        result |= {"outcome": "failed", "reason": f"the output could not be understood: {error!r}"}
