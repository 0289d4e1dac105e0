# SPDX-License-Identifier: MIT
"""The Debian root that all images stand on: the stock image, or one that mmdebstrap makes."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, cast, get_args

from docker.credentials.errors import StoreError
from docker.errors import DockerException

from lab.core.errors import LabError, unknown
from lab.engines.engine import Engine, because

SUITE = "trixie"
STOCK = f"debian:{SUITE}-slim"
ROOTFS = f"lab/rootfs:{SUITE}"

QUICK = ('--aptopt=Acquire::Languages "none"', "--dpkgopt=force-unsafe-io")
"""What the stock image has too, also for what is installed later: less to fetch, and no disk to wait for."""

Source = Literal["auto", "stock", "bootstrap"]
Say = Callable[[str], None]


def source_of(name: str) -> Source:
    """The source of that name.

    Raises:
        UsageError: there is none; lists the valid names.
    """
    for source in get_args(Source):
        if name == source:
            return cast(Source, source)
    raise unknown("source", name, get_args(Source))


def ready(engine: Engine, say: Say, *, source: Source = "auto") -> str:
    """The tag of a Debian root: the stock image if it is present or can be pulled, else a bootstrapped one."""
    if source != "bootstrap":
        if engine.image_id(STOCK):
            say(f"root: the stock image {STOCK} is present")
            return STOCK
        if engine.image_id(ROOTFS) and source == "auto":
            say(f"root: {ROOTFS}, bootstrapped before")
            return ROOTFS
        try:
            with credentials():
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
    return ROOTFS


def _bootstrap(engine: Engine) -> None:
    """Import a root made by mmdebstrap, with the mirror and keys that Debian's package configures."""
    tool = shutil.which("mmdebstrap")
    if tool is None:
        raise LabError("mmdebstrap is missing, and no stock image can be had", "apt-get install mmdebstrap")
    with tempfile.TemporaryDirectory(prefix="lab-rootfs-") as directory:
        tar = Path(directory) / "rootfs.tar"
        process = subprocess.run(
            [tool, "--variant=apt", "--include=ca-certificates", *QUICK, SUITE, str(tar)],
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        if process.returncode:
            raise LabError(f"mmdebstrap failed:\n{tail(process.stderr)}")
        repository, _, tag = ROOTFS.partition(":")
        engine.client.api.import_image_from_file(str(tar), repository=repository, tag=tag)
        if engine.image_id(ROOTFS) is None:
            raise LabError(f"the bootstrapped root could not be imported as {ROOTFS}")


@contextmanager
def credentials() -> Iterator[None]:
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


def tail(text: str, lines: int = 12) -> str:
    """The last lines of a text."""
    return "\n".join(text.strip().splitlines()[-lines:])
