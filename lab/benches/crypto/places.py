# SPDX-License-Identifier: MIT
"""Where a bench runs: in a container or on the host, with byte-identical programs and libraries."""

from __future__ import annotations

import io
import secrets
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from docker.models.containers import Container

from lab.core.command import Result
from lab.core.errors import LabError, Unsupported
from lab.core.signals import undisturbed
from lab.engines import ownership
from lab.engines.engine import LOST, Engine, stopped
from lab.testbed import testbed

IMAGE = "lab/crypto:latest"
FOLDER = "/opt/crypto"
"""The programs and everything that they load; in the image, and copied out of it for the host."""


class Place(Protocol):
    """`engine` and `clock` are recorded with every sample."""

    @property
    def engine(self) -> str:
        """Where containers run, or `host`."""

    @property
    def clock(self) -> str:
        """The clock of its seconds."""

    def run(self, argv: Sequence[str], timeout: float) -> Result:
        """Run a program of the image's folder to its end."""

    def stopped(self) -> str:
        """What has stopped; empty if everything runs."""


@dataclass
class InContainer:
    """A container without capabilities and without network."""

    place: Engine
    container: Container

    @property
    def engine(self) -> str:
        """The engine's name."""
        return self.place.name

    @property
    def clock(self) -> str:
        """The engine's clock."""
        return self.place.clock

    def run(self, argv: Sequence[str], timeout: float) -> Result:
        """Run as a command in the container; a container that has stopped is started again."""
        self.container.reload()
        if self.container.status != "running":
            self.container.start()
        return self.place.execute(self.container, [f"{FOLDER}/bench", *argv], timeout=timeout)

    def stopped(self) -> str:
        """Whether the container has stopped meanwhile."""
        return stopped({"container": self.container})


@dataclass
class OnHost:
    """The host that runs the lab: no container, no control group, no filter of system calls."""

    folder: Path
    engine: str = "host"
    clock: str = "wall"

    def run(self, argv: Sequence[str], timeout: float) -> Result:
        """Run as a child of this process."""
        try:
            process = subprocess.run(
                [self.folder / "bench", *argv],
                capture_output=True, text=True, errors="replace", check=False, timeout=timeout,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Result(124, "", f"no end within {timeout:g} s")
        except OSError as error:
            raise Unsupported(
                f"{self.folder} does not run here: {error.strerror}; TMPDIR names another place"
            ) from error
        return Result(process.returncode, process.stdout, process.stderr)

    def stopped(self) -> str:
        """Nothing: the host runs as long as this process."""
        return ""


@contextmanager
def open_places(engine: Engine, names: Sequence[str]) -> Iterator[dict[str, Place]]:
    """The places of those names; the container and the copied files are removed afterwards."""
    container, failed = None, False
    testbed.sweep_forgotten(engine)
    with tempfile.TemporaryDirectory(prefix="lab-crypto-") as folder:
        try:
            with undisturbed():  # otherwise nobody would remove the container
                lab = f"crypto-{secrets.token_hex(4)}"
                container = engine.client.containers.create(
                    IMAGE, ["sleep", "infinity"], init=True, network_mode="none", cap_drop=["ALL"],
                    labels=ownership.labels(lab), name=ownership.called(lab, "bench"),
                )  # fmt: skip
            places: dict[str, Place] = {}
            if "host" in names:
                places["host"] = OnHost(_unpack(container, Path(folder)))
            if "container" in names:
                container.start()
                places["container"] = InContainer(engine, container)
            yield places
        except BaseException:
            failed = True
            raise
        finally:
            if container is not None:
                with undisturbed(), suppress(*(LOST if failed else ())):  # report the first failure, not this one
                    container.remove(force=True)


def _unpack(container: Container, into: Path) -> Path:
    """Copy the programs out of the image."""
    parts, _ = container.get_archive(FOLDER)
    with tarfile.open(fileobj=io.BytesIO(b"".join(parts))) as tar:
        for member in (entry for entry in tar.getmembers() if entry.isfile()):
            path = into / member.name
            if not path.resolve().is_relative_to(into.resolve()):
                raise LabError(f"{IMAGE} holds a file outside of its folder: {member.name}", "`lab build crypto`")
            path.parent.mkdir(parents=True, exist_ok=True)
            content = tar.extractfile(member)
            path.write_bytes(content.read() if content else b"")
            path.chmod(member.mode)
    return into / Path(FOLDER).name
