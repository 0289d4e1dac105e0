# SPDX-License-Identifier: MIT
"""The image of the kernel module, on this machine: no guest is needed to look at it, nor for the pure parts."""

from __future__ import annotations

import re

import pytest

from lab.engines.engine import Engine

pytestmark = [pytest.mark.docker]

IMAGE = "lab/kmod:latest"
TESTS = "/usr/local/lib/af_ktls/tests"


def said(host: Engine, *argv: str) -> str:
    """What a command in the image says, which must succeed."""
    result = host.once(IMAGE, argv, timeout=60)
    assert result.status == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_a_module_for_both_kernels(host: Engine) -> None:
    kernels = said(host, "ls", "/lib/af_ktls").split()
    assert [kernel.partition(".")[0] for kernel in sorted(kernels)] == ["6", "7"]
    for kernel in kernels:
        facts = dict(
            re.findall(r"^(\w+): +(.*)$", said(host, "modinfo", f"/lib/af_ktls/{kernel}/af_ktls.ko"), re.MULTILINE)
        )
        assert facts["vermagic"].startswith(f"{kernel} ")
        assert facts["license"] == "GPL"
        assert "alias" not in facts, "nobody's number loads it"
        assert facts["depends"] == ""


def test_every_parameter_is_described(host: Engine) -> None:
    for module in said(host, "sh", "-c", "ls /lib/af_ktls/*/af_ktls.ko").split():
        parameters = said(host, "modinfo", "--parameters", module).splitlines()
        assert {line.partition(":")[0] for line in parameters} == {"allow", "driver", "family"}
        assert all(len(line.partition(":")[2]) > 20 for line in parameters)


def test_the_pure_parts(host: Engine) -> None:
    assert " checks, 0 failures" in said(host, f"{TESTS}/pure")


def test_the_parser_and_the_window_are_fuzzed_for_some_seconds(host: Engine) -> None:
    text = said(host, f"{TESTS}/fuzz-record", "-max_total_time=5", "-max_len=64", "-seed=1")
    (runs,) = re.findall(r"Done (\d+) runs", text)
    assert int(runs) > 10_000
