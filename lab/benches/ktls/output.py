# SPDX-License-Identifier: MIT
"""The output of `ktls-bench`, and the figures in it. Pure.

CPU time and wall time are separate figures; so are sent and received.

All seconds are of the engine's clock: on the instruction clock a nanosecond is an instruction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lab.benches.ktls import cells
from lab.core.command import Result
from lab.core.errors import InvalidSample, LabError, Unsupported
from lab.results.cell import Cell, parse_conditions
from lab.results.cpu import BUSY, SHOWN
from lab.results.reading import Reading

EXACT = "instructions"
"""The clock on which a second is a count."""
UNSUPPORTED = 77
MEGABYTE = 1e6
ENDS = ("sender", "receiver")
THROUGHPUT, CPU_RATE = "throughput", "cpu_rate"
COST_RECORD, COST_BYTE = "cost_record", "cost_byte"
CHECKS, FAILURES = "checks", "failures"
RATE, CPU = "MB/s", "MB/CPU s"
KERNEL = "af_ktls"


def cost_unit(clock: str) -> str:
    """The unit of a record's cost: instructions, or nanoseconds of CPU time."""
    return "instructions" if clock == EXACT else "ns"


def check(result: Result) -> None:
    """Raise Unsupported if a feature is missing, LabError if the bench failed otherwise.

    Raises:
        Unsupported: the kernel lacks the feature, or no module is loaded. LabError: any other failure.
    """
    if result.status == UNSUPPORTED:
        raise Unsupported(_last(result) or "the bench cannot, and did not say why")
    if result.status:
        raise LabError(_failures(result) or f"the bench ended with {result.status}: {result.complaint}")


def _failures(result: Result) -> str:
    """The failed checks of a verification, in words; empty if the output is not one."""
    try:
        answer = json.loads(result.stdout)
        return f"{answer[FAILURES]} of {answer[CHECKS]} checks failed: {Result(1, '', result.stderr).complaint}"
    except (ValueError, LookupError, TypeError):
        return ""


def _last(result: Result) -> str:
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    return lines[-1].removeprefix("ktls-bench: ") if lines else ""


def parse(text: str) -> dict[str, Any]:
    """The JSON object that the bench prints.

    Raises:
        ValueError: the text is not a JSON object.
    """
    answer = json.loads(text)
    if not isinstance(answer, dict):
        raise ValueError(f"no object: {text[:80]!r}")
    return answer


def prove(said: Mapping[str, Any], cell: Cell) -> None:
    """Check that the bench ran what was requested, and that the cell's path made the records.

    Raises:
        InvalidSample: it did not, or a stream lost bytes. Unsupported: the records had another size.
    """
    scenario, methods = cells.load().scenario[cells.scenario_of(cell)], cells.ends(cell)
    protocol, way = cells.load().protocol[cell.vpn], parse_conditions(cell.conditions)["way"]
    expected = {"scenario": scenario.word, "protocol": protocol.words[1], "tx": methods[0], "rx": methods[1]}
    expected |= {"way" if scenario.payload else "verify": way} | ({} if protocol.raw else {"cipher": cell.suite})
    _same(expected, said)
    if not scenario.payload:
        return
    sent, received = said["sender"]["bytes"], said["receiver"]["bytes"]
    if not sent or not received:
        raise InvalidSample(f"{sent} bytes were sent, {received} arrived")
    if received > sent or (received != sent and not protocol.loses):
        raise InvalidSample(f"{sent} bytes were sent{'' if protocol.loses else ' into a stream'}, {received} came out")
    _counted(said, methods, forwards=bool(scenario.plain))
    if way == "sendfile" and not protocol.raw and said["record_size"] != said["payload"]:
        raise Unsupported(
            f"kernel {said['kernel']} cannot limit the records that its own TLS makes of a file "
            f"(TLS_TX_MAX_PAYLOAD_LEN): {said['record_size']} bytes each"
        )


def _same(wanted: Mapping[str, str], said: Mapping[str, Any]) -> None:
    for key, value in wanted.items():
        if said.get(key) != value:
            raise InvalidSample(f"asked for {key} {value!r}, the bench ran {said.get(key)!r}")


def _counted(said: Mapping[str, Any], methods: tuple[str, str], *, forwards: bool) -> None:
    """The module's counters must contain all bytes, at each endpoint where it should have made the records.

    An endpoint that forwards has both counters: it receives and sends on one socket.
    """
    counters = said.get("ktls") or {}
    for way, method, end in zip(("tx", "rx"), methods, ENDS, strict=True):
        moved = said["sender" if forwards else end]["bytes"]
        counted = (counters.get("tx" if forwards else way) or {}).get(f"{way}_bytes", 0)
        if method == KERNEL and counted < moved:
            raise InvalidSample(f"{way} {KERNEL}: its counters say {counted} bytes of {moved}")


def readings(said: Mapping[str, Any], clock: str, processors: int) -> list[Reading]:
    """Every figure of a sample."""
    if "verify" in said:
        return [Reading(name, "count", "machine", float(said[name])) for name in (CHECKS, FAILURES)]
    rows = [reading for end in ENDS for reading in _end(said[end], end, clock)]
    sent, received = said["sender"], said["receiver"]
    rows.append(Reading("loss", "fraction", "machine", max(0.0, 1 - received["bytes"] / sent["bytes"])))
    rows.append(Reading("setup", "s", "machine", said["handshake_s"]))
    processes = sum(said[end]["user_s"] + said[end]["system_s"] for end in ENDS)
    rows += _machine(said["machine"], processes, received, clock, processors)
    return sorted(rows, key=lambda row: (row.metric != THROUGHPUT, row.end != "receiver"))


def _end(one: Mapping[str, Any], end: str, clock: str) -> list[Reading]:
    """The figures of one endpoint: what it moved, by wall time and by its process's CPU time."""
    cpu_time = one["user_s"] + one["system_s"]
    rows = [
        Reading(THROUGHPUT, RATE, end, one["bytes"] / one["wall_s"] / MEGABYTE),
        Reading("bytes", "B", end, one["bytes"]), Reading("records", "count", end, one["records"]),
        Reading("calls", "count", end, one["calls"]),
        Reading("cpu_user", "s", end, one["user_s"]), Reading("cpu_system", "s", end, one["system_s"]),
        *(Reading(f"context_switches_{kind}", "count", end, one[kind]) for kind in ("voluntary", "involuntary")),
    ]  # fmt: skip
    if cpu_time:
        rows.append(Reading(CPU_RATE, CPU, end, one["bytes"] / cpu_time / MEGABYTE))
    if one["records"]:
        rows += [
            Reading(COST_RECORD, cost_unit(clock), end, cpu_time * 1e9 / one["records"]),
            Reading("calls_record", "calls", end, one["calls"] / one["records"]),
            Reading("switches_record", "switches", end, (one["voluntary"] + one["involuntary"]) / one["records"]),
        ]
    return rows


def _machine(
    states: Mapping[str, Any], processes: float, got: Mapping[str, Any], clock: str, processors: int
) -> list[Reading]:
    """The figures of the whole machine: its softirqs belong to neither endpoint. Cost is by what arrived.

    `processes`: seconds that the processes of both endpoints ran; this is exact.
    """
    seconds = {key: states[f"{key}_s"] for key in (*SHOWN, "nice")}
    rows = [Reading("wall", "s", "machine", states["wall_s"])]
    shown = seconds | {"user": seconds["user"] + seconds["nice"]}
    rows += [Reading(f"cpu_{state}", "s", "machine", shown[state]) for state in SHOWN]
    # The clock counts what its processor executes: all time that was not idle was busy. Idle time has a resolution of
    # 10 ms. The time of the two processes is exact, so busy time is at least that.
    awake = max(processes, states["wall_s"] * processors - seconds["idle"] - seconds["iowait"])
    busy = awake if clock == EXACT else sum(seconds[state] for state in BUSY)
    if got["records"] and busy:
        unit = cost_unit(clock)
        rows.append(Reading(COST_RECORD, unit, "machine", busy * 1e9 / got["records"]))
        rows.append(Reading(COST_BYTE, unit, "machine", busy * 1e9 / got["bytes"]))
        rows.append(Reading(CPU_RATE, CPU, "machine", got["bytes"] / busy / MEGABYTE))
    return rows
