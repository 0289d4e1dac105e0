# SPDX-License-Identifier: MIT
"""Every call on the module's sockets and on those underneath, by several threads, in guests that watch their memory."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lab.engines import guest, guest_disks
from lab.engines.choice import Choice, Kernel
from lab.engines.engine import Engine

from .test_kmod import EXPECTED, IMAGE, PASSED, TESTS, UNWELL, Module, beside

pytestmark = [pytest.mark.docker, pytest.mark.vm, pytest.mark.timeout(1800)]

WATCHFUL = "slub_debug=FZPU kfence.sample_interval=1"
NOBODY = "65534:65534"
SECONDS = 12


@pytest.fixture(scope="module", params=["stable", "backports"])
def module(request: pytest.FixtureRequest, host: Engine) -> Iterator[Module]:
    kernel: Kernel = request.param
    choice = Choice(name="vm", kernel=kernel, processors=2)
    there = guest.start(host, f"{os.getpid()}-fuzz", choice, guest_disks.ready(host, print), words=WATCHFUL)
    try:
        there.wait()
        with beside(there.connect()) as loaded:
            loaded.said("ktls-load allow=65534", "SYS_MODULE")
            yield loaded
    finally:
        there.remove()


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_is_called(module: Module, seed: int) -> None:
    words = [f"{TESTS}/fuzz-calls", "-s", str(seed), "-t", str(SECONDS)]
    # Docker's filter forbids io_uring.
    run = module.engine.once(IMAGE, words, user=NOBODY, security_opt=["seccomp=unconfined"], timeout=SECONDS * 5 + 60)
    assert run.status == 0, run.stdout + run.stderr
    assert PASSED.search(run.stdout), run.stdout
    assert "skipped" not in run.stdout
    assert module.users == 0


def test_the_kernel_was_watched_and_has_said_nothing(module: Module) -> None:
    words = module.said("cat /proc/cmdline")
    assert WATCHFUL in words
    lines = module.said("dmesg", "SYSLOG").splitlines()
    assert any("kfence: initialized" in line for line in lines)
    assert not [line for line in lines if UNWELL.search(line) and not EXPECTED.search(line)]
