# SPDX-License-Identifier: MIT
"""Start a guest with every image of the lab on its disk, from a kept state where there is one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from lab.core.signals import undisturbed
from lab.engines import guest, guest_disks, guest_states
from lab.engines.choice import Choice
from lab.engines.engine import Engine, answering
from lab.engines.guest import Say
from lab.engines.guest_plug import Plug

_numbers = count()


def new_name() -> str:
    """The name of a guest that this process starts for itself."""
    return f"{os.getpid()}-{next(_numbers)}"


@contextmanager
def started(host: Engine, name: str, choice: Choice, say: Say, *, plug: Plug | None = None) -> Iterator[Engine]:
    """The engine of a new guest, which is removed at the end of the block.

    Raises:
        LabError: it does not start; with the end of its console.
    """
    new_guest = up(host, name, choice, say, plug=plug)
    try:
        with watched(new_guest) as engine:
            yield engine
    finally:
        with undisturbed():
            new_guest.remove()


@contextmanager
def watched(running_guest: guest.Guest) -> Iterator[Engine]:
    """The engine of a guest. If the guest ends during a request or the clean-up, its console says why."""
    engine = running_guest.connect()
    with answering(engine):
        yield engine


def up(
    host: Engine, name: str, choice: Choice, say: Say, *, keep: bool = False, plug: Plug | None = None
) -> guest.Guest:
    """Start a guest with every image of the lab on its disk, and wait for its engine.

    Raises:
        LabError: it did not start; nothing is left behind.
    """
    disk = guest_disks.ready(host, say)
    state = guest_states.ready(host, choice, disk, say)
    start_time = time.monotonic()
    try:
        new_guest = guest.started(host, name, choice, disk, say, keep=keep, plug=plug, resume=state)
    except guest.Ended as error:
        if not state:
            raise
        say(f"guest: its state is of no use, so it is booted: {error.message.splitlines()[-1]}")
        guest_states.forget(host, state)
        new_guest = guest.started(host, name, choice, disk, say, keep=keep, plug=plug)
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
