# SPDX-License-Identifier: MIT
"""Which networks of the range for measurements are taken: asked of a machine whose routes are known, a namespace."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from lab.core.errors import LabError
from lab.engines import routes

SAY = "from lab.engines import routes; print(sorted((str(net), by) for net, by in routes.held().items()))"


def held(*commands: str) -> str:
    """What `routes.held` says where these commands were run, on a machine that has a card `vpn0` and nothing else."""
    script = "\n".join(["set -e", "ip link add vpn0 type bridge", *commands, 'exec "$@"'])
    argv = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", script, "sh", sys.executable, "-c", SAY]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if "unshare failed" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip(f"this machine gives no network namespace: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


UP = "ip link set vpn0 up"


@pytest.mark.parametrize(
    ("commands", "said"),
    [
        ((UP, "ip route add 198.18.0.0/16 dev vpn0"), "[('198.18.0.0/16', 'dev vpn0')]"),
        ((UP, "ip route add 198.18.7.0/24 dev vpn0 table 220"), "[('198.18.7.0/24', 'dev vpn0, table 220')]"),
        ((UP, "ip route add 198.18.7.9 dev vpn0"), "[('198.18.7.9/32', 'dev vpn0')]"),
        (("ip address add 198.18.4.1/22 dev vpn0",), "[('198.18.4.0/22', 'dev vpn0'), ('198.18.4.1/32', 'dev vpn0')]"),
        (("ip address add 10.0.0.1 peer 198.18.3.3 dev vpn0",), "[('198.18.3.3/32', 'dev vpn0')]"),
        # To the internet, whatever a VPN that takes all of it makes of that.
        ((UP, "ip route add default dev vpn0", "ip route add 128.0.0.0/1 dev vpn0"), "[]"),
        ((UP, "ip route add 198.0.0.0/8 dev vpn0"), "[]"),
        ((UP, "ip route add blackhole 198.18.0.0/15", "ip route add 10.0.0.0/8 dev vpn0"), "[]"),
        ((), "[]"),
    ],
)  # fmt: skip
def test_what_holds_a_network(commands: tuple[str, ...], said: str) -> None:
    assert held(*commands) == said


def test_where_nothing_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="the ip command is missing") as caught:
        routes.held()
    assert caught.value.hint == "apt-get install iproute2"
    (tmp_path / "ip").write_text("#!/bin/sh\necho no such thing >&2\nexit 1\n")
    (tmp_path / "ip").chmod(0o755)
    with pytest.raises(LabError, match="does not say which networks are taken: no such thing"):
        routes.held()


def test_the_range_of_the_wires_is_looked_at() -> None:
    assert IPv4Network("198.18.0.0/16").subnet_of(routes.MEASUREMENTS)
