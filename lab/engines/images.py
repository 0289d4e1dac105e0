# SPDX-License-Identifier: MIT
"""Build the images: a Debian trixie root, the base on it, then one image a folder. Unchanged ones are kept."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, cast, get_args

from docker.credentials.errors import StoreError
from docker.errors import APIError, BuildError, DockerException, ImageNotFound
from docker.utils import exclude_paths

from lab.core.errors import LabError, UsageError, unknown
from lab.engines.engine import Engine, because

BASE = "base"
SUITE = "trixie"
STOCK = f"debian:{SUITE}-slim"
ROOTFS = f"lab/rootfs:{SUITE}"
DIGEST = "lab.digest"
"""The label with the digest of the folder that an image was built from."""
IGNORE = ".dockerignore"
PARENTS = "lab.parents"
"""The label with the ids of the images that an image is built on."""

Source = Literal["auto", "stock", "bootstrap"]
Say = Callable[[str], None]


def folders(images: Path, only: str | None = None) -> list[Path]:
    """The folder of every image, or only the base and the one named `only`.

    They are the folders of `images`, and the kernel module's beside it.

    Raises:
        UsageError: there is no such folder; lists the valid names.
    """
    files = [*images.glob("*/Dockerfile"), *images.parent.glob("kmod/Dockerfile")]
    image_folders = sorted((path.parent for path in files), key=lambda path: (path.name != BASE, path.name))
    names = [folder.name for folder in image_folders]
    if not names:
        raise UsageError(f"there is no image: no {images}/*/Dockerfile", "LAB_ROOT names where images/ is")
    if only is not None and only not in names:
        raise unknown("image", only, names)
    return [folder for folder in image_folders if only is None or folder.name in (BASE, only)]


def source_of(name: str) -> Source:
    """The source of that name.

    Raises:
        UsageError: there is none; lists the valid names.
    """
    for source in get_args(Source):
        if name == source:
            return cast(Source, source)
    raise unknown("source", name, get_args(Source))


def build(engine: Engine, chosen: Sequence[Path], say: Say, *, source: Source = "auto") -> None:
    """Build the folders `chosen`, in order. The base comes first, since all others are built on it.

    Raises:
        LabError: a build failed; with the last lines of its output.
    """
    root = rootfs(engine, say, source=source)
    for folder in chosen:
        parents = {"ROOTFS": root} | ({} if folder.name == BASE else {"BASE": f"lab/{BASE}:latest"})
        _image(engine, folder, parents, say)


def rootfs(engine: Engine, say: Say, *, source: Source = "auto") -> str:
    """The tag of a Debian root: the stock image if it is present or can be pulled, else a bootstrapped one."""
    if source != "bootstrap":
        if engine.image_id(STOCK):
            say(f"root: the stock image {STOCK} is present")
            return STOCK
        if engine.image_id(ROOTFS) and source == "auto":
            say(f"root: {ROOTFS}, bootstrapped before")
            return ROOTFS
        try:
            with _credentials():
                engine.client.images.pull(STOCK)
            say(f"root: the stock image {STOCK}, pulled")
            return STOCK
        except DockerException as error:
            if source == "stock":
                raise LabError(
                    f"{STOCK} is not present and cannot be pulled: {because(error)}", "use --from bootstrap"
                ) from error
            say(f"root: {STOCK} is not present and cannot be pulled ({because(error)}); bootstrapping it")
    _bootstrap(engine)
    say(f"root: {ROOTFS}, bootstrapped with mmdebstrap")
    return ROOTFS


def _bootstrap(engine: Engine) -> None:
    """Import a root made by mmdebstrap, with the mirror and keys that Debian's package configures."""
    tool = shutil.which("mmdebstrap")
    if tool is None:
        raise LabError("mmdebstrap is missing, and no stock image can be had", "apt-get install mmdebstrap")
    with tempfile.TemporaryDirectory(prefix="lab-rootfs-") as directory:
        tar = Path(directory) / "rootfs.tar"
        process = subprocess.run(
            [tool, "--variant=apt", "--include=ca-certificates", SUITE, str(tar)],
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        if process.returncode:
            raise LabError(f"mmdebstrap failed:\n{_tail(process.stderr)}")
        repository, _, tag = ROOTFS.partition(":")
        engine.client.api.import_image_from_file(str(tar), repository=repository, tag=tag)
        if engine.image_id(ROOTFS) is None:
            raise LabError(f"the bootstrapped root could not be imported as {ROOTFS}")


def _image(engine: Engine, folder: Path, arguments: dict[str, str], say: Say) -> None:
    """Build the image of one folder, unless it is current."""
    tag = tag_of(folder)
    parents = "".join(f"{key}={engine.image_id(value)}" for key, value in sorted(arguments.items()))
    labels = {DIGEST: folder_digest(folder), PARENTS: parents}
    if _labels(engine, tag, *labels) == list(labels.values()):
        say(f"{tag}: unchanged")
        return
    say(f"{tag}: building")
    try:
        with _credentials():
            engine.client.images.build(
                path=str(folder), tag=tag, buildargs=arguments, labels=labels, rm=True, forcerm=True
            )
    except BuildError as error:
        lines = [str(part.get("stream") or part.get("error") or "") for part in error.build_log]
        raise LabError(f"{tag} could not be built: {error.msg}\n{_tail(''.join(lines))}") from error
    except APIError as error:
        raise LabError(f"{tag} could not be built: {because(error)}") from error


@contextmanager
def _credentials() -> Iterator[None]:
    """Name the credential helper that is missing or failed: docker-py asks all of them each time.

    Raises:
        LabError: a helper is missing, or failed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the same message in other words
            yield
    except StoreError as error:
        raise LabError(
            f"credentials for registries cannot be had: {error}",
            "install that helper, or take it out of ~/.docker/config.json (credsStore, credHelpers)",
        ) from error


def tag_of(folder: Path) -> str:
    """The tag of a folder's image."""
    return f"lab/{folder.name}:latest"


def is_current(engine: Engine, folder: Path) -> bool:
    """Whether the image of this folder matches the folder and the base."""
    digest, parents = _labels(engine, tag_of(folder), DIGEST, PARENTS) or (None, None)
    base = f"BASE={engine.image_id(f'lab/{BASE}:latest')}"
    return digest == folder_digest(folder) and (folder.name == BASE or base in (parents or ""))


def _labels(engine: Engine, tag: str, *names: str) -> list[str | None]:
    try:
        labels = engine.client.images.get(tag).labels
    except ImageNotFound:
        return []
    return [labels.get(name) for name in names]


def folder_digest(folder: Path) -> str:
    """A digest of the files in a folder's build context: names, executable bits and contents."""
    digest = hashlib.sha256()
    for path in _files(folder):
        executable = bool(path.stat().st_mode & 0o100)
        digest.update(f"{path.relative_to(folder)}\0{executable}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    ignore = folder / IGNORE
    paths = folder.rglob("*")
    if ignore.exists():
        patterns = [line for line in ignore.read_text(encoding="utf-8").splitlines() if line.strip() and line[0] != "#"]
        # Docker's own matching of the patterns, which also decides what is sent.
        paths = (folder / path for path in exclude_paths(str(folder), patterns))
    return (path for path in sorted(paths) if path.is_file())


def _tail(text: str, lines: int = 12) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])
