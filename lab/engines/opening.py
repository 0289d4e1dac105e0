# SPDX-License-Identifier: MIT
"""Open the chosen engine: the Docker engine of this machine, or one in a guest with its own kernel."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count

from lab.core.errors import LabError
from lab.core.signals import undisturbed
from lab.engines import guest, guest_disks, guest_states
from lab.engines.choice import Choice
from lab.engines.engine import Engine, answering, connect
from lab.engines.guest import Say

_numbers = count()


@contextmanager
def several(choice: Choice, say: Say) -> Iterator[list[Engine]]:
    """One engine for each guest of the choice; see `opened`."""
    with ExitStack() as stack:
        yield [stack.enter_context(opened(choice, say)) for _ in range(choice.guests)]


@contextmanager
def opened(choice: Choice, say: Callable[[str], None], *, keep: bool = False) -> Iterator[Engine]:
    """Connect to the chosen engine. If no suitable guest is up, start one, and remove it at the end of the block.

    With `keep` the guest stays up. On the instruction clock every guest is new: earlier work would show in the figures.

    Raises:
        LabError: there is no engine, or the guest does not start; with the end of its console.
    """
    host = connect()
    guest.sweep_forgotten(host)
    if choice.name == "host":
        yield host
        return
    with _inside(host, choice, say, keep=keep) as engine:
        yield engine


def present(choice: Choice) -> Engine:
    """Connect to the chosen engine; start no guest.

    Raises:
        UsageError: no guest is up.
    """
    host = connect()
    return host if choice.name == "host" else guest.kept(host).connect()


@contextmanager
def _inside(host: Engine, choice: Choice, say: Say, *, keep: bool = False) -> Iterator[Engine]:
    """The engine of a suitable guest that is up, or of a new one. A new one is removed at the end, unless kept."""
    existing_guest = guest.existing(host, guest.NAME).get(guest.NAME)
    if keep:
        # A person who keeps a guest takes the one that is up.
        guest_choice = existing_guest.choice if existing_guest and existing_guest.alive else choice
        with _watched(kept(host, guest.NAME, guest_choice, say)) as engine:
            yield engine
        return
    is_usable = existing_guest and existing_guest.alive and existing_guest.choice == choice and choice.clock == "wall"
    if existing_guest and is_usable and _is_current(host, existing_guest):
        say(f"guest {guest.NAME!r} is up")
        with _watched(existing_guest) as engine:
            yield engine
        return
    new_guest = up(host, f"{os.getpid()}-{next(_numbers)}", choice, say)
    try:
        with _watched(new_guest) as engine:
            yield engine
    finally:
        with undisturbed():
            new_guest.remove()


@contextmanager
def _watched(running_guest: guest.Guest) -> Iterator[Engine]:
    """The engine of a guest. If the guest ends during a request or the clean-up, its console says why."""
    engine = running_guest.connect()
    with answering(engine):
        yield engine


def _is_current(host: Engine, existing_guest: guest.Guest) -> bool:
    """Whether a guest has the current guest image, and the current images on its disk."""
    return existing_guest.is_current(host) and existing_guest.disk == guest_disks.path(host)


def kept(host: Engine, name: str, choice: Choice, say: Say) -> guest.Guest:
    """The guest of that name: the one that is up, or a new one that stays up.

    Raises:
        LabError: a guest of another choice or with other images is up, or none can be started.
    """
    existing_guest = guest.existing(host, name).get(name)
    if existing_guest is None or not existing_guest.alive:
        return up(host, name, choice, say, keep=True)
    if existing_guest.choice != choice:
        differences = ", ".join(
            f"{key} {value}" for key, value in existing_guest.choice if value != getattr(choice, key)
        )
        raise LabError(f"the guest {name!r} is up with {differences}", f"`lab vm down --name {name}` stops it")
    if not _is_current(host, existing_guest):
        raise LabError(f"the guest {name!r} is up with older images", f"`lab vm down --name {name}`, then try again")
    say(f"guest {name!r} is up")
    return existing_guest


def up(host: Engine, name: str, choice: Choice, say: Say, *, keep: bool = False) -> guest.Guest:
    """Start a guest with every image of the lab on its disk, and wait for its engine.

    Raises:
        LabError: it did not start; nothing is left behind.
    """
    disk = guest_disks.ready(host, say)
    state = guest_states.ready(host, choice, disk, say)
    start_time = time.monotonic()
    try:
        new_guest = guest.started(host, name, choice, disk, say, keep=keep, resume=state)
    except guest.Ended as error:
        if not state:
            raise
        say(f"guest: its state is of no use, so it is booted: {error.message.splitlines()[-1]}")
        guest_states.forget(host, state)
        new_guest = guest.started(host, name, choice, disk, say, keep=keep)
    if keep:
        try:
            new_guest.let_live()
        except BaseException:
            new_guest.remove()
            raise
    reason = (
        ", since /dev/kvm does not boot this kernel" if "guest: /dev/kvm is there" in new_guest.console(400) else ""
    )
    seconds = time.monotonic() - start_time
    say(f"guest: kernel {choice.kernel}, {choice.clock} clock, {new_guest.accelerator}{reason}; {seconds:.0f} s")
    return new_guest
