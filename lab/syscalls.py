"""System calls of a tunnel's ends, counted by a tracepoint while something runs."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    from lab.tunnel import Tunnel

ENDS = ("server", "client")


@contextmanager
def counting(tunnel: Tunnel, *, limit: float) -> Iterator[dict[str, dict[str, int]]]:
    """Count from entry to exit: the dictionary yielded is filled, `{end: {name: count}}`, when the block is left.

    Raises:
        LabError: the tracepoint could not be armed; in the meter's own words.
    """
    spaces = {_namespace(tunnel, end): end for end in ENDS}
    counts: dict[str, dict[str, int]] = {end: {} for end in ENDS}
    client = tunnel.bed.engine.client.api
    argv = ["syscalls", f"{limit + 10:.0f}", *spaces]
    job = client.exec_create(tunnel.meter.id, argv)["Id"]
    output = client.exec_start(job, stream=True, demux=True)
    lines = _lines(output)
    said = ""
    for said in lines:
        if said == "ready":
            break
    else:
        raise LabError(f"system calls could not be counted: {said}")
    try:
        yield counts
    finally:
        tracer = client.exec_inspect(job)
        if tracer["Running"]:  # its number is the machine's, whose process namespace the meter shares
            tunnel.bed.engine.execute(tunnel.meter, ["kill", "-INT", str(tracer["Pid"])])
        counts |= parse("\n".join(lines), spaces)
    if status := client.exec_inspect(job)["ExitCode"]:
        raise LabError(f"system calls were not counted to the end: the tracer exited with {status}")


def parse(text: str, spaces: dict[str, str]) -> dict[str, dict[str, int]]:
    """What `images/meter/syscalls` printed, by end and name."""
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for space, name, count in re.findall(r"^(\d+) (\S+) (\d+)$", text, re.MULTILINE):
        counts[spaces[space]][name] = int(count)
    return {end: dict(sorted(counts[end].items())) for end in spaces.values()}


def _namespace(tunnel: Tunnel, end: str) -> str:
    """The number of the process namespace of an end."""
    link = tunnel.execute(end, ["readlink", "/proc/self/ns/pid"]).stdout
    return re.sub(r"\D", "", link)


def _lines(output: Iterator[tuple[bytes | None, bytes | None]]) -> Iterator[str]:
    """The lines of both streams of an exec as they arrive; complaints of either are of interest."""
    rest = ""
    for stdout, stderr in output:
        rest += (stdout or b"").decode(errors="replace") + (stderr or b"").decode(errors="replace")
        *whole, rest = rest.split("\n")
        yield from whole
    if rest:
        yield rest
