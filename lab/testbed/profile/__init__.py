# SPDX-License-Identifier: MIT
"""An exact profile of what containers of a guest do while a command runs: every instruction, by task and function."""

from __future__ import annotations

import base64
import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import PurePosixPath

from docker.errors import NotFound
from docker.models.containers import Container

from lab.core.errors import LabError, Unsupported
from lab.engines.engine import Engine
from lab.results.function import Function
from lab.testbed.profile import btf, counts, symbols
from lab.testbed.profile.counts import Counts, Place

IMAGE = "lab/base:latest"
PROGRAMS = "/usr/local/bin"
OTHER, IDLE = "other", "idle"
CLIENT = "client-load"
"""Whose the programs in the window are: they are over when it is asked whose they are."""
MAPPED = "cat /proc/[0-9]*/maps 2>/dev/null | awk '$2 ~ /x/ && $6 ~ /^\\// { print $6 }' | sort -u"
"""What the processes of a container execute. Some daemons hide that from all but SYS_PTRACE."""
FOUND = """for name; do
    case $name in
        /*) echo "$name" ;;
        *) file=$(command -v "$name") && echo "$file" && ldd "$file" | awk '$3 ~ /^\\// { print $3 }' ;;
    esac
done | sort -u | xargs --no-run-if-empty readlink -f | sort -u"""
"""The files of a container that these paths and programs mean, with the libraries of the latter."""


class Profile:
    """Profiles of commands in one guest.

    Raises:
        Unsupported: the engine counts no instructions.
    """

    def __init__(self, engine: Engine) -> None:
        if engine.profiler is None:
            raise Unsupported("only a guest on the instruction clock is profiled: --engine vm --clock instructions")
        self.engine, self.profiler = engine, engine.profiler

    def _read(self, path: str, *capabilities: str) -> bytes:
        """A file of the kernel's. It is packed: what comes out of a guest takes longer than that."""
        command = ["sh", "-c", 'gzip -1 <"$1" | base64 -w 0', "sh", path]
        result = self.engine.once(IMAGE, command, timeout=120, cap_add=list(capabilities))
        if result.status or result.lost:
            raise LabError(f"{path} could not be read in the guest: {result.complaint}")
        try:
            return gzip.decompress(base64.b64decode(result.stdout))
        except (OSError, EOFError, zlib.error) as error:
            raise LabError(f"{path} of the guest did not arrive whole: {error}") from error

    @cached_property
    def kernel(self) -> symbols.Sorted:
        """The functions of the guest's kernel; without SYSLOG it does not tell where they are."""
        return symbols.kernel(self._read("/proc/kallsyms", "SYSLOG").decode())

    @cached_property
    def _offsets(self) -> tuple[int, int]:
        task = btf.offsets(self._read("/sys/kernel/btf/vmlinux"), "task_struct")
        return task["tgid"], task["comm"]

    def window(self, container: Container) -> list[str]:
        """Words before a command in a container that open the window while it runs."""
        container.put_archive(PROGRAMS, self.profiler.window())
        self.profiler.forget()
        return ["window", *map(str, self._offsets)]

    def take(self, containers: Mapping[str, Container], programs: Sequence[str]) -> tuple[Counts, list[Function]]:
        """What was counted while the window was open, and that by function.

        `containers` are those that take part, by end; `programs` are what ran in the window, and has ended.
        """
        taken = counts.parse(self.profiler.take())
        owners: dict[int, str] = {}
        pages = symbols.Pages()
        fetched: set[tuple[str, str]] = set()
        for end, container in containers.items():
            owners |= dict.fromkeys(_processes(container), end)
            image = str(container.attrs["Image"])
            for path in self._mapped(container, programs):
                if (image, path) not in fetched:
                    fetched.add((image, path))
                    pages.add(PurePosixPath(path).name, _content(container, path))

        loads = {"window", *programs}

        def whose(number: int, title: str) -> str:
            if number == 0:
                return IDLE
            return owners.get(number, CLIENT if title in loads else OTHER)

        def named(place: Place) -> symbols.Name | None:
            page, offset = place
            return self.kernel.at(offset) if page == counts.KERNEL_PAGE else pages.at(page, offset)

        return taken, counts.functions(taken, whose, named)

    def _mapped(self, container: Container, programs: Sequence[str]) -> list[str]:
        beside = f"container:{container.id}"
        mapped = self.engine.once(IMAGE, ["sh", "-c", MAPPED], pid_mode=beside, cap_add=["SYS_PTRACE"]).stdout.split()
        result = self.engine.ask(container, ["sh", "-c", FOUND, "sh", "window", *programs, *mapped])
        return sorted(set(result.stdout.split()))


def _processes(container: Container) -> list[int]:
    """The numbers of a container's processes, as the guest's kernel counts them."""
    told = container.top()
    column = told["Titles"].index("PID")
    return [int(row[column]) for row in told["Processes"]]


def _content(container: Container, path: str) -> bytes:
    """A file of a container; nothing where it has gone."""
    try:
        archive, _ = container.get_archive(path)
    except NotFound:
        return b""
    with tarfile.open(fileobj=io.BytesIO(b"".join(archive))) as unpacked:
        for member in unpacked.getmembers():
            if file := unpacked.extractfile(member):
                return file.read()
    return b""
