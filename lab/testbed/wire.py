# SPDX-License-Identifier: MIT
"""The wire between two ends: laid before anything is started there, and shaped while a sample is taken.

Between the network namespaces of one machine nothing ever cuts what a stack handed over as one: a run of TCP segments,
or a train of datagrams, arrives as it left. A data path that profits from that must be measured without it too. Every
wire but a `whole` one takes the segmentation offloads from the sender, so that every packet passes by itself, cut in
the last step before the wire; and the receiver joins them again as far as it can (GRO), as behind any network card.
That takes two things of `veth` (drivers/net/veth.c, veth_skb_is_eligible_for_gro): GRO on the receiver, and no TSO on
the other end of the pair, which is the machine's own.

What delays, loses or limits packets (netem) sits at that other end of the receiver's pair, as in a router between the
two. On the sender's own interface it would stand before the cut: a train would be lost, or counted, as one packet. And
a full queue there is no loss to a sender, who is told at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from docker.models.containers import Container

from lab.catalog.wires import Way, Wire, fits
from lab.core.errors import LabError
from lab.testbed.testbed import Testbed

RECEIVER: dict[Way, str] = {"up": "server", "down": "client"}

END = """
set -e
[ -z "$1" ] || ip link set dev eth0 mtu "$1"
features=$(ethtool --show-features eth0)
segmentation=$(sed -nE 's/^\\t?(tx-[a-z0-9_-]*segmentation): (on|off)$/\\1/p' <<<"$features")
set --
for feature in $segmentation; do
    set -- "$@" "$feature" off
done
ethtool --features eth0 "$@" gro on
features=$(ethtool --show-features eth0)
left=$(grep -E 'tx-.*segmentation: on' <<<"$features" || :)
[ -z "$left" ] || { echo "eth0 keeps" $left >&2; exit 1; }
cd /sys/class/net/eth0
echo "$(<iflink) $(<mtu)"
"""
"""At an end, with its MTU, which may be empty; prints the index of the other end of the pair, and the MTU it has."""

PAIR = """
set -e
name() { ip -oneline link | sed -nE "s/^$1: ([^:@]+).*/\\1/p"; }
"""
"""At the machine: the other end of a pair, by its index."""
HOST = f"""{PAIR}
mtu=$1
shift
for index; do
    other=$(name "$index")
    [ -z "$mtu" ] || ip link set dev "$other" mtu "$mtu"
    ethtool --features "$other" tso off
done
"""
"""With the MTU, which may be empty, and the pairs: a frame that is longer than an end may send is lost at the other."""
SHAPE = f"""{PAIR}
while (($#)); do
    index=$1 count=$2
    shift 2
    tc qdisc add dev "$(name "$index")" root netem "${{@:1:count}}"
    shift "$count"
    tc -json -statistics qdisc show dev "$(name "$index")" root
done
"""
"""For each pair its index, a number, and so many options of netem. Prints what there is then, a line a pair."""
LIFT = f"""{PAIR}
for index; do
    tc -json -statistics qdisc show dev "$(name "$index")" root
    tc qdisc del dev "$(name "$index")" root
done
"""
"""Prints the same, with what has passed."""


@dataclass(frozen=True)
class Laid:
    """A wire that lies between two ends, each with the index of the other end of its pair, and its MTU."""

    bed: Testbed
    wire: Wire
    pairs: Mapping[str, str]
    mtus: Mapping[str, int]

    @contextmanager
    def shaping(self, seed: int) -> Iterator[dict[str, Any]]:
        """Do to packets what the wire does, until the block ends. Yields evidence: the MTU, what `tc` says of each way.

        At the end that has the counters of all that has passed. A block that fails leaves its ends as they are: they
        are not used again.

        Raises:
            LabError: the kernel does not do it, or something else.
        """
        evidence = {"mtu": dict(self.mtus)} | self.shape(seed) if self.pairs else {}
        yield evidence
        evidence |= self._shown(LIFT, [self.pairs[RECEIVER[way]] for way in self.wire.shaped])

    def shape(self, seed: int) -> dict[str, Any]:
        """Begin with it; raises what `shaping` raises. The fate of the n-th packet of a way depends on `seed` alone."""
        words = []
        for number, way in enumerate(self.wire.shaped):
            options = self.wire.way(way).words(seed + number)
            words += [self.pairs[RECEIVER[way]], str(len(options)), *options]
        shown = self._shown(SHAPE, words)
        for way in self.wire.shaped:
            if wrong := fits(self.wire.way(way), shown[way]):
                raise LabError(f"the wire {self.wire.wire} is not as asked for, {way}: {wrong}")
        return shown

    def _shown(self, script: str, words: list[str]) -> dict[str, Any]:
        """What a script at the machine prints of each way; nothing of a wire that only cuts."""
        lines = _ask(self.bed, "host", script, words).splitlines() if words else []
        return {way: json.loads(line)[0] for way, line in zip(self.wire.shaped, lines, strict=True)}


def lay(bed: Testbed, ends: Mapping[str, Container], wire: Wire) -> Laid:
    """Lay a wire between two new ends, which nothing has used yet: as it is, packets pass it whole.

    Raises:
        LabError: the machine's kernel does not do it; with what it said.
    """
    if wire.whole:
        return Laid(bed, wire, {}, {})
    mtu = str(wire.mtu or "")
    jobs = {name: bed.pool.submit(_ask, bed, f"container:{end.id}", END, [mtu]) for name, end in ends.items()}
    told = {name: job.result().split() for name, job in jobs.items()}
    pairs = {name: index for name, (index, _) in told.items()}
    _ask(bed, "host", HOST, [mtu, *pairs.values()])
    return Laid(bed, wire, pairs, {name: int(found) for name, (_, found) in told.items()})


def _ask(bed: Testbed, network: str, script: str, words: list[str]) -> str:
    argv = ["bash", "-c", script, "wire", *words]
    result = bed.engine.once("lab/base:latest", argv, network_mode=network, cap_add=["NET_ADMIN"])
    if result.status:
        raise LabError(f"the wire could not be made: {result.complaint}")
    return result.stdout.strip()
