# SPDX-License-Identifier: MIT
"""The disks of guests: Docker's storage with the lab's images. There is one disk for each set of images.

A guest never writes to the disk that it starts from, so all guests of a set of images start alike. A new disk starts as
a copy of the last one, so that only changed images are sent. The disks of the last sets stay: checkouts take turns.
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
"""The apparent size of a disk in bytes. The file is sparse."""
ROOM = 3 * 10**9
"""Bytes that must be free for another disk."""

KEPT = 3
"""How many disks are kept, those used last; one that a guest uses stays in any case."""

USED = 'test -e "$1" && touch -a "$1"'
# Incomplete disks of a killed lab are removed first. Where there is no room, states of guests go, then the disks that
# no guest uses, but the last one. The arguments: the new disk, its size, the room it needs, and the disks in use.
PREPARE = """
rm -f /disks/*.disk.part
free() { echo $(($(stat -f -c '%a * %S' /disks))); }
[ "$(free)" -ge "$3" ] || rm -rf /disks/*.state /disks/*.state.part
used=" $* "
ls -tu /disks/*.disk 2>/dev/null | tail -n +2 | while read -r old; do
    [ "$(free)" -lt "$3" ] || break
    case "$used" in *" $old "*) ;; *) rm -f "$old" ;; esac
done
free=$(free)
if [ "$free" -lt "$3" ]; then
    echo "only $((free / 1000000)) MB are free for a disk; it takes $(($3 / 1000000))" >&2
    exit 1
fi
last=$(ls -tu /disks/*.disk 2>/dev/null | head -n 1)
if [ -n "$last" ]; then cp --sparse=always "$last" "$1"; else truncate -s "$2" "$1" && mke2fs -q -t ext4 -m 0 "$1"; fi
"""
# A disk, its new name, how many are kept, and those in use. The states of guests on a disk go with it.
SWAP = """
rm -rf "${2%.disk}"-*.state
mv "$1" "$2"
touch -a "$2"
used=" $* "
ls -tu /disks/*.disk | tail -n "+$(($3 + 1))" | while read -r old; do
    case "$used" in *" $old "*) ;; *) rm -rf "$old" "${old%.disk}"-*.state ;; esac
done
"""
CHOICE = Choice(name="vm", kernel="stable")
"""The guest that fills a disk: the fastest one."""


def wanted(host: Engine) -> dict[str, str]:
    """The id of every built image of this checkout, by tag; without the guest's own image."""
    tags = [images.tag_of(folder) for folder in images.folders(ROOT / "images")]
    return {tag: number for tag in tags if tag != IMAGE and (number := host.image_id(tag))}


def path(host: Engine) -> str:
    """The path, in a guest's container, of the disk with the current images. The disk may not exist yet."""
    return _place(wanted(host))


def _place(present: dict[str, str]) -> str:
    digest = hashlib.sha256("".join(f"{tag}={number}\n" for tag, number in sorted(present.items())).encode())
    return f"/disks/{digest.hexdigest()[:12]}.disk"


def ready(host: Engine, say: Say) -> str:
    """Return `path`; make the disk if there is none.

    Raises:
        LabError: the guest's image is missing, there is no room, or the images could not be copied.
    """
    if not images.is_current(host, ROOT / "images" / "vm"):
        raise LabError("the image of the guest is missing or out of date", "`lab build vm` makes it")
    image_ids = wanted(host)
    if not image_ids:
        raise LabError("there is no image to copy to the guest", "`lab build` makes the images")
    disk = _place(image_ids)
    used = ["sh", "-c", USED, "sh", disk]
    if in_volume(host, used):
        with guest_folders.locked("disks", say, "images are copied to a disk for guests"):
            if in_volume(host, used):  # it is made once
                _fill(host, disk, image_ids, say)
    return disk


def _fill(host: Engine, disk: str, present: dict[str, str], say: Say) -> None:
    name = f"import-{disk.removeprefix('/disks/').removesuffix('.disk')}"
    part = f"{disk}.part"
    used_disks = [vm.disk for vm in guest.existing(host).values()]
    in_volume(host, ["sh", "-ec", PREPARE, "sh", part, str(SIZE), str(ROOM), *used_disks], check=True)
    try:
        _filled(host, name, part, present, say)
        used_disks = [vm.disk for vm in guest.existing(host).values()]
        in_volume(host, ["sh", "-ec", SWAP, "sh", part, disk, str(KEPT), *used_disks], check=True)
    except BaseException:
        with undisturbed():
            in_volume(host, ["rm", "-f", part])
        raise


def _filled(host: Engine, name: str, part: str, present: dict[str, str], say: Say) -> None:
    """Write every image to a new disk, in a separate guest."""
    vm = guest.started(host, name, CHOICE, part, say, write=True)
    try:
        guest_engine = vm.connect()
        _bring(host, guest_engine, present, say)
        if vm.stop():
            raise LabError(f"the guest did not close its disk:\n{vm.last_words()}")
    except (DockerException, RequestException) as error:
        raise LabError(f"the images could not be copied to the guest: {because(error)}\n{vm.last_words()}") from error
    finally:
        with undisturbed():
            vm.remove()


def _bring(host: Engine, inside: Engine, present: dict[str, str], say: Say) -> None:
    """Send the images that the guest lacks, in one stream, and remove those that are no longer needed."""
    guest_ids = {str(image.id) for image in inside.client.images.list()}
    missing_tags = [tag for tag, number in present.items() if number not in guest_ids]
    say(f"guest: copying {len(missing_tags)} images to its disk, once: {', '.join(missing_tags)}")
    if missing_tags:
        api = host.client.api
        # One request for several names sends shared layers only once. docker-py has no call for it.
        answer = api._get(api._url("/images/get"), params={"names": missing_tags}, stream=True)  # type: ignore[attr-defined]
        answer.raise_for_status()
        inside.client.images.load(answer.iter_content(1 << 20))
    for image in inside.client.images.list(all=False):
        if image.id not in present.values():
            inside.client.images.remove(str(image.id), force=True)


def purge(host: Engine) -> None:
    """Remove the disks. The next guest makes a new one."""
    host.client.volumes.get(VOLUME).remove()


def in_volume(host: Engine, argv: list[str], *, check: bool = False) -> int:
    """Run `argv` in a container with the disks' volume. Returns its exit status.

    Raises:
        LabError: with `check`, it failed; with its complaint.
    """
    options: dict[str, Any] = guest.confined() | {"volumes": {VOLUME: {"bind": "/disks", "mode": "rw"}}}
    result = host.once(IMAGE, argv, timeout=120, **options)
    if check and result.status:
        raise LabError(f"the guest's disk: {result.complaint}")
    return result.status
