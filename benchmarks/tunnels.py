# SPDX-License-Identifier: MIT
"""Whether the lab's own cost of many tunnels is linear: its seconds for a tunnel at many, as a ratio to those at few.

Run it on a quiet machine: `.venv/bin/python benchmarks/tunnels.py [--few N] [--many N] [--vpn NAME]`. Both are measured
within one run, turn about. Counted is what a group of tunnels takes from nothing to nothing, without the VPN's own
time from the first start to the last answer. A ratio under 1 is what is there once; one well above it grows faster
than the number of tunnels.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

from lab.benches.vpn import sandbox
from lab.benches.vpn.measures import setup
from lab.benches.vpn.tunnel import tunnel
from lab.catalog.catalog import Catalog
from lab.engines.engine import connect
from lab.testbed import credentials, testbed
from lab.testbed.meter import Meter


def main() -> None:
    """Measure both numbers of tunnels, and print the seconds for one and their ratio."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--few", type=int, default=10, help="the smaller number of tunnels")
    arguments.add_argument("--many", type=int, default=100, help="the larger number of tunnels")
    arguments.add_argument("--times", type=int, default=3, help="how often each is measured")
    arguments.add_argument("--vpn", default="plain", help="the VPN; `plain` has no time of its own")
    chosen = arguments.parse_args()
    catalog, engine = Catalog(), connect()
    vpn, variant, suite = sandbox.choose(catalog, chosen.vpn, None, None)
    numbers = (chosen.few, chosen.many)
    seconds: dict[int, list[float]] = {number: [] for number in numbers}
    with testbed.opened(engine, "benchmark", clients=chosen.many) as bed:
        meter = Meter(bed)
        for _ in range(chosen.times):
            for number in numbers:
                started = time.monotonic()
                with tunnel(bed, meter, vpn, variant, suite, catalog.wires["whole"], number) as this:
                    own = next(each.value for each in setup.parse({"setup": this.setup}) if each.metric == "ready")
                seconds[number].append((time.monotonic() - started - own) / number)
    report("tunnels", {number: median(seconds[number]) for number in numbers})
    report("keys", {number: timed(number) / number for number in numbers})


def timed(clients: int) -> float:
    """Seconds to make the secrets of so many clients."""
    started = time.monotonic()
    credentials.make(clients)
    return time.monotonic() - started


def report(what: str, each: dict[int, float]) -> None:
    """One line: the seconds for one of few and one of many, and their ratio."""
    (few, first), (many, last) = each.items()
    print(f"{what}: {first:.3f} s each of {few}, {last:.3f} s each of {many}, ratio {last / first:.2f}")


if __name__ == "__main__":
    main()
