# SPDX-License-Identifier: MIT
"""The disks of guests: Docker's own storage with the lab's images in it, made once for each set of images.

A guest never writes to the disk that it starts from: all guests of one set of images start alike. A new set is made
from the last one, so that only what has changed is sent.
"""

from __future__ import annotations

import hashlib
from typing import Any

from docker.errors import DockerException
from requests.exceptions import RequestException

from lab.core.errors import LabError
from lab.core.paths import ROOT
from lab.core.signals import undisturbed
from lab.engines import guest, guest_folders, images
from lab.engines.choice import Choice
from lab.engines.engine import Engine, because
from lab.engines.guest import IMAGE, VOLUME, Say

SIZE = 8 * 10**9
"""Bytes that a disk pretends to have; it takes what is written."""
ROOM = 3 * 10**9
"""Bytes that must be free for one disk more."""

# What a lab that was killed left half made goes first.
PREPARE = """
rm -f /disks/*.part
free=$(($(stat -f -c '%a * %S' /disks)))
if [ "$free" -lt "$3" ]; then
    echo "only $((free / 1000000)) MB are free for a disk; it takes $(($3 / 1000000))" >&2
    exit 1
fi
last=$(ls -t /disks/*.disk 2>/dev/null | head -n 1)
if [ -n "$last" ]; then cp --sparse=always "$last" "$1"; else truncate -s "$2" "$1" && mke2fs -q -t ext4 -m 0 "$1"; fi
"""
SPARE = 'for old in /disks/*.disk; do case " $* " in *" $old "*) ;; *) rm -f "$old" ;; esac; done'
CHOICE = Choice(name="vm", kernel="stable")
"""The guest that fills a disk: the fastest there is."""


def wanted(host: Engine) -> dict[str, str]:
    """The id of every image of this checkout that is built, by tag; the guest's own is not for the guest."""
    tags = [images.tag_of(folder) for folder in images.folders(ROOT / "images")]
    return {tag: number for tag in tags if tag != IMAGE and (number := host.image_id(tag))}


def path(host: Engine) -> str:
    """Where, in a guest's container, the disk is that holds every image as it is now; it may yet have to be made."""
    return _place(wanted(host))


def _place(present: dict[str, str]) -> str:
    digest = hashlib.sha256("".join(f"{tag}={number}\n" for tag, number in sorted(present.items())).encode())
    return f"/disks/{digest.hexdigest()[:12]}.disk"


def ready(host: Engine, say: Say) -> str:
    """`path`, made where there is none.

    Raises:
        LabError: the image of the guest is missing, there is no room, or the images could not be brought over.
    """
    if not images.is_current(host, ROOT / "images" / "vm"):
        raise LabError("the image of the guest is missing or out of date", "`lab build vm` makes it")
    present = wanted(host)
    if not present:
        raise LabError("there is no image to bring to the guest", "`lab build` makes them")
    disk = _place(present)
    with guest_folders.locked("disks"):  # it is made once
        if _run(host, ["test", "-e", disk]):
            _fill(host, disk, present, say)
    return disk


def _fill(host: Engine, disk: str, present: dict[str, str], say: Say) -> None:
    name = f"import-{disk.removeprefix('/disks/').removesuffix('.disk')}"
    part = disk.replace(".disk", ".part")
    _run(host, ["sh", "-ec", PREPARE, "sh", part, str(SIZE), str(ROOM)], check=True)
    try:
        _filled(host, name, part, present, say)
        used = [each.disk for each in guest.found(host).values()]
        _run(host, ["mv", part, disk], check=True)
        _run(host, ["sh", "-ec", SPARE, "sh", disk, *used], check=True)
    except BaseException:
        with undisturbed():
            _run(host, ["rm", "-f", part])
        raise


def _filled(host: Engine, name: str, part: str, present: dict[str, str], say: Say) -> None:
    """Write every image to a new disk, in a guest of its own."""
    filling = guest.started(host, name, CHOICE, part, say, write=True)
    try:
        inside = filling.connect()
        _bring(host, inside, present, say)
        if filling.stop():
            raise LabError(f"the guest did not close its disk:\n{filling.last_words()}")
    except (DockerException, RequestException) as error:
        raise LabError(
            f"the images could not be brought to the guest: {because(error)}\n{filling.last_words()}"
        ) from error
    finally:
        with undisturbed():
            filling.remove()


def _bring(host: Engine, inside: Engine, present: dict[str, str], say: Say) -> None:
    """Send the images that the guest does not have, all in one stream, and remove those that nobody wants any more."""
    there = {str(image.id) for image in inside.client.images.list()}
    missing = [tag for tag, number in present.items() if number not in there]
    say(f"guest: bringing {len(missing)} images to its disk, once: {', '.join(missing)}")
    if missing:
        api = host.client.api
        # One request for several names sends the layers that they share once; docker-py has no call for it.
        answer = api._get(api._url("/images/get"), params={"names": missing}, stream=True)  # type: ignore[attr-defined]
        answer.raise_for_status()
        inside.client.images.load(answer.iter_content(1 << 20))
    for image in inside.client.images.list(all=False):
        if image.id not in present.values():
            inside.client.images.remove(str(image.id), force=True)


def purge(host: Engine) -> None:
    """Remove the disks; the next guest brings the images over again."""
    host.client.volumes.get(VOLUME).remove()


def _run(host: Engine, argv: list[str], *, check: bool = False) -> int:
    """Run `argv` beside the disks."""
    options: dict[str, Any] = guest.confined() | {"volumes": {VOLUME: {"bind": "/disks", "mode": "rw"}}}
    result = host.once(IMAGE, argv, timeout=120, **options)
    if check and result.status:
        raise LabError(f"the guest's disk: {result.complaint}")
    return result.status
