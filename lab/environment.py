"""What a run ran on: the part of `meta.json` that lets a reader judge the figures, or repeat them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from docker.models.containers import Container

from lab.catalog import Vpn
from lab.engine import Engine
from lab.testbed import Testbed

SYSCTLS = (
    "net/core/rmem_max", "net/core/wmem_max", "net/core/rmem_default", "net/core/default_qdisc",
    "net/ipv4/tcp_rmem", "net/ipv4/tcp_wmem", "net/ipv4/tcp_congestion_control", "net/ipv4/tcp_mtu_probing",
)  # fmt: skip

_MACHINE = """
echo "kernel: $(uname -srvm)"
grep -m1 '^model name' /proc/cpuinfo | sed 's/.*: /cpu: /'
grep -m1 '^flags' /proc/cpuinfo | sed 's/.*: /flags: /'
echo "processors: $(nproc --all)"
echo "clocksource: $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource 2>/dev/null)"
echo "governor: $(cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor 2>/dev/null)"
for f in /sys/devices/system/cpu/vulnerabilities/*; do
    [ -f "$f" ] && echo "mitigation ${f##*/}: $(cat "$f")"
done
"""


OF_LOADS = ("iperf3", "netcat-openbsd", "iputils-ping")


def describe(engine: Engine, vpns: Sequence[Vpn]) -> dict[str, Any]:
    """Kernel, processor, mitigations, images and the packages in them."""
    machine = engine.once("lab/base:latest", ["sh", "-c", _MACHINE]).stdout
    facts = dict(line.split(": ", 1) for line in machine.splitlines() if ": " in line)
    images = [f"lab/{name}:latest" for name in ("base", "meter", *(vpn.name for vpn in vpns))]
    return {
        "engine": {
            "name": engine.name,
            "clock": engine.clock,
            "version": engine.facts.get("ServerVersion"),
            "cgroup": engine.facts.get("CgroupVersion"),
            "guest": engine.facts.get("guest"),
        },
        "machine": facts,
        "images": {tag: engine.image_id(tag) for tag in images},
        "packages": {
            vpn.name: packages(engine, f"lab/{vpn.name}:latest", [*OF_LOADS, *vpn.file.packages]) for vpn in vpns
        },
    }


def describe_ends(bed: Testbed, ends: dict[str, Container]) -> dict[str, Any]:
    """Offloads of the wire and sysctls of the network namespace, at each end."""
    script = "ethtool -k eth0 | grep -E ': (on|off)'; cd /proc/sys; for f; do echo \"$f: $(cat $f 2>/dev/null)\"; done"
    said = {end: bed.engine.execute(ends[end], ["sh", "-c", script, "sh", *SYSCTLS]).stdout for end in ends}
    return {end: dict(_pairs(text)) for end, text in said.items()}


def packages(engine: Engine, image: str, names: Sequence[str]) -> dict[str, str]:
    """The versions of the Debian packages of an image that matter."""
    query = ["dpkg-query", "--show", "--showformat", "${Package}: ${Version}\n", *names]
    return dict(_pairs(engine.once(image, query).stdout))


def _pairs(text: str) -> list[tuple[str, str]]:
    found = [line.strip().partition(": ") for line in text.splitlines()]
    return [(key, value) for key, colon, value in found if colon]
