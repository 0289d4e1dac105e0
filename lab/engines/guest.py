# SPDX-License-Identifier: MIT
"""A guest: QEMU in a container runs a stock kernel with a Docker engine. `guest_disks` makes its disks."""

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

from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from requests.exceptions import RequestException

from lab.core.errors import LabError, UsageError
from lab.core.signals import undisturbed
from lab.engines import ownership
from lab.engines.choice import Choice
from lab.engines.client import Client
from lab.engines.engine import Engine, because
from lab.engines.guest_faults import fault_of
from lab.engines.guest_folders import answers_in, directory, locked, runtime
from lab.engines.guest_plug import Plug
from lab.engines.profiler import Profiler

Say = Callable[[str], None]
PREFIX = "lab-vm-"
"""The prefix of the name of a guest's container."""
NAME = "vm"
"""The default name of a guest that a person keeps up."""
LABEL = f"{ownership.SPACE}.guest"
"""The label of a guest's container with its choice, as JSON."""
LIMIT = float(os.environ.get("LAB_VM_LIMIT", "600"))
"""Seconds, on this machine, within which a guest's engine must answer."""
PATIENCE = 10.0
"""The factor for time limits in a guest: an emulated processor is slow."""
ANSWER = 300
"""Seconds within which its engine must answer a request."""
DEVICE = Path("/dev/kvm")
ENDING = 5
"""Seconds to wait for the end of a guest that no longer answers. One that hangs prints no more."""
UPTIME = re.compile(r"^(\S+Z) guest: uptime ([\d.]+)\s*$", re.MULTILINE)
"""The console line with the guest's uptime in seconds. Docker's time stamp comes first."""
LATE = re.compile(r"\d+/\d+/\d+ [\d:]+ socat\[")
IMAGE = "lab/vm:latest"
VOLUME = "lab-vm-disks" + (f"-{os.getuid()}" if os.getuid() else "")
"""The volume with the disks of this user."""
DISK = f"{ownership.SPACE}.disk"
"""The label of a guest's container with the path of its disk."""


STARTS = 3
"""How many times a guest is started if such a fault occurs."""


class Ended(LabError):
    """A guest ended before its engine answered."""


class Misstart(LabError):
    """A fault of the emulator stopped a guest. Another start may succeed."""


@dataclass
class Guest:
    """A started guest. It ends when its `lifeline` connection closes. A guest that is kept has no lifeline.

    One that `leaves` its state ends by itself once its engine has started.
    """

    container: Container
    choice: Choice
    directory: Path
    lifeline: Any = None
    leaves: bool = False

    @property
    def disk(self) -> str:
        """The path of its disk."""
        return str(self.container.labels[DISK])

    @property
    def alive(self) -> bool:
        """Whether the guest was started and has not ended."""
        return self.container.status not in ("created", "exited", "dead", "removing")

    def is_current(self, host: Engine) -> bool:
        """Whether its image is the current one."""
        return bool(self.container.attrs["Image"] == host.image_id(IMAGE))

    def console(self, lines: int) -> str:
        """The last lines of output of the guest and its QEMU."""
        try:
            return self.container.logs(tail=lines).decode(errors="replace").strip()
        except DockerException:
            return ""

    @property
    def accelerator(self) -> str:
        """QEMU's accelerator: kvm or tcg; empty before QEMU has started."""
        prefix = "guest: accelerator "
        lines = self.console(400).splitlines()
        return next((line.removeprefix(prefix) for line in lines if line.startswith(prefix)), "")

    def last_words(self, lines: int = 12) -> str:
        """The last lines of the console, or the first lines of a kernel panic. Failures of late requests are left out.

        A guest that is ending gets time to end: its connections close before its last output arrives.
        """
        with suppress(DockerException, RequestException):
            self.container.wait(timeout=ENDING)
        output = [line for line in self.console(400).splitlines() if not LATE.match(line)]
        panics = [number for number, line in enumerate(output) if "Kernel panic" in line]
        return "\n".join(output[panics[0] :][:lines] if panics else output[-lines:])

    def pace(self) -> float:
        """Seconds of uptime that the guest reported, per second since its start; 0 before the report.

        It is less than 1, since the kernel starts later than QEMU. Above 1, the guest's clock is too fast. 8
        occurred, on an emulated processor whose kernel misjudged its counter (arch/x86/kernel/tsc.c).
        """
        uptimes = UPTIME.findall(self.container.logs(timestamps=True).decode(errors="replace"))
        if not uptimes:
            return 0.0
        timestamp, uptime = uptimes[-1]
        elapsed = datetime.fromisoformat(timestamp) - datetime.fromisoformat(self.container.attrs["State"]["StartedAt"])
        return float(uptime) / elapsed.total_seconds()

    def _judge(self) -> None:
        """Raise Misstart if the guest has a fault that another start may avoid."""
        if fault := fault_of(self.console(400)):
            raise Misstart(f"the guest did not start: {fault}\n{self.last_words()}", HINT)
        if self.choice.clock == "wall" and (pace := self.pace()) > 1:
            raise Misstart(f"the guest's clock runs {pace:.2f} times as fast as this machine's", "start it again")

    def wait(self) -> None:
        """Wait until its Docker engine answers; or until it has left its state.

        Raises:
            Misstart: its emulator had a fault, or its seconds are shorter than this machine's, so that no measurement
                in it would be valid.
            LabError: it ended, gave up, or is not up in time; with the end of its console.
        """
        deadline = time.monotonic() + LIMIT
        while "guest: engine ready" not in (text := self.console(200)) or not self._answers():
            errors = [line.removeprefix("guest: error: ") for line in text.splitlines() if "guest: error:" in line]
            try:
                self.container.reload()
            except NotFound as error:
                raise LabError("the guest did not start: its container was removed") from error
            if errors or self.container.status != "running":
                if self.leaves and not errors and self.container.attrs["State"]["ExitCode"] == 0:
                    break
                self._judge()
                raise Ended(
                    f"the guest did not start: {errors[-1] if errors else 'it ended'}\n{self.last_words()}", HINT
                )
            if time.monotonic() > deadline:
                raise LabError(f"the guest's engine did not answer within {LIMIT:g} s:\n{self.last_words()}", HINT)
            time.sleep(0.1)
        if not self.leaves:
            self.container.reload()
        self._judge()

    def let_live(self) -> None:
        """Let the guest outlive this process: give up the lifeline."""
        self.lifeline._sock.sendall(b"keep\n")
        self.lifeline.close()
        self.lifeline = None

    def _answers(self) -> bool:
        """Whether requests arrive. The connection may be ready a moment later than the engine."""
        try:
            return bool(self._client(timeout=10).ping())
        except (DockerException, RequestException):
            return False

    def _client(self, timeout: int) -> Client:
        return Client(base_url=f"unix://{self.directory / 'docker.sock'}", timeout=timeout)

    def connect(self) -> Engine:
        """Its engine.

        Raises:
            LabError: it does not answer; with the end of the guest's console.
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
            profiler=Profiler(self.container, self.directory) if self.choice.clock == "instructions" else None,
        )

    def _version(self) -> str:
        output = cast("bytes", self.container.exec_run(["qemu-system-x86_64", "--version"]).output)
        return output.decode(errors="replace").partition("\n")[0]

    def stop(self) -> int:
        """Shut the guest down, so that its disk is complete. Returns its exit status (0: it is)."""
        self.container.stop(timeout=60)
        return int(self.container.wait()["StatusCode"])

    def remove(self) -> None:
        """Kill and remove the guest, whatever its state."""
        try:
            with suppress(NotFound):
                self.container.remove(force=True, v=True)
        except APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:  # another process is removing it already
                raise
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)


HINT = "`lab vm logs` shows the console of a guest that is up; LAB_VM_LIMIT is how many seconds it may take to start"


def started(host: Engine, name: str, choice: Choice, disk: str, say: Say, **options: Any) -> Guest:
    """`start` a guest and wait until its engine answers. After a fault of the emulator, start it again.

    Raises:
        LabError: it did not start; nothing is left behind.
    """
    for attempts_left in reversed(range(STARTS)):
        guest = start(host, name, choice, disk, **options)
        try:
            guest.wait()
            break
        except Misstart as error:
            guest.remove()
            if not attempts_left:
                raise
            say(f"{error.message.partition(chr(10))[0]}: it is started again")
        except BaseException:
            guest.remove()
            raise
    return guest


def start(
    host: Engine,
    name: str,
    choice: Choice,
    disk: str,
    *,
    keep: bool = False,
    write: bool = False,
    words: str = "",
    resume: str = "",
    save: str = "",
    plug: Plug | None = None,
) -> Guest:
    """Start a guest with a disk of `lab.engines.guest_disks`. With `write`, changes to that disk stay.

    `words` are added to its kernel command line; a measurement has none. It goes on from the state in the
    folder `resume` (`lab.engines.guest_states`); or it is booted, leaves its state in the folder `save`, and ends.
    With `plug` it has a network card more, on a cable.

    This process holds the guest's standard input. So the guest ends with this process, until `let_live`. A guest to
    `keep` has no owner, so that no sweep takes it for forgotten.

    Raises:
        LabError: the image is missing, the name is taken, or the engine refuses.
    """
    if former_guest := existing(host, name).get(name):
        if former_guest.alive:
            raise LabError(f"the guest {name!r} is up already", f"`lab vm down --name {name}` stops it")
        former_guest.remove()
    sockets = directory(name)
    environment = {
        "KERNEL": choice.kernel, "CLOCK": choice.clock, "PROCESSORS": choice.cores, "MEMORY": choice.memory,
        "DISK": disk, "KEEP": "disk" if write else "", "WORDS": words, "RESUME": resume, "SAVE": save,
    }  # fmt: skip
    more_environment, more_volumes = plug.options() if plug else ({}, {})
    options: dict[str, Any] = {
        "command": ["guest"],
        "name": f"{PREFIX}{name}",
        "environment": {key: str(value) for key, value in environment.items()} | more_environment,
        # It is no lab: `lab down` ignores it.
        "labels": {
            ownership.OWNER: ownership.PERSON if keep else ownership.this_process(),
            LABEL: choice.model_dump_json(),
            DISK: disk,
        },
        "volumes": {
            str(sockets): {"bind": "/run/guest", "mode": "rw"},
            VOLUME: {"bind": "/disks", "mode": "rw"},
            **more_volumes,
        },
        "stdin_open": True,
        **confined(),
    }
    if DEVICE.exists() and choice.clock == "wall":
        options |= {"devices": [f"{DEVICE}:{DEVICE}"], "group_add": [DEVICE.stat().st_gid]}
    guest = None
    try:
        # A guest that was created but is not known here would stay, and the next sweep would remove its folder.
        with undisturbed(), locked("guests"):
            shutil.rmtree(sockets, ignore_errors=True)
            sockets.mkdir(mode=0o700)
            if plug:
                plug.folder.mkdir(mode=0o700, exist_ok=True)
            guest = Guest(_created(host, name, options), choice, sockets, leaves=bool(save))
            guest.lifeline = guest.container.attach_socket(params={"stdin": 1, "stream": 1})
            guest.container.start()
    except BaseException:
        if guest:
            guest.remove()
        shutil.rmtree(sockets, ignore_errors=True)
        raise
    return guest


def _created(host: Engine, name: str, options: dict[str, Any]) -> Container:
    try:
        return host.client.containers.create(IMAGE, **options)
    except ImageNotFound as error:
        raise LabError(f"image {IMAGE} is missing", "`lab build vm` makes it") from error
    except APIError as error:
        raise LabError(f"the guest {name!r} could not be made: {because(error)}") from error


def confined() -> dict[str, Any]:
    """The options of every container of this image: this user, no capabilities, no network."""
    return {
        "user": f"{os.getuid()}:{os.getgid()}", "cap_drop": ["ALL"], "network_mode": "none", "init": True,
        "security_opt": ["no-new-privileges:true"],
    }  # fmt: skip


def existing(host: Engine, name: str | None = None) -> dict[str, Guest]:
    """This user's guests by name, also those of running commands, and those that have ended.

    A container that has the label but was not made by `start` is no guest, and is ignored.
    """
    label: dict[str, Any] = {"label": [LABEL, DISK, ownership.OWNER]}
    guests = {}
    for container in host.client.containers.list(all=True, filters=label, ignore_removed=True):
        prefix, guest_name = str(container.name)[: len(PREFIX)], str(container.name)[len(PREFIX) :]
        is_ours = prefix == PREFIX and container.attrs["Config"]["User"] == confined()["user"]
        if is_ours and name in (None, guest_name) and ownership.state(container.labels[ownership.OWNER]):
            with suppress(ValueError):
                choice = Choice.model_validate_json(container.labels[LABEL])
                guests[guest_name] = Guest(container, choice, directory(guest_name))
    return guests


def sweep_forgotten(host: Engine) -> None:
    """Remove the containers of guests whose `lab` was killed; the guests ended with it.

    Also remove the folders of guests that somebody else removed.
    """
    for guest in existing(host).values():
        if ownership.state(guest.container.labels.get(ownership.OWNER)) is ownership.State.FORGOTTEN:
            guest.remove()
    with locked("guests"):
        guests = existing(host)
        for folder in runtime().iterdir():
            if folder.is_dir() and folder.name not in guests and not answers_in(folder):
                shutil.rmtree(folder, ignore_errors=True)


def kept(host: Engine, name: str = NAME) -> Guest:
    """The guest of that name. It may have ended.

    Raises:
        UsageError: there is no such guest; lists this user's guests.
    """
    guests = existing(host)
    if name not in guests:
        raise UsageError(f"no guest named {name!r} is up", f"guests: {', '.join(sorted(guests)) or 'none'}")
    return guests[name]
