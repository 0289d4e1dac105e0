# SPDX-License-Identifier: MIT
"""The platform of a run: the part of `meta.json` that a reader needs to judge or repeat the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.engines.engine import Engine

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


def describe(engine: Engine, images: Sequence[str], wanted: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Kernel, processor and mitigations; the ids of images, and the versions of their packages in `wanted`."""
    machine = engine.once("lab/base:latest", ["sh", "-c", _MACHINE]).stdout
    facts = dict(line.split(": ", 1) for line in machine.splitlines() if ": " in line)
    tags = {name: f"lab/{name}:latest" for name in [*images, *wanted]}
    return {
        "engine": {
            "name": engine.name,
            "clock": engine.clock,
            "version": engine.facts.get("ServerVersion"),
            "cgroup": engine.facts.get("CgroupVersion"),
            "guest": engine.facts.get("guest"),
        },
        "machine": facts,
        "images": {tag: engine.image_id(tag) for tag in tags.values()},
        "packages": {name: packages(engine, tags[name], names) for name, names in wanted.items()},
    }


def packages(engine: Engine, image: str, names: Sequence[str]) -> dict[str, str]:
    """The versions of the Debian packages `names` in an image."""
    query = ["dpkg-query", "--show", "--showformat", "${Package}: ${Version}\n", *names]
    return dict(pairs(engine.once(image, query).stdout))


def pairs(text: str) -> list[tuple[str, str]]:
    """The lines of the form `key: value`, as pairs."""
    parts = [line.strip().partition(": ") for line in text.splitlines()]
    return [(key, value) for key, colon, value in parts if colon]
