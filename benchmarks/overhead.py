# SPDX-License-Identifier: MIT
"""What the lab itself costs: its figures against the same commands typed by hand, and where its time goes.

Run it on a quiet machine: `.venv/bin/python benchmarks/overhead.py [--pairs N] [--duration S]`. Everything is compared
within one run, by ratio, because a shared machine is never twice the same.

    by hand / lab      throughput by `docker exec … iperf3` against that of the lab's sample, turn about, in one tunnel
    measuring          share of a sample's wall time in which its load runs
    bring-up           seconds that a fresh tunnel and its removal cost beyond the VPN's own handshake
    lab up             seconds of the whole command, images built
    memory             resident set of the `lab` process after a matrix, in MB
    images             size of each image, with what it stands on and without
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from lab.benches.vpn import requirements
from lab.benches.vpn.measures import throughput
from lab.benches.vpn.tunnel import tunnel
from lab.catalog.catalog import Catalog
from lab.catalog.suites import Suite
from lab.catalog.vpns import Vpn
from lab.engines import images
from lab.engines.engine import Engine, connect
from lab.results.store import Store
from lab.testbed import testbed
from lab.testbed.meter import Meter

LAB = str(Path(sys.executable).with_name("lab"))


def main() -> None:
    """Measure each, and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pairs", type=int, default=5, help="pairs of samples for each VPN")
    arguments.add_argument("--duration", type=int, default=5, help="seconds of a sample")
    chosen = arguments.parse_args()
    catalog, engine = Catalog(), connect()
    lacking = requirements.lacks(engine, list(catalog.vpns.values()))
    vpns = [vpn for name, vpn in catalog.vpns.items() if (name, next(iter(vpn.file.variants))) not in lacking]
    table = Table("what", "figure", "note", title="What the lab costs", title_justify="left")
    with testbed.opened(engine, "benchmark") as bed:
        meter = Meter(bed)
        for vpn in vpns:
            variant, suite = next(iter(vpn.file.variants)), first_suite(catalog, vpn)
            with tunnel(bed, meter, vpn, variant, suite, catalog.wires["whole"]) as this:
                container = str(this.containers["client-load"].name)
                options = throughput.Options(duration=chosen.duration)
                conditions = {"direction": "up", "streams": "1"}
                hand, lab = [], []
                for pair in range(chosen.pairs):
                    for first in (pair % 2, 1 - pair % 2):  # each goes first as often as the other
                        if first:
                            hand.append(by_hand(container, this.address("server"), chosen.duration))
                        else:
                            raw = throughput.run(this, conditions, options)
                            lab.append(throughput.parse(raw)[0].value)
            ratios = sorted(mine / theirs for mine, theirs in zip(lab, hand, strict=True))
            note = (
                f"{median(lab):.0f} / {median(hand):.0f} Mbit/s; {ratios[0]:.3f} to {ratios[-1]:.3f}; n={len(ratios)}"
            )
            table.add_row(f"lab / by hand, {vpn.name} {variant}", f"{median(ratios):.3f}", note)
    whole_run(table, vpns, chosen.duration)
    command(table, vpns)
    sizes(table, engine, catalog)
    Console().print(table)


def first_suite(catalog: Catalog, vpn: Vpn) -> Suite:
    """The first suite that a VPN speaks."""
    return next(suite for suite in catalog.suites.values() if vpn.file.dialect in suite.native)


def by_hand(container: str, address: str, duration: int) -> float:
    """Mbit/s as a person would measure it."""
    argv = ["docker", "exec", container, "iperf3", "-c", address, "-t", f"{duration}", "-J"]
    said = subprocess.run(argv, capture_output=True, check=True, text=True).stdout
    return float(json.loads(said)["end"]["sum_received"]["bits_per_second"]) / 1e6


def whole_run(table: Table, vpns: list[Vpn], duration: int) -> None:
    """A small matrix by the command itself: its share of measuring, its bring-ups, its memory."""
    with tempfile.TemporaryDirectory() as results:
        names = ",".join(vpn.name for vpn in vpns)
        argv = [LAB, "matrix", "--vpns", names, "--ciphers", "aes-128-gcm", "--measures", "throughput", "--blocks", "2"]
        argv += ["--duration", f"{duration}", "--results", results]
        started = time.monotonic()
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        wall = time.monotonic() - started
        samples = list(Store(next(Path(results).iterdir())).read())
    taken = [sample for sample in samples if sample["outcome"] == "ok"]
    loaded = sum(reading["value"] for sample in taken for reading in sample["readings"] if reading["metric"] == "wall")
    phases = [sample["phases"] for sample in taken]
    whole = sum(each[name] for each in phases for name in ("open", "sample", "close"))
    note = f"{loaded:.0f} s of {whole:.0f} s in {len(taken)} samples of {duration} s; the command took {wall:.0f} s"
    table.add_row("measuring", f"{loaded / whole:.0%}", note)
    beyond = [sample["phases"]["open"] + sample["phases"]["close"] - sample["handshake"] for sample in taken]
    table.add_row(
        "bring-up and tear-down", f"{median(beyond):.2f} s", f"beyond the handshake; at most {max(beyond):.2f} s"
    )
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    table.add_row("memory", f"{memory:.0f} MB", "the largest process that this benchmark started, reports included")


def command(table: Table, vpns: list[Vpn]) -> None:
    """Seconds of `lab up` and `lab down`."""
    name = vpns[-1].name
    for argv in ([LAB, "up", name, "--name", "benchmark-up"], [LAB, "down", "--name", "benchmark-up"]):
        started = time.monotonic()
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        table.add_row(f"lab {argv[1]}", f"{time.monotonic() - started:.1f} s", name)


def sizes(table: Table, engine: Engine, catalog: Catalog) -> None:
    """How large the images are: layers that they share are counted once in the sum."""
    shared = engine.client.images.get("lab/base:latest").attrs["Size"]
    total = shared
    for folder in sorted(path.parent for path in (catalog.root / "images").glob("*/Dockerfile")):
        size = engine.client.images.get(images.tag_of(folder)).attrs["Size"]
        total += size - shared
        table.add_row(f"image {folder.name}", f"{size / 1e6:.0f} MB", f"{(size - shared) / 1e6:.0f} MB beyond the base")
    table.add_row("images together", f"{total / 1e6:.0f} MB", "")


if __name__ == "__main__":
    main()
