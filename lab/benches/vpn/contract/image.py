# SPDX-License-Identifier: MIT
"""The image of a VPN: its Dockerfile, and the scripts that it copies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab.benches.vpn.contract.fault import NEIGHBOUR, Fault
from lab.catalog.vpns import Ends, Vpn
from lab.engines import images

STAGE = re.compile(r"(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
"""What FROM says: an image, or an earlier stage, and the name of this one."""
VARIABLE = re.compile(r"\$\{?(\w+)\}?")
HERE = re.compile(r"(?<!<)<<-?['\"]?[A-Za-z_]")
"""The begin of a here-document."""
UP = "up"
"""The script that brings one end up."""
BASED = f"begin with `ARG {images.BASE.upper()}` and end on `FROM ${{{images.BASE.upper()}}}`"
OLD_ENGINES = "engines as old as 20.10 must understand it"


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile, its lines joined."""

    line: int
    word: str
    text: str

    @property
    def copied(self) -> list[str]:
        """What a COPY or ADD takes from the folder, by name; nothing if it takes from another stage."""
        before, bracket, rest = self.text.partition("[")
        words = self.text.split()
        if bracket:  # as a list of JSON
            with suppress(ValueError):
                words = [*before.split(), *json.loads(bracket + rest)]
        if self.word not in ("COPY", "ADD") or any(word.startswith("--from=") for word in words):
            return []
        return [word for word in words if not word.startswith("--")][:-1]


def faults(vpn: Vpn) -> Iterator[Fault]:
    """Everything that is wrong with the image of a VPN, and with those of its variants that have their own."""
    own = {variant.image for variant in vpn.file.variants.values() if variant.image}
    for folder in [vpn.folder, *(vpn.folder.parent / name for name in sorted(own))]:
        dockerfile = folder / "Dockerfile"
        if not dockerfile.is_file():
            if folder == vpn.folder:
                yield Fault(dockerfile, 0, "it is missing", NEIGHBOUR)
            continue
        read = instructions(dockerfile)
        yield from _stages(dockerfile, read)
        yield from _copies(dockerfile, read)
        for each in read:
            if each.word in ("COPY", "ADD") and "--chmod" in each.text:
                yield Fault(dockerfile, each.line, "it sets a mode", f"{OLD_ENGINES}: `chmod` the file of the folder")
            if each.word in ("COPY", "ADD", "RUN") and HERE.search(each.text):
                yield Fault(dockerfile, each.line, "it is a here-document", f"{OLD_ENGINES}: copy a file instead")
    yield from _scripts(vpn)


def instructions(path: Path) -> list[Instruction]:
    """The instructions of a Dockerfile. Comments are none."""
    read: list[Instruction] = []
    begun, text = 0, ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.lstrip().startswith("#") or not (line.strip() or text):
            continue
        begun = begun or number
        text = f"{text} {line.strip().removesuffix(chr(92))}"
        if not line.rstrip().endswith(chr(92)):
            word, _, rest = text.strip().partition(" ")
            read.append(Instruction(begun, word.upper(), rest.strip()))
            begun, text = 0, ""
    return read


def _stages(path: Path, read: list[Instruction]) -> Iterator[Fault]:
    """Each stage is built on an image of the lab, and the last one on the lab's base, directly or not."""
    declared = {each.text for each in read if each.word == "ARG" and "=" not in each.text}
    stages = [each for each in read if each.word == "FROM"]
    if not stages:
        yield Fault(path, 0, "it has no FROM", BASED)
    based: dict[str, bool] = {}
    for each in stages:
        stage = STAGE.fullmatch(each.text)
        image, name = stage.groups() if stage else (each.text, None)
        variable = VARIABLE.fullmatch(image)
        on_base = based.get(image, True) and not (variable and variable[1] == images.ROOT_ARGUMENT)
        if not variable and image not in based:
            yield Fault(path, each.line, f"{image} is no image of the lab", BASED)
        elif variable and variable[1] not in declared:
            yield Fault(path, each.line, f"{image} has no value", f"declare it above: `ARG {variable[1]}`")
        elif variable and on_base and not _is_image(path.parent.parent, variable[1]):
            valid = ", ".join(folder.name for folder in images.folders(path.parent.parent))
            what = f"{image} stands for the image {images.named(variable[1])}, and there is none"
            yield Fault(path, each.line, what, f"valid names, in capitals: {valid}")
        elif each is stages[-1] and not on_base:
            yield Fault(path, each.line, "the last stage is not built on the lab's base", BASED)
        based |= {name: on_base} if name else {}


def _is_image(folder: Path, argument: str) -> bool:
    return (images.folder(folder, images.named(argument)) / "Dockerfile").is_file()


def _copies(path: Path, read: list[Instruction]) -> Iterator[Fault]:
    """What is copied is there, and scripts can be executed."""
    for each in read:
        for name in each.copied:
            files = _files(path.parent, name)
            if not files:
                yield Fault(path, each.line, f"there is no {name} in this folder to be copied", "name a file that is")
            for file in files:
                if file.name in images.ABOUT:
                    what = f"it copies {file.name}: the image would not be built anew after a change of that"
                    yield Fault(path, each.line, what, "name the files that belong into it")
                if file.is_file() and file.read_bytes()[:2] == b"#!" and not file.stat().st_mode & 0o100:
                    yield Fault(file, 0, "it is a script that is not executable", f"`chmod +x {file.name}`")


def _files(folder: Path, name: str) -> list[Path]:
    """The files of the folder that a COPY's word stands for."""
    return [*folder.iterdir()] if name in (".", "./") else [*folder.glob(name.strip("/"))]


def _scripts(vpn: Vpn) -> Iterator[Fault]:
    """`up` and what the proof runs are in the image, as far as they are files of the folder."""
    dockerfile, up = vpn.folder / "Dockerfile", vpn.folder / UP
    if not up.is_file():
        yield Fault(up, 0, "it is missing: the script that brings one end up", NEIGHBOUR)
    elif not up.read_bytes().startswith((b"#!", b"\x7fELF")):
        yield Fault(up, 1, "its first line names no interpreter", "begin with `#!/bin/bash`")
    called = {UP} if up.is_file() else set()
    for name in vpn.file.variants:
        for ends in (vpn.proof(name).suite, vpn.proof(name).counters):
            called |= {word for end in Ends.model_fields if ends for word in getattr(ends, end).run}
    read = instructions(dockerfile) if dockerfile.is_file() else []
    copied = {file.name for each in read for name in each.copied for file in _files(vpn.folder, name)}
    for name in sorted(called):
        if read and "/" not in name and (vpn.folder / name).is_file() and name not in copied:
            fix = f"`COPY {name} /usr/local/bin/` in it"
            yield Fault(vpn.folder / name, 0, "the Dockerfile does not copy it, so the lab cannot call it", fix)
