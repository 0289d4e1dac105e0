# SPDX-License-Identifier: MIT
"""docker-py's client, which reads what a command prints from its first byte.

docker-py takes the head of the engine's answer through a buffer, and what follows past that buffer (docker-py issues
425 and 3332): what came together with the head was lost, and the rest looked like a whole output.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import docker

HEAD = struct.Struct(">BxxxL")
"""Before each piece of an output: which one, and the length (the engine's API, "Attach to a container")."""
OUTPUTS = (1, 2)
"""Standard output and standard error."""


class Client(docker.DockerClient):
    """The engine's client."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.api = _Api(*args, **options)


class _Api(docker.APIClient):
    def _read_from_socket(self, response: Any, stream: bool, tty: bool = True, demux: bool = False) -> Any:
        """What a command prints: each of its two outputs with `demux`, or else both as one."""
        if stream or tty:
            return super()._read_from_socket(response, stream, tty, demux)  # type: ignore[misc]
        socket = self._get_raw_response_socket(response)  # type: ignore[attr-defined]
        self._disable_socket_timeout(socket)  # type: ignore[attr-defined]  # a command may be silent for long
        try:
            pieces = list(_pieces(response.raw._fp.fp))
        finally:
            response.close()
        if demux:
            return tuple(b"".join(text for its, text in pieces if its == output) for output in OUTPUTS)
        return b"".join(text for _, text in pieces)


def _pieces(answer: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The pieces of the outputs, each with its output, up to the end or to one that was cut off."""
    while len(head := answer.read(HEAD.size)) == HEAD.size:
        output, size = HEAD.unpack(head)
        yield output, answer.read(size)
