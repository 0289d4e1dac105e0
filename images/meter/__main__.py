# SPDX-License-Identifier: MIT
"""The meter: waits at the gate, and answers one question at a time with a line of JSON.

    snapshot CONTAINER...    the counters of each, or of a network that the process of this number holds (snapshot.py)
    numbers CONTAINER        the numbers of its processes on this machine, by those that they have in the container
    count NAMESPACE...       begin to count the system calls made in these process namespaces (syscalls.py)
    counts                   end it; the calls by name, by namespace
    watch CONTAINER... : FILTER   begin to watch the wire of these containers (or of networks that processes hold) for
                             what FILTER does not explain (wire.py)
    watched                  end it; what was seen, by container

Questions come by the pipe /gate/ask, answers go by /gate/answer: whoever runs a load asks from beside it, so that
nothing outside the machine is waited for between a reading and the load. A question given as arguments is answered at
once.
"""

import contextlib
import json
import os
import sys
import time
from pathlib import Path

import snapshot
import syscalls
import wire

ASK, ANSWER = Path("/gate/ask"), Path("/gate/answer")
PATIENCE = 5
"""Seconds that an answer waits for its asker, who reads as soon as it has asked."""
QUESTIONS = ("snapshot", "numbers", "count", "counts", "watch", "watched")


class Meter:
    """Answers questions; `counting` is the tracer, and `watching` the wire's watch, while one runs."""

    counting = watching = None

    def snapshot(self, *containers):
        """The counters of now."""
        return snapshot.take(containers)

    def numbers(self, container):
        """The numbers of its processes on this machine."""
        return snapshot.numbers(container)

    def count(self, *spaces):
        """Begin to count; one that was begun before and never asked for is over."""
        former, self.counting = self.counting, None
        if former:
            former.end()
        self.counting = syscalls.Counting(spaces)
        return {}

    def counts(self):
        """End the count."""
        counting, self.counting = self.counting, None
        if counting is None:
            raise LookupError("nothing is being counted")
        return counting.end()

    def watch(self, *words):
        """Begin to watch; a watch that was begun before and never asked for is over."""
        containers, explained = words[: words.index(":")], words[words.index(":") + 1 :]
        former, self.watching = self.watching, None
        if former:
            former.end()
        self.watching = wire.Watch(snapshot.first_of(containers), " ".join(explained))
        return {}

    def watched(self):
        """End the watch."""
        watching, self.watching = self.watching, None
        if watching is None:
            raise LookupError("the wire is not being watched")
        return watching.end()

    def answer(self, question):
        """The answer to a line, or {"error": why}."""
        word, *rest = question.split()
        try:
            if word not in QUESTIONS:
                raise LookupError(f"no question {word!r}: there are {', '.join(QUESTIONS)}")
            return getattr(self, word)(*rest)
        except Exception as error:  # noqa: BLE001 - whoever asked waits for an answer, whatever went wrong
            return {"error": f"{error}" or repr(error)}


def reply(answer):
    """Give an answer to whoever waits for it; nobody does where the asker was killed, and then it is dropped."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            pipe = os.open(ANSWER, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError:  # nobody has opened it for reading yet
            if time.monotonic() > deadline:
                return
            time.sleep(0.01)
    os.set_blocking(pipe, True)
    with contextlib.suppress(BrokenPipeError), os.fdopen(pipe, "w") as stream:
        stream.write(answer)


def main(*words):
    """Answer for ever, or once."""
    meter = Meter()
    if words:
        print(json.dumps(meter.answer(" ".join(words))))
        return
    for pipe in (ASK, ANSWER):
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe)
    while True:
        question = ASK.read_text()
        if question.strip():
            reply(f"{json.dumps(meter.answer(question))}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
