# SPDX-License-Identifier: MIT
"""Attempts at samples that share a session: whatever goes wrong with one is its outcome, and the next is begun."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from lab.core.errors import NONSENSE, EngineGone, LabError, told
from lab.engines.engine import LOST, Engine, because, gone
from lab.runner.attempt import Attempt
from lab.runner.bench import Share
from lab.runner.outcome import OUTCOMES
from lab.runner.plan import Step


def attempts(
    engine: Engine, share: Share, steps: Sequence[Step], begin: Callable[[Step], Attempt] = Attempt
) -> Iterator[Attempt]:
    """One attempt at each of `steps`, in one session. `begin` makes an attempt at a step.

    After one that went wrong the session is opened anew; where it cannot be opened because it is unsupported, so are
    all of them.

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
            if ended := _went_wrong(engine, attempt, error):
                # A machine of its own ended under this sample, maybe because of it: what is known stays. An engine
                # that serves others too is no sample's doing.
                if engine.kill and not engine.given_up:
                    yield attempt
                raise ended from error
        yield attempt
        while attempt.known["outcome"] == "unsupported" and todo and not opened:
            why, attempt = attempt.known, begin(todo.popleft())
            attempt.known |= {key: why[key] for key in ("outcome", "reason", "logs")}
            yield attempt


def _went_wrong(engine: Engine, attempt: Attempt, error: Exception) -> EngineGone | None:
    """Put the outcome of an attempt down; what ends the run, where the engine is gone."""
    ended = None
    if isinstance(error, LabError):
        known = {"outcome": OUTCOMES.get(type(error), "failed"), "reason": error.message, "logs": error.logs}
    elif isinstance(error, LOST):
        ended = gone(engine, error)
        known = {"outcome": "failed", "reason": ended.message if ended else f"the engine refused: {because(error)}"}
    else:
        known = {"outcome": "failed", "reason": told(error)}
    attempt.known |= known
    return ended
