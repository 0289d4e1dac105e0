# SPDX-License-Identifier: MIT
"""A Docker engine. Every measurement goes through it; no other file knows which engine it is."""

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
from lab.engines.client import Client
from lab.engines.profiler import Profiler

SOCKET = Path("/var/run/docker.sock")
GRACE = 60.0
"""The machine counts as hung this many seconds after a command's time limit."""

END = "\x04"
MARKED = ["sh", "-c", '"$@"; status=$?; printf "\\004"; printf "\\004" >&2; exit "$status"', "sh"]
"""Runs a command and marks the end of both its outputs, so that an output that is not whole is known.

Docker loses what a short command prints if that command is over before the engine has opened the pipes; its log then
says "reading from a closed fifo" (moby issue 27289). The status is right all the same.
"""
ASKED = 5
"""How often a command that only reads is run, until its output is whole."""

LOST = (DockerException, RequestException, HTTPError, ConnectionError)
"""The client's exceptions if the engine refused a request, or went away before, during or after it."""


@dataclass
class Engine:
    """A Docker engine: `name` and `clock` are recorded with every sample.

    `patience` multiplies every time limit. `address` is the value for a person's `docker --host`; empty if none is
    needed. `last_words` returns the last output of its machine. `kill` ends that machine; None if the engine has no
    machine of its own. `given_up`: the lab itself has ended the engine, so later failures there mean nothing.
    `profiler` counts the instructions of its machine; None if nothing does. `far`: the engine of the server's machine,
    where the ends are on two, and this one is the client's; `interface` is each machine's on the cable between.
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
    profiler: Profiler | None = None
    interface: str = ""
    far: Engine | None = None

    @contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """Kill the machine if it still does not answer long after `seconds`: it hangs."""
        watchdog = threading.Timer(GRACE + seconds * self.patience, self.kill or str)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def execute(self, container: Container, argv: Sequence[str], *, timeout: float = 30) -> Result:
        """Run `argv` in a running container. The container kills it after `timeout` seconds, times the patience."""
        try:
            with self._within(timeout):
                status, output = container.exec_run(limited(argv, timeout * self.patience), demux=True)
        except APIError as error:
            raise LabError(f"{container.name}: {because(error)}") from error
        if status is None:
            raise LabError(f"{container.name} stopped while it ran {argv[0]}")
        return Result(status, *(marked(bytes(part or b"")) for part in cast(tuple[Any, Any], output)))

    def ask(self, container: Container, argv: Sequence[str], *, timeout: float = 30) -> Result:
        """`execute` a command that only reads. It is run again if the engine lost its output."""
        for _ in range(ASKED - 1):
            if not (result := self.execute(container, argv, timeout=timeout)).lost:
                return result
        return self.execute(container, argv, timeout=timeout)

    def once(self, image: str, argv: Sequence[str], *, timeout: float = 30, **options: Any) -> Result:
        """Run `argv` in a new container and remove that afterwards. By default it has no network."""
        lab = once_name()
        defaults: dict[str, Any] = {"network_mode": "none", "cap_drop": ["ALL"], "init": True}
        defaults |= {"labels": ownership.labels(lab), "name": ownership.called(lab, secrets.token_hex(4))}
        command = limited(argv, timeout * self.patience)
        container = None
        try:
            with undisturbed():  # a container that was created but is not known here would stay
                container = self.client.containers.create(image, command, **(defaults | options))
            container.start()
            status = int(container.wait(timeout=(timeout + 10) * self.patience)["StatusCode"])
            outputs = container.logs(stdout=True, stderr=False), container.logs(stdout=False, stderr=True)
        finally:
            if container is not None:
                container.remove(force=True)
        return Result(status, *(marked(output) for output in outputs))

    def image_id(self, tag: str) -> str | None:
        """The id of an image; None if no image has that tag."""
        try:
            return str(self.client.images.get(tag).id)
        except ImageNotFound:
            return None

    @property
    def here(self) -> bool:
        """Whether its networks are on this machine, not in a guest or on a remote host."""
        return not self.facts.get("guest") and self.client.api.base_url.startswith("http+docker://")

    @property
    def every(self) -> list[Engine]:
        """This engine, and the far one if there is one."""
        return [self, *([self.far] if self.far else [])]

    @property
    def processors(self) -> int:
        """The number of processors that containers see, of both machines if there are two."""
        return sum(int(each.facts["NCPU"]) for each in self.every)


def limited(argv: Sequence[str], seconds: float) -> list[str]:
    """The command that runs `argv` for so many seconds at most, and marks the end of what it prints."""
    return [*MARKED, "timeout", "--kill-after=2", str(seconds), *argv]


def marked(output: bytes) -> str | None:
    """An output without its end mark, with what daemons that the command left printed later; None without a mark."""
    before, mark, after = output.decode(errors="replace").rpartition(END)
    return before + after if mark else None


def once_name() -> str:
    """The name of the lab that the containers of `Engine.once` belong to."""
    return f"once-{os.getpid()}"


def gone(engine: Engine, error: Exception) -> EngineGone | None:
    """The error that ends a run if its engine is gone; None if the engine answers and only refused a request."""
    for each in engine.every:
        try:
            each.client.ping()
        except LOST:
            console = each.last_words()
            detail = f"\nlast output of its machine:\n{console}" if console else ""
            which = f"{each.name} engine" + (f" at {each.interface}" if each.interface else "")
            return EngineGone(f"the {which} no longer answers: {because(error)}{detail}")
    return None


@contextmanager
def answering(engine: Engine) -> Iterator[None]:
    """Raise EngineGone if the engine is gone. An error of an engine that answers passes through.

    Raises:
        EngineGone: the engine is gone; with the last output of its machine.
    """
    try:
        yield
    except LOST as error:
        if failure := gone(engine, error):
            raise failure from error
        raise


def stopped(containers: Mapping[str, Container]) -> str:
    """Which containers no longer run, and how each ended; empty if all run."""
    reasons = []
    for name, container in containers.items():
        try:
            container.reload()
        except NotFound:
            reasons.append(f"the {name} was removed")
            continue
        state = container.attrs["State"]
        if container.status == "exited":
            memory = ", out of memory" if state.get("OOMKilled") else ""
            reasons.append(f"the {name} stopped (exit {state['ExitCode']}{memory})")
        elif container.status != "running":
            reasons.append(f"the {name} is {container.status}")
    return ", ".join(reasons)


def connect() -> Engine:
    """The engine that the `docker` command would use: of DOCKER_HOST, of the current context, or of this machine.

    Raises:
        LabError: no engine answers; says whether it is missing, stopped or not permitted, and what to do.
    """
    context = _context()
    try:
        client = Client.from_env(timeout=120)
        return Engine(client, facts=client.info())
    except (DockerException, RequestException, ValueError) as error:
        raise _unreachable(error, context) from error


def _context() -> Context | None:
    """The current Docker context; None if it is the default or DOCKER_HOST overrides it.

    Raises:
        LabError: there is no such context. docker-py would use the default, and the lab would measure another engine.
    """
    name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
    if os.environ.get("DOCKER_HOST") or name == "default":
        return None
    try:
        context: Context | None = ContextAPI.get_context(name) if find_config_file() else None
    except Exception as error:  # a broken context file may raise anything in docker-py
        raise LabError(f"the Docker context {name!r} cannot be read: {error}", ANOTHER_CONTEXT) from error
    if context is None:
        raise LabError(f"there is no Docker context {name!r}", ANOTHER_CONTEXT)
    return context


ANOTHER_CONTEXT = "`docker context ls` lists the contexts; `docker context use` or DOCKER_CONTEXT selects one"


def _unreachable(error: Exception, context: Context | None) -> LabError:
    reason, host = because(error), os.environ.get("DOCKER_HOST")
    if isinstance(error, TLSParameterError):
        folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
        missing_files = [name for name in ("ca.pem", "cert.pem", "key.pem") if not (folder / name).is_file()]
        problem = f"has no {' and no '.join(missing_files)}" if missing_files else f"cannot be used: {reason}"
        return LabError(
            f"cannot connect to the Docker engine: {folder} {problem}",
            "set DOCKER_CERT_PATH to their folder; or unset it and DOCKER_TLS_VERIFY",
        )
    if host:
        return LabError(f"no Docker engine answers at DOCKER_HOST={host}: {reason}", "correct or unset DOCKER_HOST")
    if context:
        location = f"{context.Host}, of the Docker context {context.Name!r}"
        return LabError(f"no Docker engine answers at {location}: {reason}", ANOTHER_CONTEXT)
    if not SOCKET.exists():
        return LabError(f"no Docker engine: {SOCKET} does not exist", "`make setup` installs and starts one")
    if not os.access(SOCKET, os.R_OK | os.W_OK):
        return LabError(f"no permission to use {SOCKET}", "run as root, or as a member of the group `docker`")
    return LabError(f"the Docker engine does not answer at {SOCKET}: {reason}", "`make setup` starts it")


def because(error: BaseException) -> str:
    """Why a request failed: the engine's message or the system's error, without the libraries' wrapping."""
    if explanation := getattr(error, "explanation", None):
        return str(explanation)
    chain = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) and inner not in chain:
        chain.append(inner)
    for cause in reversed(chain):
        if isinstance(cause, TimeoutError):
            return "no answer in time"
        if isinstance(cause, OSError) and not isinstance(cause, RequestException):
            return cause.strerror or str(cause)
    return str(error)


def archive(files: Mapping[str, bytes]) -> bytes:
    """A tar of `files` for `put_archive`. Root owns them, and only root can read them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o600
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
