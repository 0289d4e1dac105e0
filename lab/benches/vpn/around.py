# SPDX-License-Identifier: MIT
"""What is read around a load: the counters of its containers, their wire, and the clock and CPU of their machine.

`bracket` (images/base) reads it beside the load, on the client's machine. Where the server is on another one, a second
bracket runs there: it begins before the load, and ends when it is told to, after it. Meanwhile nothing is started on
that machine. The time by which it is longer that machine is idle.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from lab.benches.vpn.cpu_ledger import Bracket
from lab.core.command import Result
from lab.core.errors import LabError

BESIDE = {"server-load": "server", "client-load": "client"}
"""The load container beside each endpoint. The meter may enter it, so the wire is watched from there."""
UNTIL_TOLD = ["bash", "-c", "echo begun; read -r _"]
"""The load of a second bracket: it is over when its input says so."""


def bracket(delay: float, explained: str, watched: Iterable[str], containers: Iterable[str]) -> list[str]:
    """The command that reads around one which follows it: see images/base/bracket."""
    return ["bracket", f"{delay:.6f}", explained, *watched, "--", *containers, "--"]


def watched(roles: Mapping[str, str]) -> list[str]:
    """Those of the containers, by their roles, from which the meter watches the wire."""
    return [number for number, role in roles.items() if role in BESIDE]


def snapshots(stderr: str, roles: Mapping[str, str]) -> list[dict[str, Any]]:
    """The two snapshots that `bracket` passed on from the meter, with endpoint names instead of container ids."""
    readings = [json.loads(line) for line in re.findall(r"^snapshot (\{.*\})$", stderr, re.MULTILINE)[-2:]]
    for reading in readings:
        reading["ends"] = {roles[container]: counters for container, counters in reading["ends"].items()}
    return readings


def wire_seen(stderr: str, roles: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """The unexplained packets that the meter saw on the wire, as `bracket` passed them on, by endpoint."""
    line = re.findall(r"^wire (\{.*\})$", stderr, re.MULTILINE)[-1]
    return {BESIDE.get(roles[container], roles[container]): counts for container, counts in json.loads(line).items()}


def joined(load: Mapping[str, Any], far: Result, roles: Mapping[str, str]) -> dict[str, Any]:
    """A load with what a second bracket read on the server's machine.

    Its containers are among the others. What is the machine's own stands apart, as `far`.

    Raises:
        LabError: nothing was read there; with what it said.
    """
    if far.status:
        complaint = Bracket.strip(far.stderr) or f"exit {far.status}"
        raise LabError(f"the server's machine could not be read around the load: {complaint}")
    whole: dict[str, Any] = dict(load)
    apart: dict[str, Any] = {"stderr": Bracket.only(far.stderr)}
    for time, reading in zip(("before", "after"), snapshots(far.stderr, roles), strict=True):
        whole[time] = {**load[time], "ends": {**load[time]["ends"], **reading.pop("ends")}}
        apart[time] = reading
    return whole | {"wire": {**load["wire"], **wire_seen(far.stderr, roles)}, "far": apart}
