# SPDX-License-Identifier: MIT
"""The images: a folder each. What they are built on, and whether they are as their folders are now."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from docker.errors import ImageNotFound
from docker.utils import exclude_paths

from lab.core.errors import UsageError, unknown
from lab.engines.engine import Engine

BASE = "base"
ROOT_ARGUMENT = "ROOTFS"
"""The build argument that stands for the Debian root."""
DIGEST = "lab.digest"
"""The label with the digest of the folder that an image was built from."""
IGNORE = ".dockerignore"
DESCRIPTION = "vpn.yaml"
ABOUT = (DESCRIPTION, "README.md")
"""Files of a folder that no image holds: they say what it is."""
PARENTS = "lab.parents"
"""The label with the ids of the images that an image is built on."""
ARGUMENT = re.compile(r"^ARG\s+([A-Z0-9_]+)\s*$", re.MULTILINE)
"""A build argument without a default: it stands for an image."""


def folders(images: Path, only: str | None = None) -> list[Path]:
    """The folder of every image, or only the one named `only` and those that it is built on; the base comes first.

    They are the folders of `images`, and the kernel module's beside it.

    Raises:
        UsageError: there is no such folder; lists the valid names.
    """
    files = [*images.glob("*/Dockerfile"), *images.parent.glob("kmod/Dockerfile")]
    image_folders = sorted((path.parent for path in files), key=lambda path: (path.name != BASE, path.name))
    by_name = {folder.name: folder for folder in image_folders}
    if not by_name:
        raise UsageError(f"there is no image: no {images}/*/Dockerfile", "LAB_ROOT names where images/ is")
    if only is None:
        return image_folders
    chosen = _with_parents(only, by_name)
    return [folder for folder in image_folders if folder.name in chosen]


def folder(images: Path, name: str) -> Path:
    """The folder of an image: one of `images`, or the kernel module's beside it."""
    return images / name if (images / name).is_dir() else images.parent / name


def _with_parents(name: str, by_name: dict[str, Path]) -> set[str]:
    if name not in by_name:
        raise unknown("image", name, list(by_name))
    return {name}.union(*(_with_parents(parent, by_name) for parent in parents(by_name[name]).values()))


def parents(folder: Path) -> dict[str, str]:
    """The images that a folder's image is built on, by build argument: `OTHER_ONE` stands for `other-one`."""
    return {name: named(name) for name in _arguments(folder) if name != ROOT_ARGUMENT}


def named(argument: str) -> str:
    """The image that a build argument stands for."""
    return argument.lower().replace("_", "-")


def needs_root(folder: Path) -> bool:
    """Whether a folder's image is built on the Debian root itself."""
    return ROOT_ARGUMENT in _arguments(folder)


def _arguments(folder: Path) -> list[str]:
    return list(dict.fromkeys(ARGUMENT.findall((folder / "Dockerfile").read_text(encoding="utf-8"))))


def tag_of(folder: Path) -> str:
    """The tag of a folder's image."""
    return f"lab/{folder.name}:latest"


def is_current(engine: Engine, folder: Path) -> bool:
    """Whether the image of this folder matches the folder and the images that it is built on."""
    if not (folder / "Dockerfile").is_file():
        return False
    digest, built_on = labels(engine, tag_of(folder), DIGEST, PARENTS) or (None, None)
    on = [f"{argument}={engine.image_id(f'lab/{name}:latest')}" for argument, name in parents(folder).items()]
    return digest == folder_digest(folder) and all(parent in (built_on or "") for parent in on)


def labels(engine: Engine, tag: str, *names: str) -> list[str | None]:
    """The values of an image's labels, None for each that it lacks; nothing if there is no such image."""
    try:
        image_labels = engine.client.images.get(tag).labels
    except ImageNotFound:
        return []
    return [image_labels.get(name) for name in names]


def folder_digest(folder: Path, *, described: bool = False) -> str:
    """A digest of the files that an image is built from: names, executable bits and contents.

    `described`: of its description, too, by which its VPN is measured.
    """
    digest = hashlib.sha256()
    for path in _files(folder, set(ABOUT) - {DESCRIPTION} if described else ABOUT):
        executable = bool(path.stat().st_mode & 0o100)
        digest.update(f"{path.relative_to(folder)}\0{executable}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _files(folder: Path, apart: Collection[str]) -> Iterator[Path]:
    ignore = folder / IGNORE
    paths = folder.rglob("*")
    if ignore.exists():
        patterns = [line for line in ignore.read_text(encoding="utf-8").splitlines() if line.strip() and line[0] != "#"]
        # Docker's own matching of the patterns, which also decides what is sent.
        paths = (folder / path for path in exclude_paths(str(folder), patterns))
    return (path for path in sorted(paths) if path.is_file() and path not in {folder / name for name in apart})
