# SPDX-License-Identifier: MIT
"""The kernel module's folder: its pure parts in user space, the example of its README, its image, its loader."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.core.errors import UsageError
from lab.core.paths import ROOT
from lab.engines.images import folder_digest, folders, tag_of

KMOD = ROOT / "kmod"


def test_framing_and_window_under_sanitizers(tmp_path: Path) -> None:
    shutil.copytree(KMOD, tmp_path / "kmod")
    done = subprocess.run(
        ["make", "--directory", str(tmp_path / "kmod"), "check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " checks, 0 failures" in done.stdout


def test_the_example_is_the_one_that_is_compiled_and_run() -> None:
    shown = re.findall(r"```c\n(.*?)```", (KMOD / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(shown) == 2
    for example, program in zip(shown, ("example.c", "tunnel.c"), strict=True):
        assert example in (KMOD / "tests" / program).read_text(encoding="utf-8")


def test_every_errno_of_the_options_is_documented() -> None:
    said = (KMOD / "README.md").read_text(encoding="utf-8").partition("## Errors")[2]
    used = {name for path in KMOD.glob("*.c") for name in re.findall(r"-(E[A-Z]{3,})\b", path.read_text("utf-8"))}
    # What stays inside: the driver's answers, what is renamed on its way out, and what makes the module fail to load.
    inside = {"EINPROGRESS", "EBADMSG", "EEXIST", "ENOENT", "ERANGE"}
    assert not {name for name in used - inside if not re.search(rf"\b{name}\b", said)}


class TestImage:
    def test_it_is_one_of_the_images(self) -> None:
        assert KMOD in folders(ROOT / "images")
        assert [tag_of(folder) for folder in folders(ROOT / "images", "kmod")] == ["lab/base:latest", "lab/kmod:latest"]

    def test_the_base_stays_first(self) -> None:
        assert folders(ROOT / "images")[0].name == "base"

    def test_a_lab_without_the_module(self, tmp_path: Path) -> None:
        image = tmp_path / "images" / "base"
        image.mkdir(parents=True)
        (image / "Dockerfile").write_text("FROM x\n", encoding="utf-8")
        assert folders(tmp_path / "images") == [image]
        with pytest.raises(UsageError, match="kmod"):
            folders(tmp_path / "images", "kmod")

    def test_what_a_build_leaves_behind_changes_nothing(self, tmp_path: Path) -> None:
        folder = shutil.copytree(KMOD, tmp_path / "kmod")
        before = folder_digest(folder)
        left = [
            "main.o",
            ".main.o.cmd",
            "af_ktls.ko",
            "af_ktls.mod",
            "af_ktls.mod.c",
            "Module.symvers",
            "modules.order",
        ]
        for name in [*left, "tests/pure", "tests/interop", "tests/.x.o.cmd", "bench/run.o", "bench/ktls-bench"]:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text("x", encoding="utf-8")
        assert folder_digest(folder) == before
        (folder / "main.c").write_text("x", encoding="utf-8")
        assert folder_digest(folder) != before

    def test_patterns_are_read_as_docker_reads_them(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        for name in ("Dockerfile", "x.o", "a/x.o", "kept", "a/kept"):
            (tmp_path / name).write_text(name, encoding="utf-8")
        (tmp_path / ".dockerignore").write_text("# objects\n\n**/*.o\n!a/x.o\n", encoding="utf-8")
        before = folder_digest(tmp_path)
        (tmp_path / "x.o").write_text("new", encoding="utf-8")
        assert folder_digest(tmp_path) == before
        (tmp_path / "a" / "x.o").write_text("new", encoding="utf-8")
        assert folder_digest(tmp_path) != before


class TestLoader:
    def load(self, tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `ktls-load` with modules and the loaded module under `tmp_path`, and an insmod that prints its words."""
        (tmp_path / "bin").mkdir(exist_ok=True)
        insmod = tmp_path / "bin" / "insmod"
        insmod.write_text('#!/bin/bash\necho insmod "$@"\n', encoding="utf-8")
        insmod.chmod(0o755)
        environment = {
            "PATH": f"{insmod.parent}:{os.environ['PATH']}",
            "KTLS_MODULES": str(tmp_path / "modules"),
            "KTLS_LOADED": str(tmp_path / "loaded"),
        }
        return subprocess.run(
            [KMOD / "ktls-load", *words], capture_output=True, text=True, check=False, env=environment
        )

    def test_the_running_kernel_s(self, tmp_path: Path) -> None:
        module = tmp_path / "modules" / os.uname().release / "af_ktls.ko"
        module.parent.mkdir(parents=True)
        module.touch()
        done = self.load(tmp_path, "driver=a,b")
        assert (done.returncode, done.stdout) == (0, f"insmod {module} driver=a,b\n")

    def test_none_for_this_kernel(self, tmp_path: Path) -> None:
        (tmp_path / "modules" / "1.2.3").mkdir(parents=True)
        (tmp_path / "modules" / "1.2.3" / "af_ktls.ko").touch()
        done = self.load(tmp_path)
        assert done.returncode == 1
        assert done.stderr == f"ktls-load: no module for kernel {os.uname().release}; there are those for: 1.2.3\n"

    def test_loaded_already(self, tmp_path: Path) -> None:
        (tmp_path / "loaded" / "parameters").mkdir(parents=True)
        (tmp_path / "loaded" / "parameters" / "family").write_text("12\n", encoding="utf-8")
        assert (done := self.load(tmp_path, "family=12")).returncode == 0, done.stderr
        assert self.load(tmp_path).stdout == ""
        done = self.load(tmp_path, "family=13")
        assert done.returncode == 1
        assert done.stderr == "ktls-load: af_ktls is loaded with family=12; rmmod af_ktls first\n"
