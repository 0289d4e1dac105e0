# SPDX-License-Identifier: MIT
"""Draws pictures beside whoever asks, in a process of its own: drawing takes seconds, and holds Python's lock.

The process imports nothing of the lab. It reads its orders as JSON and answers with the files, in the same order.
"""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import vl_convert

from lab.core.errors import LabError

SCALE = 1.5
"""Pixels of a PNG to one of the picture."""
Order = tuple[dict[str, Any], str]
"""A picture's specification, and what it shall be: `png` or `svg`."""


def drawn(chart: dict[str, Any], kind: str) -> bytes:
    """A picture's specification as `png` or `svg`, without date or version."""
    if kind == "svg":
        return _numbered(vl_convert.vegalite_to_svg(chart)).encode()
    return bytes(vl_convert.vegalite_to_png(chart, scale=SCALE))


def _numbered(svg: str) -> str:
    """The names of a picture's parts, numbered from 0: Vega numbers on from the picture that it drew before."""
    names: dict[str, str] = {}
    return re.sub(r"\b(clip|gradient_)\d+\b", lambda part: names.setdefault(part[0], f"{part[1]}{len(names)}"), svg)


@contextmanager
def beside(orders: Sequence[Order]) -> Iterator[Future[list[bytes]]]:
    """The pictures, drawn while the caller does something else; what goes wrong is raised by `result`."""
    with ThreadPoolExecutor(1) as waiting:
        yield waiting.submit(_drawn, orders)


def _drawn(orders: Sequence[Order]) -> list[bytes]:
    if not orders:
        return []
    # -P: a file of this folder must not stand for a module of the same name that a library wants.
    command = [sys.executable, "-P", __file__]
    ended = subprocess.run(command, input=json.dumps(orders).encode(), stdout=subprocess.PIPE, check=False)
    if ended.returncode:
        raise LabError(f"the process that draws the pictures ended with {ended.returncode}")
    return [base64.b64decode(picture) for picture in json.loads(ended.stdout)]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # who asked is interrupted too, and says so: no traceback of this one
    json.dump([base64.b64encode(drawn(*order)).decode() for order in json.load(sys.stdin)], sys.stdout)
