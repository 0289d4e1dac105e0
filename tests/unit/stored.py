# SPDX-License-Identifier: MIT
"""Samples and a run, to be stored and damaged."""

from __future__ import annotations

from typing import Any

from lab.results.store import Store


def sample(position: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "run": "r1", "block": max(position, 0), "position": position,
        "vpn": "alpha", "variant": "udp", "suite": "strong",
        "measure": "throughput", "conditions": "direction=up streams=1", "records": "user", "engine": "host",
        "clock": "wall", "outcome": "ok", "reason": "",
        "readings": [
            {"metric": "throughput", "unit": "Mbit/s", "end": "server", "value": 405.285264437},
            {"metric": "retransmits", "unit": "count", "end": "client", "value": 7},
        ],
        "raw": {"stdout": "line\nbreak, “quotes”, \u2028"},
        **changes,
    }  # fmt: skip


def unsupported(position: int = -1) -> dict[str, Any]:
    return sample(position, suite="odd", outcome="unsupported", reason="has no odd", readings=[])


def damage(store: Store, old: str, new: str) -> None:
    text = store.samples.read_text(encoding="utf-8")
    assert old in text
    store.samples.write_text(text.replace(old, new, 1), encoding="utf-8")
