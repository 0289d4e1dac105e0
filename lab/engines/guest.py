# SPDX-License-Identifier: MIT
"""A guest: QEMU in a container, and in it a stock kernel with a Docker engine. Its disks are those of `guest_disks`."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from requests.exceptions import RequestException

from lab.core.errors import LabError, UsageError
from lab.core.signals import undisturbed
from lab.engines import ownership
from lab.engines.choice import Choice
from lab.engines.engine import Engine, because
from lab.engines.guest_folders import answers_in, directory, locked, runtime

Say = Callable[[str], None]
PREFIX = "lab-vm-"
"""What the name of a guest's container begins with."""
NAME = "vm"
"""The guest that a person keeps up, where no other is named."""
LABEL = f"{ownership.SPACE}.guest"
"""The label of a guest's container that holds its choice, as JSON."""
LIMIT = float(os.environ.get("LAB_VM_LIMIT", "240"))
"""Seconds of this machine that a guest may take until its engine answers."""
PATIENCE = 10.0
"""How many times longer than on the host anything may take in a guest: an emulated processor is slow."""
ANSWER = 300
"""Seconds that its engine may take to answer a request."""
DEVICE = Path("/dev/kvm")
ENDING = 5
"""Seconds that a guest which no longer answers has to end; one that hangs has said what it says."""
UPTIME = re.compile(r"^(\S+Z) guest: uptime ([\d.]+)\s*$", re.MULTILINE)
"""What it says of its uptime, in seconds; before that, when Docker heard it."""
LATE = re.compile(r"\d+/\d+/\d+ [\d:]+ socat\[")
IMAGE = "lab/vm:latest"
VOLUME = "lab-vm-disks" + (f"-{os.getuid()}" if os.getuid() else "")
"""The volume with the disks, of this user alone."""
DISK = f"{ownership.SPACE}.disk"
"""The label of a guest's container that names its disk."""


FAULTS = {
    "IO-APIC + timer doesn't work": "its kernel saw no interrupt of the emulated timer in time",
    "failed to report alive state": "not all of its emulated processors came up in time",
}
"""What an emulator does to a kernel where its machine is busy: in the words of the kernel, and in ours."""
STARTS = 3
"""How often a guest is started that such a fault befalls."""


class Misstart(LabError):
    """A guest that a fault of its emulator befell: another start may do without."""


@dataclass
class Guest:
    """A guest that was started. `lifeline` is the connection that it dies with; one that is kept has none any more."""

    container: Container
    choice: Choice
    directory: Path
    lifeline: Any = None

    @property
    def disk(self) -> str:
        """The path of the disk that it was started with."""
        return str(self.container.labels[DISK])

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self.container.status not in ("created", "exited", "dead", "removing")

    def is_current(self, host: Engine) -> bool:
        """Whether it is of the guest's image as it is now."""
        return bool(self.container.attrs["Image"] == host.image_id(IMAGE))

    def console(self, lines: int) -> str:
        """The last lines that the guest and its QEMU said."""
        try:
            return self.container.logs(tail=lines).decode(errors="replace").strip()
        except DockerException:
            return ""

    @property
    def accelerator(self) -> str:
        """What executes its instructions: kvm or tcg; empty before QEMU has started."""
        prefix = "guest: accelerator "
        lines = self.console(400).splitlines()
        return next((line.removeprefix(prefix) for line in lines if line.startswith(prefix)), "")

    def last_words(self, lines: int = 12) -> str:
        """What the guest said last, of a kernel's panic its first lines; not how requests failed that came too late.

        A guest that is ending is given time to end: its connections are gone before all that it said is told.
        """
        with suppress(DockerException, RequestException):
            self.container.wait(timeout=ENDING)
        said = [line for line in self.console(400).splitlines() if not LATE.match(line)]
        panics = [number for number, line in enumerate(said) if "Kernel panic" in line]
        return "\n".join(said[panics[0] :][:lines] if panics else said[-lines:])

    def pace(self) -> float:
        """Seconds that had passed in the guest, by seconds since its start, when it told its uptime; 0 before that.

        Less than 1: its kernel starts somewhat later than QEMU. More is a clock that runs too fast. An emulated
        processor whose kernel misjudged its counter (arch/x86/kernel/tsc.c) has been seen at 8.
        """
        told = UPTIME.findall(self.container.logs(timestamps=True).decode(errors="replace"))
        if not told:
            return 0.0
        at, uptime = told[-1]
        passed = datetime.fromisoformat(at) - datetime.fromisoformat(self.container.attrs["State"]["StartedAt"])
        return float(uptime) / passed.total_seconds()

    def _judge(self) -> None:
        """Raise what is wrong with it that another start may do without."""
        if fault := fault_of(self.console(400)):
            raise Misstart(f"the guest did not start: {fault}\n{self.last_words()}", HINT)
        if self.choice.clock == "wall" and (pace := self.pace()) > 1:
            raise Misstart(f"the guest's clock runs {pace:.2f} times as fast as this machine's", "start it again")

    def wait(self) -> None:
        """Wait until its Docker engine answers.

        Raises:
            Misstart: a fault of its emulator befell it, or its seconds are shorter than this machine's, so that nothing
                measured in it would hold.
            LabError: it ended, gave up, or is not there in time; with the last of its console.
        """
        deadline = time.monotonic() + LIMIT
        while "guest: engine ready" not in (text := self.console(200)) or not self._answers():
            said = [line.removeprefix("guest: error: ") for line in text.splitlines() if "guest: error:" in line]
            try:
                self.container.reload()
            except NotFound as error:
                raise LabError("the guest did not start: somebody removed it") from error
            if said or self.container.status != "running":
                self._judge()
                raise LabError(
                    f"the guest did not start: {said[-1] if said else 'it ended'}\n{self.last_words()}", HINT
                )
            if time.monotonic() > deadline:
                raise LabError(f"the guest's engine did not answer within {LIMIT:g} s:\n{self.last_words()}", HINT)
            time.sleep(0.1)
        self.container.reload()
        self._judge()

    def let_live(self) -> None:
        """Let it outlive this process: what it was to die with is given up."""
        self.lifeline._sock.sendall(b"keep\n")
        self.lifeline.close()
        self.lifeline = None

    def _answers(self) -> bool:
        """Whether requests arrive: the way to the engine may be there a moment later than the engine."""
        try:
            return bool(self._client(timeout=10).ping())
        except (DockerException, RequestException):
            return False

    def _client(self, timeout: int) -> docker.DockerClient:
        return docker.DockerClient(base_url=f"unix://{self.directory / 'docker.sock'}", timeout=timeout)

    def connect(self) -> Engine:
        """Its engine.

        Raises:
            LabError: it does not answer; with the last of the guest's console.
        """
        try:
            client = self._client(ANSWER)
            facts = client.info()
        except (DockerException, RequestException) as error:
            raise LabError(
                f"the guest's engine does not answer: {because(error)}\n{self.last_words()}", HINT
            ) from error
        facts["guest"] = {
            "accelerator": self.accelerator,
            "kernel": self.choice.kernel,
            "processors": self.choice.cores,
            "image": self.container.attrs["Image"],
            "qemu": self._version(),
        }
        return Engine(
            client,
            "vm",
            self.choice.clock,
            facts,
            patience=PATIENCE,
            address=f"unix://{self.directory / 'docker.sock'}",
            last_words=self.last_words,
            kill=self.container.kill,
        )

    def _version(self) -> str:
        said = cast("bytes", self.container.exec_run(["qemu-system-x86_64", "--version"]).output)
        return said.decode(errors="replace").partition("\n")[0]

    def stop(self) -> int:
        """Stop it in good order, so that its disk is whole; returns its exit status (0: it was)."""
        self.container.stop(timeout=60)
        return int(self.container.wait()["StatusCode"])

    def remove(self) -> None:
        """Kill and forget it, whatever state it is in."""
        try:
            with suppress(NotFound):
                self.container.remove(force=True, v=True)
        except APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:  # another is removing it already
                raise
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)


def fault_of(console: str) -> str:
    """The fault of an emulator that a console tells of; empty where it tells of none."""
    return next((ours for theirs, ours in FAULTS.items() if theirs in console), "")


HINT = "`lab vm logs` shows the console of a guest that is up; LAB_VM_LIMIT is how many seconds it may take to start"


def started(
    host: Engine, name: str, choice: Choice, disk: str, say: Say, *, keep: bool = False, write: bool = False
) -> Guest:
    """`start` a guest and wait until its engine answers; again where a fault of its emulator befell it.

    Raises:
        LabError: it did not start; nothing is left behind.
    """
    for left in reversed(range(STARTS)):
        made = start(host, name, choice, disk, keep=keep, write=write)
        try:
            made.wait()
            break
        except Misstart as error:
            made.remove()
            if not left:
                raise
            say(f"{error.message.partition(chr(10))[0]}: it is started again")
        except BaseException:
            made.remove()
            raise
    return made


def start(
    host: Engine, name: str, choice: Choice, disk: str, *, keep: bool = False, write: bool = False, words: str = ""
) -> Guest:
    """Start a guest with a disk of `lab.engines.guest_disks`; with `write`, what is written to that disk stays.

    `words` are more of its kernel's command line: no measurement has any.

    Until it is let live, the guest ends with this process, however that ends: it holds its standard input. One to
    `keep` has no owner, so that no sweep takes it for forgotten.

    Raises:
        LabError: the image is missing, the name is taken, or the engine refuses.
    """
    if former := found(host, name).get(name):
        if former.alive:
            raise LabError(f"the guest {name!r} is up already", f"`lab vm down --name {name}` takes it down")
        former.remove()
    sockets = directory(name)
    environment = {
        "KERNEL": choice.kernel, "CLOCK": choice.clock, "PROCESSORS": choice.cores, "MEMORY": choice.memory,
        "DISK": disk, "KEEP": "disk" if write else "", "DATE": int(time.time()),
        "WORDS": words,
    }  # fmt: skip
    options: dict[str, Any] = {
        "command": ["guest"],
        "name": f"{PREFIX}{name}",
        "environment": {key: str(value) for key, value in environment.items()},
        # It is no lab, and `lab down` leaves it alone.
        "labels": {
            ownership.OWNER: ownership.PERSON if keep else ownership.this_process(),
            LABEL: choice.model_dump_json(),
            DISK: disk,
        },
        "volumes": {str(sockets): {"bind": "/run/guest", "mode": "rw"}, VOLUME: {"bind": "/disks", "mode": "rw"}},
        "stdin_open": True,
        **confined(),
    }
    if DEVICE.exists() and choice.clock == "wall":
        options |= {"devices": [f"{DEVICE}:{DEVICE}"], "group_add": [DEVICE.stat().st_gid]}
    made = None
    try:
        # A guest that is not known here would be removed by nobody, and its folder by the next sweep.
        with undisturbed(), locked("guests"):
            shutil.rmtree(sockets, ignore_errors=True)
            sockets.mkdir(mode=0o700)
            made = Guest(_created(host, name, options), choice, sockets)
            made.lifeline = made.container.attach_socket(params={"stdin": 1, "stream": 1})
            made.container.start()
    except BaseException:
        if made:
            made.remove()
        shutil.rmtree(sockets, ignore_errors=True)
        raise
    return made


def _created(host: Engine, name: str, options: dict[str, Any]) -> Container:
    try:
        return host.client.containers.create(IMAGE, **options)
    except ImageNotFound as error:
        raise LabError(f"image {IMAGE} is missing", "`lab build vm` makes it") from error
    except APIError as error:
        raise LabError(f"the guest {name!r} could not be made: {because(error)}") from error


def confined() -> dict[str, Any]:
    """The options of every container of this image: this user, no capability, no network."""
    return {
        "user": f"{os.getuid()}:{os.getgid()}", "cap_drop": ["ALL"], "network_mode": "none", "init": True,
        "security_opt": ["no-new-privileges:true"],
    }  # fmt: skip


def found(host: Engine, name: str | None = None) -> dict[str, Guest]:
    """This user's guests that were not removed, by name: those of running commands too, and those that have ended.

    What carries the label and was not made by `start` is no guest, and is left alone.
    """
    label: dict[str, Any] = {"label": [LABEL, DISK, ownership.OWNER]}
    guests = {}
    for container in host.client.containers.list(all=True, filters=label, ignore_removed=True):
        prefix, called = str(container.name)[: len(PREFIX)], str(container.name)[len(PREFIX) :]
        ours = prefix == PREFIX and container.attrs["Config"]["User"] == confined()["user"]
        if ours and name in (None, called) and ownership.state(container.labels[ownership.OWNER]):
            with suppress(ValueError):
                choice = Choice.model_validate_json(container.labels[LABEL])
                guests[called] = Guest(container, choice, directory(called))
    return guests


def sweep_forgotten(host: Engine) -> None:
    """Remove what is left of the guests whose `lab` was killed outright; they themselves ended with it.

    And the folders of those that somebody else removed.
    """
    for each in found(host).values():
        if ownership.state(each.container.labels.get(ownership.OWNER)) is ownership.State.FORGOTTEN:
            each.remove()
    with locked("guests"):
        there = found(host)
        for folder in runtime().iterdir():
            if folder.is_dir() and folder.name not in there and not answers_in(folder):
                shutil.rmtree(folder, ignore_errors=True)


def kept(host: Engine, name: str = NAME) -> Guest:
    """The guest of that name, though it may have ended.

    Raises:
        UsageError: there is none by that name; with those that there are.
    """
    guests = found(host)
    if name not in guests:
        raise UsageError(f"no guest named {name!r} is up", f"guests that are: {', '.join(sorted(guests)) or 'none'}")
    return guests[name]
