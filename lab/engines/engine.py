# SPDX-License-Identifier: MIT
"""Where containers run. Everything that is measured goes through this: no other file knows which engine it is on."""

from __future__ import annotations

import io
import os
import secrets
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import docker
from docker.context import Context, ContextAPI
from docker.context.config import get_current_context_name
from docker.errors import APIError, DockerException, ImageNotFound, NotFound, TLSParameterError
from docker.models.containers import Container
from docker.utils.config import find_config_file
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from lab.core.command import Result
from lab.core.errors import EngineGone, LabError
from lab.core.signals import undisturbed
from lab.engines import ownership

SOCKET = Path("/var/run/docker.sock")
GRACE = 60.0
"""Seconds beyond the limit of a command after which its machine counts as hung."""

LOST = (DockerException, RequestException, HTTPError, ConnectionError)
"""What the client raises where the engine refused something, or went away before, under or after a request."""


@dataclass
class Engine:
    """A Docker engine: `name` and `clock` are recorded with every sample.

    `patience`: how many times its seconds may last here. `address`: where a person's `docker --host` finds it; empty
    where that needs no telling. `last_words`: what its machine said last. `kill` ends that machine; where there is none
    of its own, nothing is killed. `given_up`: the lab itself has ended it, so what then fails there says nothing.
    """

    client: docker.DockerClient
    name: str = "host"
    clock: str = "wall"
    facts: dict[str, Any] = field(default_factory=dict)
    patience: float = 1.0
    address: str = ""
    last_words: Callable[[], str] = str
    kill: Callable[[], None] | None = None
    given_up: bool = False

    @contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """A machine that hangs answers nothing for ever: when its own limit is long over, it is killed."""
        watch = threading.Timer(GRACE + seconds * self.patience, self.kill or str)
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()

    def execute(self, container: Container, argv: Sequence[str], *, timeout: float = 30) -> Result:
        """Run `argv` in a running container, which itself kills it after `timeout` seconds, times the patience."""
        limited = ["timeout", "--kill-after=2", str(timeout * self.patience), *argv]
        try:
            with self._within(timeout):
                status, output = container.exec_run(limited, demux=True)
        except APIError as error:
            raise LabError(f"{container.name}: {because(error)}") from error
        if status is None:
            raise LabError(f"{container.name} stopped while it ran {argv[0]}")
        stdout, stderr = (bytes(part or b"").decode(errors="replace") for part in cast(tuple[Any, Any], output))
        return Result(status, stdout, stderr)

    def once(self, image: str, argv: Sequence[str], *, timeout: float = 30, **options: Any) -> Result:
        """Run `argv` in a container of its own that is removed afterwards; without network unless asked for."""
        lab = f"once-{os.getpid()}"
        defaults: dict[str, Any] = {"network_mode": "none", "cap_drop": ["ALL"], "init": True}
        defaults |= {"labels": ownership.labels(lab), "name": ownership.called(lab, secrets.token_hex(4))}
        limited = ["timeout", "--kill-after=2", str(timeout * self.patience), *argv]
        container = None
        try:
            with undisturbed():  # a container that is not known here is removed by nobody
                container = self.client.containers.create(image, limited, **(defaults | options))
            container.start()
            status = int(container.wait(timeout=(timeout + 10) * self.patience)["StatusCode"])
            stdout = container.logs(stdout=True, stderr=False).decode(errors="replace")
            stderr = container.logs(stdout=False, stderr=True).decode(errors="replace")
        finally:
            if container is not None:
                container.remove(force=True)
        return Result(status, stdout, stderr)

    def image_id(self, tag: str) -> str | None:
        """The id of an image, None where there is none by that tag."""
        try:
            return str(self.client.images.get(tag).id)
        except ImageNotFound:
            return None

    @property
    def here(self) -> bool:
        """Whether it makes its networks on this machine: not in a guest's, nor in one that a network leads to."""
        return self.name == "host" and self.client.api.base_url.startswith("http+docker://")

    @property
    def processors(self) -> int:
        """How many processors containers see."""
        return int(self.facts["NCPU"])


def gone(engine: Engine, error: Exception) -> EngineGone | None:
    """What ends a run where its engine is gone; None where the engine is there, and refused something."""
    try:
        engine.client.ping()
    except LOST:
        last = engine.last_words()
        said = f"\nlast said by its machine:\n{last}" if last else ""
        return EngineGone(f"the {engine.name} engine no longer answers: {because(error)}{said}")
    return None


@contextmanager
def answering(engine: Engine) -> Iterator[None]:
    """Tell an engine that is gone from one that refused something.

    Raises:
        EngineGone: it is gone; with the last words of its machine.
    """
    try:
        yield
    except LOST as error:
        if ended := gone(engine, error):
            raise ended from error
        raise


def stopped(containers: Mapping[str, Container]) -> str:
    """Which of them do not run any more, and how each ended; empty where all run."""
    found = []
    for name, container in containers.items():
        try:
            container.reload()
        except NotFound:
            found.append(f"the {name} was removed")
            continue
        state = container.attrs["State"]
        if container.status == "exited":
            memory = ", out of memory" if state.get("OOMKilled") else ""
            found.append(f"the {name} stopped (exit {state['ExitCode']}{memory})")
        elif container.status != "running":
            found.append(f"the {name} is {container.status}")
    return ", ".join(found)


def connect() -> Engine:
    """The Docker engine that `docker` beside it talks to: that of DOCKER_HOST, of the current context, or this machine.

    Raises:
        LabError: none answers; says whether it is missing, stopped or not permitted, and what to do.
    """
    context = _context()
    try:
        client = docker.from_env(timeout=120)
        return Engine(client, facts=client.info())
    except (DockerException, RequestException, ValueError) as error:
        raise _unreachable(error, context) from error


def _context() -> Context | None:
    """The Docker context that counts, None where that is the default or DOCKER_HOST overrides it.

    Raises:
        LabError: there is no such context; docker-py would take the default, and another engine would be measured.
    """
    name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
    if os.environ.get("DOCKER_HOST") or name == "default":
        return None
    try:
        context: Context | None = ContextAPI.get_context(name) if find_config_file() else None
    except Exception as error:  # docker-py raises whatever a file leads to
        raise LabError(f"the Docker context {name!r} cannot be read: {error}", ANOTHER_CONTEXT) from error
    if context is None:
        raise LabError(f"there is no Docker context {name!r}", ANOTHER_CONTEXT)
    return context


ANOTHER_CONTEXT = "`docker context ls` shows those that there are, `docker context use` and DOCKER_CONTEXT choose one"


def _unreachable(error: Exception, context: Context | None) -> LabError:
    why, host = because(error), os.environ.get("DOCKER_HOST")
    if isinstance(error, TLSParameterError):
        folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
        missing = [name for name in ("ca.pem", "cert.pem", "key.pem") if not (folder / name).is_file()]
        lacks = f"has no {' and no '.join(missing)}" if missing else f"does not have what it takes: {why}"
        return LabError(
            f"no way to the Docker engine: {folder} {lacks}",
            "DOCKER_CERT_PATH names their folder; unset it and DOCKER_TLS_VERIFY where the engine wants no certificate",
        )
    if host:
        return LabError(f"no Docker engine answers at DOCKER_HOST={host}: {why}", "correct or unset DOCKER_HOST")
    if context:
        where = f"{context.Host}, of the Docker context {context.Name!r}"
        return LabError(f"no Docker engine answers at {where}: {why}", ANOTHER_CONTEXT)
    if not SOCKET.exists():
        return LabError(f"no Docker engine: {SOCKET} does not exist", "`make setup` installs and starts one")
    if not os.access(SOCKET, os.R_OK | os.W_OK):
        return LabError(f"no permission to use {SOCKET}", "run as root, or as a member of the group `docker`")
    return LabError(f"the Docker engine does not answer at {SOCKET}: {why}", "`make setup` starts it")


def because(error: BaseException) -> str:
    """Why a request failed: what the engine said, or what the system did, not how libraries put it."""
    if explanation := getattr(error, "explanation", None):
        return str(explanation)
    chain = [error]
    while (deeper := chain[-1].__cause__ or chain[-1].__context__) and deeper not in chain:
        chain.append(deeper)
    for each in reversed(chain):
        if isinstance(each, TimeoutError):
            return "no answer in time"
        if isinstance(each, OSError) and not isinstance(each, RequestException):
            return each.strerror or str(each)
    return str(error)


def archive(files: Mapping[str, bytes]) -> bytes:
    """A tar of `files` for `put_archive`: owned by root, readable by root alone."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o600
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
