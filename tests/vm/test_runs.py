# SPDX-License-Identifier: MIT
"""A run whose guest, or whose command, ends in mid-sample: a clear line, nothing left but the samples, and it goes on.

The tests share one run. Each goes on with it where another has begun it, and the last takes it to its end.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from docker.errors import NotFound
from e2e.command import samples, wait_for

from lab.engines import guest

from .guests import LIMIT, Patient, left, type_in, until_guest, until_process

pytestmark = [pytest.mark.docker, pytest.mark.vm, pytest.mark.timeout(1200)]

# The stable kernel has no module for one of the two data paths.
WORDS = (
    "matrix", "--engine", "vm", "--kernel", "stable", "--vpns", "plain,openvpn", "--variants", "udp-kernel",
    "--ciphers", "aes-128-gcm", "--measures", "throughput", "--duration", "4", "--blocks", "4", "--no-report",
)  # fmt: skip


class Mortal:
    """A run that is under way in a guest of its own."""

    def __init__(self, lab: Patient) -> None:
        self.lab = lab
        folders = [path.parent for path in lab.results.glob("*/meta.json")]
        self.running = lab.start("matrix", "--no-report", "--resume", folders[0].name) if folders else lab.start(*WORDS)
        self.guest = until_guest(lab.engine, self.running)
        self.guest.wait()
        self.engine = self.guest.connect()

    @property
    def folder(self) -> Path:
        return self.lab.run()

    def until_load(self, after: int = 0) -> None:
        """Wait until a sample is being taken, when at least so many are on the disk."""

        def taken() -> bool:
            assert self.running.process.poll() is None, self.running.text
            announced = "\nrun " in self.running.text
            return announced and sum(each["outcome"] == "ok" for each in samples(self.folder)) >= after

        wait_for(taken, "samples", LIMIT)
        until_process(self.engine, self.running, "client-load", "iperf3 --client")


def panics(run: Mortal) -> None:
    type_in(run.guest, "echo c >/proc/sysrq-trigger")


def loses_its_engine(run: Mortal) -> None:
    """As where memory runs out, and the kernel ends what has most of it."""
    type_in(run.guest, "kill -KILL $(pidof dockerd)")


DEATHS: dict[str, tuple[Callable[[Mortal], None], str]] = {
    "panic": (panics, r"Kernel panic - not syncing: sysrq triggered crash"),
    "engine": (loses_its_engine, r"guest: error: the Docker engine ended"),
}


@pytest.mark.parametrize("death", DEATHS)
def test_the_guest_dies_in_mid_sample(shared: Patient, death: str) -> None:
    run = Mortal(shared)
    run.until_load(after=1)
    before = samples(run.folder)
    die, last_words = DEATHS[death]
    die(run)
    done = shared.ended(run.running)
    assert done.status == 1, done.text
    assert "lab: the vm engine no longer answers: " in done.text
    assert "last output of its machine:\n" in done.text
    assert re.search(last_words, done.text.partition("last output of its machine:")[2]), done.text
    assert f"samples are kept in {run.folder}; `lab matrix --resume {run.folder.name}` resumes the run" in done.text
    assert "Traceback" not in done.text
    *others, died = samples(run.folder)
    assert others[: len(before)] == before
    assert died["outcome"] == "failed"
    assert died["reason"].startswith("the vm engine no longer answers: ")
    assert re.search(last_words, died["reason"])
    assert not list(left(shared.engine, f"{run.running.pid}-"))


def test_the_command_is_killed_in_mid_sample_and_the_run_taken_to_its_end(shared: Patient) -> None:
    """QEMU ends by itself; what Docker still knows of the guest goes when the next one is started."""
    run = Mortal(shared)
    run.until_load()
    pid = qemu(run.guest)
    os.killpg(run.running.pid, signal.SIGKILL)
    run.running.end()
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the end of QEMU", limit=20)
    wait_for(lambda: not alive(run.guest), "the end of its container", limit=20)

    last = Mortal(shared)
    assert not list(left(shared.engine, f"{run.running.pid}-"))
    done = shared.ended(last.running)
    assert done.status == 0, "the samples under which the guest died were taken once more"
    counted = Counter((sample["vpn"], sample["outcome"]) for sample in samples(last.folder))
    assert counted == {("openvpn", "unsupported"): 1, ("plain", "ok"): 4, ("plain", "failed"): len(DEATHS)}
    assert json.loads((last.folder / "meta.json").read_text())["engine"]["guest"]["kernel"] == "stable"
    (sample,) = (sample for sample in samples(last.folder) if sample["vpn"] == "openvpn")
    assert sample["reason"].startswith("kernel 6.12.")
    assert "has no OpenVPN data channel offload: " in sample["reason"]
    assert "CONFIG_OVPN" in sample["reason"]


def qemu(there: guest.Guest) -> int:
    """The process number of a guest's QEMU."""
    (row,) = (row for row in there.container.top()["Processes"] if "qemu-system" in row[-1].split()[0])
    return int(row[1])


def alive(there: guest.Guest) -> bool:
    """Whether it has not ended; whoever starts a guest meanwhile removes what is left of it."""
    try:
        there.container.reload()
    except NotFound:
        return False
    return there.alive
