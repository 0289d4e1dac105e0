# SPDX-License-Identifier: MIT
"""docker-compose.yml by hand: Compose itself takes it."""

from __future__ import annotations

import subprocess

import pytest

from lab.testbed.topology import COMPOSE

pytestmark = pytest.mark.docker


def test_compose_takes_the_file() -> None:
    client = ["docker", "compose"]
    try:
        absent = subprocess.run([*client, "version"], capture_output=True, check=False).returncode
    except FileNotFoundError:
        absent = 1
    if absent:
        pytest.skip("the docker client here has no compose plugin")
    done = subprocess.run(
        [*client, "-f", str(COMPOSE), "config", "--quiet"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip()
