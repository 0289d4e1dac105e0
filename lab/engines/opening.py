# SPDX-License-Identifier: MIT
"""Which engine: the Docker engine of this machine, or one in a guest with a kernel of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count

from lab.core.errors import LabError
from lab.core.signals import undisturbed
from lab.engines import guest, guest_disks
from lab.engines.choice import Choice
from lab.engines.engine import Engine, answering, connect
from lab.engines.guest import Say

_numbers = count()


@contextmanager
def several(choice: Choice, say: Say) -> Iterator[list[Engine]]:
    """As many engines as the choice has guests; see `opened`."""
    with ExitStack() as stack:
        yield [stack.enter_context(opened(choice, say)) for _ in range(choice.guests)]


@contextmanager
def opened(choice: Choice, say: Callable[[str], None], *, keep: bool = False) -> Iterator[Engine]:
    """Connect to the engine that was chosen; a guest is started where none is up that fits, and ends with this.

    With `keep` the guest stays up. On the instruction clock every guest is a new one: what ran before would show.

    Raises:
        LabError: there is no engine, or the guest does not start; with the last of its console.
    """
    host = connect()
    guest.sweep_forgotten(host)
    if choice.name == "host":
        yield host
        return
    with _inside(host, choice, say, keep=keep) as engine:
        yield engine


def present(choice: Choice) -> Engine:
    """The engine that was chosen, as it is: no guest is started.

    Raises:
        UsageError: no guest is up.
    """
    host = connect()
    return host if choice.name == "host" else guest.kept(host).connect()


@contextmanager
def _inside(host: Engine, choice: Choice, say: Say, *, keep: bool = False) -> Iterator[Engine]:
    """The engine of a guest: of one that is up and fits, or of a new one, that ends with this unless it is kept."""
    there = guest.found(host, guest.NAME).get(guest.NAME)
    if keep:
        # Who wants to play takes what is there.
        asked = there.choice if there and there.alive else choice
        with _watched(kept(host, guest.NAME, asked, say)) as engine:
            yield engine
        return
    fits = there and there.alive and there.choice == choice and choice.clock == "wall"
    if there and fits and _as_now(host, there):
        say(f"guest {guest.NAME!r} is up")
        with _watched(there) as engine:
            yield engine
        return
    made = up(host, f"{os.getpid()}-{next(_numbers)}", choice, say)
    try:
        with _watched(made) as engine:
            yield engine
    finally:
        with undisturbed():
            made.remove()


@contextmanager
def _watched(there: guest.Guest) -> Iterator[Engine]:
    """The engine of a guest; where the guest ends under a request, or under the cleaning up, its console says why."""
    engine = there.connect()
    with answering(engine):
        yield engine


def _as_now(host: Engine, there: guest.Guest) -> bool:
    """Whether a guest is of the guest's image, and has the images on its disk, as they are now."""
    return there.is_current(host) and there.disk == guest_disks.path(host)


def kept(host: Engine, name: str, choice: Choice, say: Say) -> guest.Guest:
    """The guest of that name: the one that is up, or a new one that stays up.

    Raises:
        LabError: one of another choice, or with other images, is up, or none can be started.
    """
    there = guest.found(host, name).get(name)
    if there is None or not there.alive:
        return up(host, name, choice, say, keep=True)
    if there.choice != choice:
        differs = ", ".join(f"{key} {value}" for key, value in there.choice if value != getattr(choice, key))
        raise LabError(f"the guest {name!r} is up with {differs}", f"`lab vm down --name {name}` takes it down")
    if not _as_now(host, there):
        raise LabError(f"the guest {name!r} is up with images as they were", f"`lab vm down --name {name}`, and again")
    say(f"guest {name!r} is up")
    return there


def up(host: Engine, name: str, choice: Choice, say: Say, *, keep: bool = False) -> guest.Guest:
    """Start a guest with every image of the lab on its disk, and wait for its engine.

    Raises:
        LabError: it did not start; nothing is left behind.
    """
    disk = guest_disks.ready(host, say)
    began = time.monotonic()
    made = guest.started(host, name, choice, disk, say, keep=keep)
    if keep:
        try:
            made.let_live()
        except BaseException:
            made.remove()
            raise
    why = ", since /dev/kvm does not boot this kernel" if "guest: /dev/kvm is there" in made.console(400) else ""
    took = time.monotonic() - began
    say(f"guest: kernel {choice.kernel}, {choice.clock} clock, {made.accelerator}{why}; {took:.0f} s")
    return made
