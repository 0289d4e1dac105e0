# SPDX-License-Identifier: MIT
"""Open the chosen engine: the Docker engine of this machine, one in a guest, or those of two machines on a cable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from lab.core.errors import LabError, UsageError
from lab.engines import cable, guest, guest_disks, guest_start
from lab.engines.choice import Choice
from lab.engines.engine import Engine, connect
from lab.engines.guest import Say


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
    if choice.name == "cable":
        if keep:
            raise UsageError("a lab on two machines stays up for a run only", "--engine host, or --engine vm")
        with cable.opened(host, choice, say) as engine:
            yield engine
        return
    with _inside(host, choice, say, keep=keep) as engine:
        yield engine


def present(choice: Choice) -> Engine:
    """Connect to the chosen engine; start no guest.

    Raises:
        UsageError: no guest is up; or two machines are chosen.
    """
    host = connect()
    if choice.name == "cable":
        raise UsageError("each of two machines is asked by itself", "`docker context use`, and --engine host")
    return host if choice.name == "host" else guest.kept(host).connect()


@contextmanager
def _inside(host: Engine, choice: Choice, say: Say, *, keep: bool = False) -> Iterator[Engine]:
    """The engine of a suitable guest that is up, or of a new one. A new one is removed at the end, unless kept."""
    existing_guest = guest.existing(host, guest.NAME).get(guest.NAME)
    if keep:
        # A person who keeps a guest takes the one that is up.
        guest_choice = existing_guest.choice if existing_guest and existing_guest.alive else choice
        with guest_start.watched(kept(host, guest.NAME, guest_choice, say)) as engine:
            yield engine
        return
    is_usable = existing_guest and existing_guest.alive and existing_guest.choice == choice and choice.clock == "wall"
    if existing_guest and is_usable and _is_current(host, existing_guest):
        say(f"guest {guest.NAME!r} is up")
        with guest_start.watched(existing_guest) as engine:
            yield engine
        return
    with guest_start.started(host, guest_start.new_name(), choice, say) as engine:
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
        return guest_start.up(host, name, choice, say, keep=True)
    if existing_guest.choice != choice:
        differences = ", ".join(
            f"{key} {value}" for key, value in existing_guest.choice if value != getattr(choice, key)
        )
        raise LabError(f"the guest {name!r} is up with {differences}", f"`lab vm down --name {name}` stops it")
    if not _is_current(host, existing_guest):
        raise LabError(f"the guest {name!r} is up with older images", f"`lab vm down --name {name}`, then try again")
    say(f"guest {name!r} is up")
    return existing_guest
