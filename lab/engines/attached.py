# SPDX-License-Identifier: MIT
"""A command in a container that goes on until it is told to end, by its input: no other process has to tell it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR
from typing import Any

from docker.errors import APIError
from docker.models.containers import Container
from docker.utils.socket import STDOUT, frames_iter

from lab.core.command import Result
from lab.core.errors import LabError
from lab.engines.engine import Engine, because, limited, marked

TOLD = ["bash", "-c", 'read -r _; exec "$@"', "told"]
"""Begins a command when its input says so. What it printed before the engine's answer was read would be lost."""
LINE = b"\n"
OVER = 30
"""Seconds within which the engine must know that a command is over whose outputs are closed."""


class Attached:
    """A command that has begun: it printed something, or is over already."""

    def __init__(self, engine: Engine, container: Container, argv: Sequence[str], timeout: float) -> None:
        self.api: Any = engine.client.api
        self.outputs: dict[int, bytes] = {}
        try:
            command = limited([*TOLD, *argv], timeout * engine.patience)
            self.number = self.api.exec_create(container.id, command, stdin=True)["Id"]
            self.socket: Any = self.api.exec_start(self.number, socket=True)
        except APIError as error:
            raise LabError(f"{container.name}: {because(error)}") from error
        self._tell()
        frames: Any = frames_iter
        self.frames: Iterator[tuple[int, bytes]] = frames(self.socket, tty=False)
        for stream, text in self.frames:
            self._keep(stream, text)
            if stream == STDOUT:
                break

    def _tell(self) -> None:
        self.socket._sock.sendall(LINE)  # docker-py gives the socket as a file that is for reading

    def _keep(self, stream: int, text: bytes) -> None:
        self.outputs[stream] = self.outputs.get(stream, b"") + text

    def end(self) -> Result:
        """Tell it to end: its input is a line. Returns what it printed, and its status."""
        with suppress(OSError):  # it may be over already
            self._tell()
        for stream, text in self.frames:
            self._keep(stream, text)
        deadline = time.monotonic() + OVER
        while (status := self.api.exec_inspect(self.number)["ExitCode"]) is None:  # its outputs close a moment before
            if time.monotonic() > deadline:
                raise LabError("a command that was told to end is not over")
            time.sleep(0.02)
        return Result(int(status), *(marked(self.outputs.get(stream, b"")) for stream in (1, 2)))

    def close(self) -> None:
        """Let go of it: without its input it ends by itself."""
        with suppress(OSError):  # it may be over already
            self.socket._sock.shutdown(SHUT_RDWR)
        self.socket.close()


@contextmanager
def attached(engine: Engine, container: Container, argv: Sequence[str], *, timeout: float) -> Iterator[Attached]:
    """Run a command while the block runs. The container kills it after `timeout` seconds, times the patience.

    Raises:
        LabError: the engine refuses it.
    """
    command = Attached(engine, container, argv, timeout)
    try:
        yield command
    finally:
        command.close()
