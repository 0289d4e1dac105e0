# SPDX-License-Identifier: MIT
"""What a guest takes to come up, and how well the instruction clock repeats itself.

    python benchmarks/guest.py --vpns plain,wireguard --blocks 1

Prints the seconds until a guest's engine answers, on either clock; the size of a guest's disk; the seconds that a
tunnel takes to come up in it; and, for every throughput cell of two runs with one seed, the ratio of the second to the
first. The two run beside each other, so that neither has the machine to itself.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lab.benches.vpn.tunnel import tunnel
from lab.catalog.catalog import Catalog
from lab.engines import guest_disks, opening
from lab.engines.choice import Choice, Clock
from lab.engines.engine import connect
from lab.engines.guest import VOLUME
from lab.results.store import Store
from lab.testbed import testbed
from lab.testbed.meter import Meter

LAB = str(Path(sys.executable).with_name("lab"))
CLOCKS: tuple[Clock, ...] = ("wall", "instructions")
NEAR = 0.01
"""How far apart two runs with one seed may be on the instruction clock."""


def main() -> None:
    """Measure each, and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--vpns", default="", help="the VPNs of the two runs; all where none is named")
    arguments.add_argument("--ciphers", default="aes-128-gcm,chacha20-poly1305", help="their suites")
    arguments.add_argument("--blocks", type=int, default=1, help="their blocks")
    chosen = arguments.parse_args()
    table = Table("what", "figure", "note", title="Guests", title_justify="left")
    guest_disks.ready(connect(), print)
    for clock in CLOCKS:
        table.add_row(*up(clock), "from `lab vm up` to an engine that answers; the disk was there")
    table.add_row("guest's disk", disk_size(), "with every image; taken, not pretended")
    table.add_row(
        "bring-up", f"{bring_up():.1f} s", "instructions; containers, handshake and first answer, median of 3"
    )
    with tempfile.TemporaryDirectory(prefix="lab-benchmark-") as folder:
        first, second = both(Path(folder), chosen.vpns, chosen.ciphers, chosen.blocks)
    ratios = {cell: second[cell] / first[cell] for cell in first.keys() & second.keys()}
    within = sum(abs(ratio - 1) <= NEAR for ratio in ratios.values())
    table.add_row("repeatability", f"{within} of {len(ratios)}", f"throughput cells within {NEAR:.0%}, one seed")
    for cell in sorted(ratios, key=lambda cell: abs(ratios[cell] - 1)):
        table.add_row("", f"{ratios[cell]:.4f}", f"{first[cell]:.1f} Mbit/s; {cell}")
    Console().print(table)


def up(clock: Clock) -> tuple[str, str]:
    """Seconds until the engine of a new guest answers."""
    began = time.monotonic()
    with opening.opened(Choice(name="vm", clock=clock), print) as engine:
        took = time.monotonic() - began
        return f"guest, {clock} clock, {engine.facts['guest']['accelerator']}", f"{took:.0f} s"


def disk_size() -> str:
    """Bytes that the newest disk takes."""
    size = connect().once(
        "lab/vm:latest", ["sh", "-c", "du -B1 $(ls -t /disks/*.disk | head -n 1)"],
        volumes={VOLUME: {"bind": "/disks", "mode": "ro"}},
    )  # fmt: skip
    return f"{int(size.stdout.split()[0]) / 1e6:.0f} MB"


def bring_up() -> float:
    """Seconds of this machine that one tunnel takes to come up in a guest."""
    catalog = Catalog()
    vpn = next(vpn for vpn in catalog.vpns.values() if not vpn.file.control)
    variant = next(iter(vpn.file.variants))
    suite = next(suite for suite in catalog.suites.values() if suite.quick and not vpn.why_not(variant, suite))
    took = []
    with (
        opening.opened(Choice(name="vm", clock="instructions"), print) as engine,
        testbed.opened(engine, "benchmark") as bed,
    ):
        meter = Meter(bed)
        for _ in range(3):
            began = time.monotonic()
            with tunnel(bed, meter, vpn, variant, suite, catalog.wires["whole"]):
                took.append(time.monotonic() - began)
    return sorted(took)[1]


def both(results: Path, vpns: str, ciphers: str, blocks: int) -> list[dict[str, float]]:
    """Mbit/s of every throughput cell, by cell and block, of two runs with one seed, beside each other."""
    argv = [LAB, "matrix", "--engine", "vm", "--clock", "instructions", "--measures", "throughput", "--duration", "1"]
    argv += ["--vpns", vpns, "--ciphers", ciphers, "--blocks", str(blocks), "--seed", "1", "--results"]
    folders = [results / name for name in ("first", "second")]
    with ExitStack() as stack:
        runs = [stack.enter_context(subprocess.Popen([*argv, str(folder)], stdout=sys.stderr)) for folder in folders]
        failed = [run.args for run in runs if run.wait()]
    if failed:
        sys.exit(f"failed: {failed}")
    return [speeds(run) for folder in folders for run in folder.iterdir()]


def speeds(run: Path) -> dict[str, float]:
    """Mbit/s of every throughput cell of a run, by cell and block."""
    return {
        f"{sample['vpn']} {sample['variant']} {sample['suite']} block {sample['block'] + 1}": reading["value"]
        for sample in Store(run).read()
        for reading in sample.get("readings", [])
        if reading["metric"] == "throughput"
    }


if __name__ == "__main__":
    main()
