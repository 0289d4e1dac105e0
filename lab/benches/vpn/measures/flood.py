# SPDX-License-Identifier: MIT
"""Flood: what is left for the other clients of a server when one sends as fast as it can.

All tunnels but the first carry a TCP stream each, twice: with the first one idle, and while it sends datagrams without
a limit. What the others keep is the server's doing, and the machine's: it shares its processors and queues among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lab.benches.vpn.measures import Loaded, Timed, headers
from lab.benches.vpn.measures.datagrams import Trial
from lab.benches.vpn.measures.throughput import fairness, reports, result
from lab.core.errors import InvalidSample, Unsupported
from lab.results.cell import TUNNELS, conditions_text
from lab.results.quantity import Quantity
from lab.results.reading import Reading
from lab.runner.forecast import Load

if TYPE_CHECKING:
    from lab.benches.vpn.tunnel import Tunnel

TITLE = "throughput beside a flood"
FIGURES = (
    Quantity("kept", "fraction", "throughput that the others keep beside a flood", "more"),
    Quantity("calm", "Mbit/s", "the others without it"),
    Quantity("beside", "Mbit/s", "the others beside it"),
    Quantity("flood", "Mbit/s", "what arrives of the flood"),
    Quantity("fairness", "index"),
)
SIZE = 1400
"""Bytes of the flood's packets: so many pass every tunnel in one piece."""
LONGER = 3
"""Seconds by which the flood is longer than the streams: it begins before, and ends after them."""
FLOOD = r"""
address=$1 seconds=$2 length=$3
shift 3
report=$(mktemp /run/flood.XXXXXX)
trap 'rm -f "$report"' EXIT
iperf3 --client "$address" --udp --bitrate 0 --length "$length" --time "$seconds" --interval 0 --json >"$report" &
flood=$!
flows() { [[ -n $(ss -Hun state connected dst "$1" dport = 5201) ]]; }
export -f flows
if wait-until 5 bash -c 'flows "$1"' bash "$address"; then
    "$@"
    status=$?
else
    echo "the flood to $address did not begin" >&2
    status=1
fi
wait "$flood" || status=$?
cat "$report"
exit "$status"
"""
"""Runs a command while datagrams flow, to the server of iperf3 that every tunnel has; then prints iperf3's report."""


class Options(Timed, Loaded):
    """The duration of the streams, and the numbers of tunnels and loads. The flood is one of the loads."""


def conditions(options: Options) -> list[str]:
    """Each number of tunnels, from two on."""
    return [conditions_text(options.of(tunnels) or {TUNNELS: tunnels}) for tunnels in options.tunnels]


def load(options: Options) -> Load:
    """The streams, twice."""
    return Load(seconds=2 * options.duration + LONGER)


def run(tunnel: Tunnel, conditions: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Send by all loaded tunnels but the first, without and with its flood. `load` is the second time.

    Raises:
        Unsupported: there is no other tunnel.
    """
    if tunnel.clients is None or len(tunnel.loaded) < 2:
        raise Unsupported("a flood takes a second tunnel: `--tunnels 2`, and `--loads 2`")
    streams = ["--client", tunnel.address("server"), "--time", str(options.duration), "--interval", "0", "--json"]
    command = tunnel.streaming(streams, tunnel.loaded[1:])
    limit = 2 * options.duration + LONGER + 15 + len(tunnel.loaded)
    calm = tunnel.load(command, timeout=limit)
    words = [tunnel.address("server"), str(options.duration + LONGER), str(SIZE - headers(tunnel))]
    load = tunnel.load(["bash", "-c", FLOOD, "flood", *words, *command], timeout=limit)
    *others, flood = reports(load["stdout"])
    arrived = Trial.read(0, flood)
    shares = [arrived.arrived * arrived.length, *(result(report).received_bytes for report in others)]
    return {"calm": calm, "load": load, "direction": "up", "shares": shares}


def parse(raw: Mapping[str, Any]) -> list[Reading]:
    """Mbit/s of all other streams together without and beside the flood, the share that they keep; and of the flood.

    `fairness` is that among the others beside the flood: `lab.benches.vpn.measures.throughput.fairness`.

    Raises:
        LabError: iperf3 reported an error.
        InvalidSample: nothing arrived without the flood.
    """
    *others, flood = reports(raw["load"]["stdout"])
    calm = sum(result(report).received_bps for report in reports(raw["calm"]["stdout"])) / 1e6
    rates = [result(report).received_bps / 1e6 for report in others]
    if not calm:
        raise InvalidSample("iperf3 received nothing")
    return [
        Reading("kept", "fraction", "server", sum(rates) / calm),
        Reading("calm", "Mbit/s", "server", calm),
        Reading("beside", "Mbit/s", "server", sum(rates)),
        Reading("flood", "Mbit/s", "server", Trial.read(0, flood).received / 1e6),
        *([Reading("fairness", "index", "server", fairness(rates))] if any(rates) else []),
        Reading("payload", "B", "machine", sum(raw["shares"])),
    ]
