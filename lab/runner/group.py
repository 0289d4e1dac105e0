# SPDX-License-Identifier: MIT
"""Attempts at samples that share a session. An error becomes the outcome of its sample, and the next one starts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from lab.core.errors import NONSENSE, EngineGone, LabError, reason_of
from lab.engines.engine import LOST, Engine, because, gone
from lab.runner.attempt import Attempt
from lab.runner.bench import Share
from lab.runner.outcome import OUTCOMES
from lab.runner.plan import Step


def attempts(
    engine: Engine, share: Share, steps: Sequence[Step], begin: Callable[[Step], Attempt] = Attempt
) -> Iterator[Attempt]:
    """One attempt at each of `steps`, in one session. `begin` makes an attempt at a step.

    After a sample that went wrong, the session is opened again. If the session itself is unsupported, so are all
    samples that are left.

    Raises:
        EngineGone: the engine no longer answers.
    """
    todo = deque(steps)
    while todo:
        attempt, opened = begin(todo.popleft()), False
        try:
            with ExitStack() as stack:
                with attempt.phase("open"):
                    session = stack.enter_context(share.session(attempt))
                opened = True
                with attempt.phase("sample"):
                    session.sample(attempt)
                while todo:
                    yield attempt
                    attempt = begin(todo.popleft())
                    with attempt.phase("sample"):
                        session.sample(attempt)
                with attempt.phase("close"):
                    stack.close()
        except (LabError, *NONSENSE, *LOST) as error:
            if engine_gone := _record(engine, attempt, error):
                # If the engine had a machine of its own, the sample may have ended it: the sample is stored. An engine
                # that serves others as well did not end because of a sample.
                if engine.kill and not engine.given_up:
                    yield attempt
                raise engine_gone from error
        yield attempt
        while attempt.known["outcome"] == "unsupported" and todo and not opened:
            former, attempt = attempt.known, begin(todo.popleft())
            attempt.known |= {key: former[key] for key in ("outcome", "reason", "logs")}
            yield attempt


def _record(engine: Engine, attempt: Attempt, error: Exception) -> EngineGone | None:
    """Record an error as the outcome of an attempt. Returns the error that ends the run, if the engine is gone."""
    engine_gone = None
    if isinstance(error, LabError):
        known = {"outcome": OUTCOMES.get(type(error), "failed"), "reason": error.message, "logs": error.logs}
    elif isinstance(error, LOST):
        engine_gone = gone(engine, error)
        reason = engine_gone.message if engine_gone else f"the engine refused: {because(error)}"
        known = {"outcome": "failed", "reason": reason}
    else:
        known = {"outcome": "failed", "reason": reason_of(error)}
    attempt.known |= known
    return engine_gone
