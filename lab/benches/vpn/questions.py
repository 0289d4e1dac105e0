# SPDX-License-Identifier: MIT
"""What both endpoints of a tunnel are asked by the VPN's proof: their suite, and their own counters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from lab.benches.vpn import clients, proof
from lab.catalog.vpns import Ends, Probe
from lab.core.command import Result
from lab.core.errors import LabError

if TYPE_CHECKING:
    from lab.benches.vpn.tunnel import Tunnel

Question = Literal["suite", "counters"]


def answers(tunnel: Tunnel, question: Question) -> dict[str, tuple[str, Result]]:
    """Ask both endpoints one question, in parallel: by endpoint, the pattern and the answer.

    With several clients, both are asked for each that is loaded.
    """
    ends: Ends | None = getattr(tunnel.vpn.proof(tunnel.variant), question)
    if ends is None:
        return {}
    probes: dict[str, Probe] = {"server": ends.server, "client": ends.client}
    jobs = {end: tunnel.bed.pool.submit(_each, tunnel, end, probe.run) for end, probe in probes.items()}
    return {
        clients.at_server(clients.name(number)) if end == "server" else clients.name(number): (probe.match, answer)
        for end, probe in probes.items()
        for number, answer in jobs[end].result().items()
    }


def _each(tunnel: Tunnel, end: str, argv: Sequence[str]) -> dict[int, Result]:
    """What a command that only reads prints at an endpoint, for each loaded client."""
    if tunnel.clients is None:
        return {1: tunnel.ask(end, argv)}
    return tunnel.clients.ask(tunnel.containers[end], tunnel.loaded, argv)


def counters(tunnel: Tunnel) -> dict[str, dict[str, int]]:
    """The VPN's own byte counters by endpoint (`rx`, `tx`); empty if it has none.

    Raises:
        LabError: one endpoint did not report its counters; with its answer.
    """
    found = {}
    for end, (match, answer) in answers(tunnel, "counters").items():
        found[end] = proof.named(match, answer.stdout)
        if not found[end]:
            raise LabError(f"the {end}'s own counters were not found: {failure(answer)}")
    return found


def failure(answer: Result) -> str:
    """An answer that lacked what was asked for, in words."""
    return f"status {answer.status}: {answer.complaint}"
