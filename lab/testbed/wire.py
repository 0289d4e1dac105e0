# SPDX-License-Identifier: MIT
"""How packets pass the wire: `whole`, as between containers, or `cut`, as on a cable.

Between the network namespaces of one machine nothing ever cuts what a stack handed over as one: a run of TCP segments,
or a train of datagrams, arrives as it left. A data path that profits from that must be measured without it too. `cut`
takes the segmentation offloads from the sender, so that every packet passes by itself, cut in the last step before the
wire; and the receiver joins them again as far as it can (GRO), as behind any network card. That takes two things of
`veth` (drivers/net/veth.c, veth_skb_is_eligible_for_gro): GRO on the receiver, and no TSO on the other end of the pair,
which is the machine's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from lab.core.errors import LabError

if TYPE_CHECKING:  # the command line is built from the names alone
    from docker.models.containers import Container

    from lab.testbed.testbed import Testbed

Wire = Literal["whole", "cut"]

END = """
set -e
features=$(ethtool --show-features eth0)
segmentation=$(sed -nE 's/^\\t?(tx-[a-z0-9_-]*segmentation): (on|off)$/\\1/p' <<<"$features")
for feature in $segmentation; do
    set -- "$@" "$feature" "$1"
done
gro=off
[ "$1" = on ] || gro=on
shift
ethtool --features eth0 "$@" gro "$gro"
features=$(ethtool --show-features eth0)
left=$(grep -E 'tx-.*segmentation: on' <<<"$features" || :)
[ "$gro" = off ] || [ -z "$left" ] || { echo "eth0 keeps" $left >&2; exit 1; }
cat /sys/class/net/eth0/iflink
"""
"""At an end, with `on` or `off` for its segmentation offloads; prints the other end of the pair."""

HOST = """
set -e
state=$1
shift
for index; do
    name=$(ip -oneline link | sed -nE "s/^$index: ([^:@]+).*/\\1/p")
    ethtool --features "$name" tso "$state"
done
"""
"""At the machine, for the other ends of the pairs."""


def put(bed: Testbed, ends: Mapping[str, Container], wire: Wire) -> None:
    """Let packets pass between the ends as `wire` says.

    Raises:
        LabError: the machine's kernel does not do it; with what it said.
    """
    state = "on" if wire == "whole" else "off"
    jobs = [bed.pool.submit(_ask, bed, f"container:{end.id}", END, [state]) for end in ends.values()]
    _ask(bed, "host", HOST, [state, *(job.result() for job in jobs)])


def _ask(bed: Testbed, network: str, script: str, words: list[str]) -> str:
    argv = ["bash", "-c", script, "wire", *words]
    result = bed.engine.once("lab/base:latest", argv, network_mode=network, cap_add=["NET_ADMIN"])
    if result.status:
        raise LabError(f"the wire's offloads could not be changed: {result.complaint}")
    return result.stdout.strip()
