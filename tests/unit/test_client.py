# SPDX-License-Identifier: MIT
"""What a command prints arrives whole, however the engine's answer is cut on its way."""

from __future__ import annotations

import json
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, cast

import pytest

from lab.core.command import Result
from lab.engines.client import Client
from lab.engines.engine import END, Engine

HEAD = (
    b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n"
    b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
)
OUT, ERR = 1, 2
CONTAINER = {"Id": "c0", "Name": "/c0", "State": {"Status": "running"}}


def piece(stream: int, text: str) -> bytes:
    return struct.pack(">BxxxL", stream, len(text)) + text.encode()


PRINTED = [piece(OUT, "negotiated 1\n"), piece(ERR, "a warning\n"), piece(OUT, "suite\n" + END), piece(ERR, END)]


class Answer(BaseHTTPRequestHandler):
    """An engine that has one container, whose command prints what it is told to, in parts."""

    parts: tuple[bytes, ...] = ()

    def address_string(self) -> str:
        return ""

    def log_message(self, *words: Any) -> None:
        """Nothing."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("/start"):
            for part in self.parts:
                self.wfile.write(part)
            self.close_connection = True
        else:
            self._json({"Id": "e0"})

    def do_GET(self) -> None:
        self._json({"ExitCode": 3} if "/exec/" in self.path else CONTAINER)

    def _json(self, body: Any) -> None:
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@contextmanager
def engine(folder: Path, *parts: bytes) -> Iterator[Engine]:
    path = folder / "engine.sock"
    with Server(str(path), cast(Any, type("Saying", (Answer,), {"parts": parts}))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        client = Client(base_url=f"unix://{path}", version="1.41")
        try:
            yield Engine(client)
        finally:
            client.close()
            server.shutdown()
            thread.join()


def said(engine: Engine) -> Result:
    return engine.execute(engine.client.containers.get("c0"), ["show"])


@pytest.mark.parametrize(
    "cut",
    [
        lambda whole: [HEAD + whole],
        lambda whole: [HEAD, whole],
        lambda whole: [HEAD + whole[:25], whole[25:]],
        lambda whole: [HEAD + whole[:3], whole[3:]],
        lambda whole: [(HEAD + whole)[at : at + 1] for at in range(len(HEAD + whole))],
    ],
    ids=["at once", "after the head", "in a piece", "in the head of a piece", "byte by byte"],
)
def test_an_output_is_whole(tmp_path: Path, cut: Callable[[bytes], list[bytes]]) -> None:
    with engine(tmp_path, *cut(b"".join(PRINTED))) as it:
        assert said(it) == Result(3, "negotiated 1\nsuite\n", "a warning\n")


def test_both_outputs_as_one(tmp_path: Path) -> None:
    with engine(tmp_path, HEAD + b"".join(PRINTED)) as it:
        assert (
            it.client.containers.get("c0").exec_run(["show"]).output
            == f"negotiated 1\na warning\nsuite\n{END}{END}".encode()
        )


def test_an_output_that_ends_too_early_is_lost(tmp_path: Path) -> None:
    with engine(tmp_path, HEAD + b"".join(PRINTED[:3])) as it:
        result = said(it)
    assert (result.out, result.err, result.lost) == ("negotiated 1\nsuite\n", None, True)


def test_a_command_may_be_silent_for_longer_than_a_request_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float | None] = []

    def read(socket: Any, *words: Any, **options: Any) -> Any:
        limits.append(socket.raw._sock.gettimeout())
        return iter(())

    monkeypatch.setattr("lab.engines.client._pieces", read)
    with engine(tmp_path, HEAD, *PRINTED) as it:
        assert it.client.api.timeout == 60
        said(it)
    assert limits == [None]
