# SPDX-License-Identifier: MIT
"""The states of guests: the memory of one whose engine has just started, and what it had written to its disks.

A guest that goes on from a state is there in seconds, and all guests of one state start alike. There is one for each
choice of a guest and each disk, made by a guest that is booted for it (images/vm/guest). Where KVM works, a boot is
faster, so no state is kept.
"""

from __future__ import annotations

import hashlib
import os

from lab.core.signals import undisturbed
from lab.engines import guest, guest_folders
from lab.engines.choice import Choice
from lab.engines.engine import Engine
from lab.engines.guest import Say
from lab.engines.guest_disks import in_volume

KEPT = 6
"""How many states are kept, those used last. Each is as large as the memory that a guest has touched: 1 GB and more."""
ROOM = 4 * 10**9
"""Bytes that must be free for another state; without them every guest is booted."""

# 0: it is there, and used now. 3: KVM boots this kernel. 4: there is no room. 5: it is to be made.
# On the wall clock a kernel has measured its counter against this machine's, which after a boot may be another.
LOOK = """
remove() { rm -f "$1/memory"; rm -rf "$1"; }
boot=$(cat /proc/sys/kernel/random/boot_id)
[ "$3" != wall ] || [ "$(cat "$1/boot" 2>/dev/null)" = "$boot" ] || remove "$1"
[ "$(cat "/disks/kvm-$boot-$2" 2>/dev/null)" != yes ] || [ "$3" != wall ] || exit 3
if [ -e "$1/memory" ]; then touch -a "$1/memory"; exit 0; fi
[ $(($(stat -f -c '%a * %S' /disks))) -ge "$4" ] || exit 4
exit 5
"""
# What is left of a lab that was killed goes first.
NEW = 'rm -rf "$1" $(find /disks -maxdepth 1 -name "*.state.part" -mmin +60); mkdir -m 700 "$1"'
# Those whose disk is gone are of no use; of the others the last ones used stay.
KEEP = """
remove() { rm -f "$1/memory"; rm -rf "$1"; }
mv "$1" "$2"
for state in /disks/*.state; do
    disk=${state##*/}
    [ -e "/disks/${disk%%-*}.disk" ] || remove "$state"
done
ls -dtu /disks/*.state/memory | tail -n "+$(($3 + 1))" | while read -r memory; do remove "${memory%/memory}"; done
"""
PRESENT, TO_MAKE = 0, 5


def ready(host: Engine, choice: Choice, disk: str, say: Say) -> str:
    """The state that a guest of this choice goes on from, made if there is none; empty if it must be booted.

    Raises:
        LabError: the guest that leaves the state did not start; with the end of its console.
    """
    state = _place(host, choice, disk)
    look = ["sh", "-c", LOOK, "sh", state, choice.kernel, choice.clock, str(ROOM)]
    if (found := in_volume(host, look)) == TO_MAKE:
        name = state.removeprefix("/disks/").removesuffix(".state")
        with guest_folders.locked(name, say, "the state of a guest like this one is made"):
            if (found := in_volume(host, look)) == TO_MAKE:
                return _made(host, choice, disk, state, say)
    return state if found == PRESENT else ""


def _place(host: Engine, choice: Choice, disk: str) -> str:
    """The folder, in a guest's container: of a disk, a choice, and the image with QEMU and the kernels."""
    words = f"{choice.kernel}-{choice.clock}-{choice.cores}-{choice.memory}"
    image = hashlib.sha256(str(host.image_id(guest.IMAGE)).encode()).hexdigest()[:12]
    return f"{disk.removesuffix('.disk')}-{words}-{image}.state"


def _made(host: Engine, choice: Choice, disk: str, state: str, say: Say) -> str:
    """Boot a guest that leaves its state; empty where KVM boots it, which leaves none."""
    say("guest: the first of its kind is booted, and its state kept: those that follow are there in seconds")
    part = f"{state}.part"
    in_volume(host, ["sh", "-ec", NEW, "sh", part], check=True)
    try:
        booted = guest.started(host, f"state-{os.getpid()}", choice, disk, say, save=part)
        accelerator = booted.accelerator
        booted.remove()
        if in_volume(host, ["test", "-e", f"{part}/memory"]):
            if accelerator == "tcg":
                say("guest: its state could not be kept, so it is booted again")
            in_volume(host, ["rm", "-rf", part])
            return ""
        in_volume(host, ["sh", "-ec", KEEP, "sh", part, state, str(KEPT)], check=True)
    except BaseException:
        with undisturbed():
            in_volume(host, ["rm", "-rf", part])
        raise
    return state


def forget(host: Engine, state: str) -> None:
    """Remove a state that a guest could not go on from."""
    in_volume(host, ["rm", "-rf", f"{state}/memory", state])
