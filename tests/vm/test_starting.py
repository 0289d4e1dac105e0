# SPDX-License-Identifier: MIT
"""A guest that cannot start: why, in a line, with the last of its console; and nothing of it stays."""

from __future__ import annotations

import io
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import Container
from e2e.command import wait_for

from lab.core.errors import LabError
from lab.core.paths import ROOT
from lab.engines import guest, guest_disks, guest_folders, guest_start, guest_states, ownership
from lab.engines.choice import Choice
from lab.engines.engine import Engine

from .conftest import PREFIX
from .guests import Patient, left, run

pytestmark = [pytest.mark.docker, pytest.mark.vm, pytest.mark.timeout(600)]

CHOICE = Choice(name="vm", kernel="stable", memory=1024)


@pytest.fixture
def volume(host: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A volume for disks that has none; whoever made a disk there has left no guest."""
    name = f"{PREFIX}{os.getpid()}-disks"
    for module in (guest_disks, guest):
        monkeypatch.setattr(module, "VOLUME", name)
    host.client.volumes.create(name)
    yield name
    remains = list(left(host, PREFIX, "import-"))
    host.client.volumes.get(name).remove(force=True)
    assert not remains


def stored(host: Engine, volume: str) -> list[str]:
    """The files of a volume."""
    return run(host, "ls /disks", volumes={volume: {"bind": "/disks", "mode": "ro"}}).stdout.split()


class TestImage:
    def test_out_of_date(self, lab: Patient, tmp_path: Path) -> None:
        root = tmp_path / "root"
        shutil.copytree(ROOT / "images", root / "images")
        shutil.copytree(ROOT / "lab", root / "lab", ignore=shutil.ignore_patterns("*.py"))
        shutil.copy2(ROOT / "docker-compose.yml", root)
        with (root / "images" / "vm" / "init").open("a") as init:
            init.write("# another\n")
        for words in (("vm", "up", "--name", f"{PREFIX}a"), ("matrix", "--engine", "vm", "--memory", "1024")):
            done = lab(*words, LAB_ROOT=str(root))
            assert done.status == 1
            assert "the image of the guest is missing or out of date\n     `lab build vm` makes it\n" in done.text
        assert not lab.results.exists()

    def test_missing(self, host: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(guest, "IMAGE", "lab/vm:none-of-this-tag")
        with pytest.raises(LabError, match="image lab/vm:none-of-this-tag is missing") as caught:
            guest.start(host, f"{PREFIX}a", CHOICE, "/disks/none.disk")
        assert caught.value.hint == "`lab build vm` makes it"
        assert not list(left(host, PREFIX))


class TestDisk:
    def test_no_room(self, host: Engine, volume: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(guest_disks, "ROOM", 10**18)
        with pytest.raises(
            LabError, match=r"the guest's disk: only \d+ MB are free for a disk; it takes 1000000000000"
        ):
            guest_disks.ready(host, print)
        assert stored(host, volume) == []

    def test_none(self, host: Engine, volume: str) -> None:
        with pytest.raises(LabError, match=r"the guest did not start: it ended\n(?s:.*)/disks/none.disk.*No such file"):
            wait(guest.start(host, f"{PREFIX}a", CHOICE, "/disks/none.disk"))

    def test_not_readable(self, host: Engine, volume: str) -> None:
        # Nor is /dev/kvm tried.
        script = "truncate --size 1M /disks/empty.disk; echo no >/disks/kvm-$(</proc/sys/kernel/random/boot_id)-stable"
        run(host, script, volumes={volume: {"bind": "/disks", "mode": "rw"}})
        with pytest.raises(LabError, match=r"the guest did not start: no disk for images at /dev/vdb\n"):
            wait(guest.start(host, f"{PREFIX}a", CHOICE, "/disks/empty.disk"))

    def test_half_a_disk_is_none(self, host: Engine, volume: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The guest that fills it hangs: what it has written is worth nothing."""
        run(host, "touch /disks/killed.disk.part", volumes={volume: {"bind": "/disks", "mode": "rw"}})
        monkeypatch.setattr(guest, "LIMIT", 1.0)
        with pytest.raises(LabError, match="the guest's engine did not answer within 1 s:"):
            guest_disks.ready(host, print)
        assert [name for name in stored(host, volume) if not name.startswith("kvm-")] == []

    def test_two_labs_make_one(self, host: Engine, volume: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The second waits for the first, and finds what that made."""
        made: list[str] = []

        def fill(host: Engine, disk: str, *_: object) -> None:
            made.append(disk)
            other.start()
            with pytest.raises(AssertionError):
                wait_for(lambda: len(paths) + len(made) > 1, "nothing", limit=2)
            run(host, 'touch "$1"', disk, volumes={volume: {"bind": "/disks", "mode": "rw"}})

        paths: list[str] = []
        monkeypatch.setattr(guest_disks, "_fill", fill)
        other = threading.Thread(target=lambda: paths.append(guest_disks.ready(host, print)))
        paths.append(guest_disks.ready(host, print))
        other.join(60)
        assert made == paths[:1]
        assert paths == made * 2


class TestBoot:
    def test_it_hangs(self, lab: Patient, host: Engine) -> None:
        done = lab("vm", "up", "--name", f"{PREFIX}a", "--clock", "instructions", LAB_VM_LIMIT="0.5")
        assert done.status == 1
        assert "lab: the guest's engine did not answer within 0.5 s:\n" in done.text
        assert "guest: accelerator" in done.text
        assert "LAB_VM_LIMIT is how many seconds it may take to start" in done.text

    def test_more_memory_than_there_is(self, lab: Patient, host: Engine) -> None:
        overcommits = Path("/proc/sys/vm/overcommit_memory").read_text().strip() == "1"
        if overcommits or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") > 255 * 2**30:
            pytest.skip("this machine would give it")
        done = lab("vm", "up", "--name", f"{PREFIX}a", "--memory", "262144")
        assert done.status == 1
        assert "lab: the guest did not start: it ended\n" in done.text
        assert "Cannot allocate memory" in done.text

    @pytest.fixture(scope="class")
    def state(self, host: Engine) -> None:
        """The state that `vm up` goes on from by default: there already, so that its guest is started at once."""
        guest_states.ready(host, Choice(name="vm"), guest_disks.ready(host, print), print)

    def test_stopped_while_its_state_is_made(self, lab: Patient, host: Engine) -> None:
        """The next one begins anew: half a state is none."""
        running = lab.start("vm", "up", "--name", f"{PREFIX}a", "--memory", "1030", wrap=("env", "--default-signal"))
        wait_for(lambda: guest.existing(host, f"state-{running.pid}"), "the guest that leaves a state")
        running.interrupt(signal.SIGINT)
        done = lab.ended(running)
        assert done.status == 1
        assert "lab: stopped by SIGINT" in done.text
        assert not list(left(host, PREFIX, f"state-{running.pid}"))
        assert not [name for name in stored(host, guest.VOLUME) if "-1030-" in name]

    @pytest.mark.usefixtures("state")
    @pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda which: which.name)
    def test_stopped_meanwhile(self, lab: Patient, host: Engine, which: signal.Signals) -> None:
        running = lab.start("vm", "up", "--name", f"{PREFIX}a", wrap=("env", "--default-signal"))
        wait_for(lambda: guest.existing(host, f"{PREFIX}a"), "the guest")
        running.interrupt(which)
        done = lab.ended(running)
        assert done.status == 1
        assert f"lab: stopped by {which.name}" in done.text
        assert not list(left(host, PREFIX))

    @pytest.mark.usefixtures("state")
    def test_killed_meanwhile(self, lab: Patient, host: Engine) -> None:
        """Nobody has let the guest live yet: it ends, and is there to be read, taken down or replaced."""
        name = f"{PREFIX}a"
        running = lab.start("vm", "up", "--name", name)
        wait_for(lambda: name in guest.existing(host) and guest.existing(host)[name].accelerator, "the guest")
        os.killpg(running.pid, signal.SIGKILL)
        running.end()
        wait_for(lambda: not guest.existing(host)[name].alive, "the end of its container", limit=20)
        lab.ok("vm", "down", "--name", name)
        assert not list(left(host, PREFIX))


NO_TIMER = "s/-nodefaults/& -machine pc,pit=off,hpet=off/; s,/dev/kvm,/dev/none,; s/ no_timer_check//"
"""A machine whose timer never ticks, and on no processor but an emulated one; as it was without `no_timer_check`."""


@pytest.mark.parametrize(
    ("change", "wrong", "starts"),
    [
        # A kernel that takes its processor's counter for a slower one: its seconds are short, no measure would hold.
        (
            "s/tsc=reliable/& tsc_early_khz=250000/",
            r"the guest's clock runs \d+\.\d+ times as fast as this machine's",
            1,
        ),
        (NO_TIMER, "the guest did not start: its kernel saw no interrupt of the emulated timer in time", 2),
    ],
    ids=["fast-clock", "no-timer"],
)
def test_a_fault_of_the_emulator(
    host: Engine, monkeypatch: pytest.MonkeyPatch, change: str, wrong: str, starts: int
) -> None:
    """It is tried again, and so often."""
    words = f"FROM {guest.IMAGE}\nUSER 0\nRUN sed -i '{change}' /usr/local/bin/guest\n"
    image = str(host.client.images.build(fileobj=io.BytesIO(words.encode()), rm=True)[0].id)
    said: list[str] = []
    try:
        monkeypatch.setattr(guest, "IMAGE", image)
        monkeypatch.setattr(guest, "STARTS", starts)
        with pytest.raises(guest.Misstart, match=wrong):
            guest_start.up(host, f"{PREFIX}a", CHOICE, said.append)
        assert [line.rpartition(": ")[2] for line in said[1:]] == ["it is started again"] * (starts - 1)
        assert not list(left(host, PREFIX))
    finally:
        host.client.images.remove(image, force=True)


def test_its_kernel_does_not_ask_whether_the_timer_ticked_in_time() -> None:
    """Where the machine is busy, the answer is a panic."""
    assert " no_timer_check " in (ROOT / "images" / "vm" / "guest").read_text()


class TestFolders:
    """The folders of guests: of one that is gone they go, and no other."""

    def test_of_a_guest_that_somebody_removed(self, host: Engine) -> None:
        name = f"{PREFIX}gone"
        there = guest.start(host, name, CHOICE, "/disks/none.disk")
        guest.sweep_forgotten(host)
        assert there.directory.is_dir(), "that of one that is there"
        there.container.remove(force=True)
        guest.sweep_forgotten(host)
        assert not there.directory.exists()

    def test_of_a_guest_of_another_engine(self, host: Engine) -> None:
        folder = guest_folders.directory(f"{PREFIX}elsewhere")
        folder.mkdir(mode=0o700)
        with socket.socket(socket.AF_UNIX) as line:
            line.bind(str(folder / "docker.sock"))
            line.listen()
            guest.sweep_forgotten(host)
            assert folder.is_dir()
        guest.sweep_forgotten(host)
        assert not folder.exists()

    def test_what_is_no_folder(self, host: Engine, tmp_path: Path) -> None:
        (tmp_path / "kept").touch()
        link = guest_folders.directory(f"{PREFIX}link")
        link.symlink_to(tmp_path)
        try:
            guest.sweep_forgotten(host)
            assert (tmp_path / "kept").exists()
        finally:
            link.unlink()

    def test_not_while_a_guest_is_being_made(self, host: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its folder is there before its container is."""
        created = guest._created
        name = f"{PREFIX}new"

        def slow(*words: Any) -> Container:
            sweep.start()
            with pytest.raises(AssertionError):
                wait_for(lambda: not guest_folders.directory(name).exists(), "the folder to go", limit=2)
            return created(*words)

        monkeypatch.setattr(guest, "_created", slow)
        sweep = threading.Thread(target=guest.sweep_forgotten, args=(host,))
        there = guest.start(host, name, CHOICE, "/disks/none.disk")
        sweep.join(60)
        assert there.directory.is_dir()
        there.remove()


@pytest.mark.parametrize("labels", [{guest.LABEL: "{}"}, {guest.LABEL: "no", guest.DISK: "", ownership.OWNER: "1:2:3"}])
def test_a_strangers_container_is_no_guest(lab: Patient, host: Engine, labels: dict[str, str]) -> None:
    container = host.client.containers.create(guest.IMAGE, ["true"], name=f"lab-vm-{PREFIX}stranger", labels=labels)
    try:
        assert f"{PREFIX}stranger" not in lab.ok("vm", "status").text
        assert lab("vm", "down", "--name", f"{PREFIX}stranger").status == 2
        container.reload()
    finally:
        container.remove()


class TestOptions:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--kernel", "newest"), "--kernel: 'backports' or 'stable' is wanted, got 'newest'"),
            (("--memory", "10"), "--memory: at least 1024 is wanted, got 10"),
            (("--processors", "0"), "--processors: at least 1 is wanted, got 0"),
            (("--clock", "sun"), "--clock: 'wall' or 'instructions' is wanted, got 'sun'"),
            (
                ("--clock", "instructions", "--processors", "2"),
                "the clock `instructions` works with one processor only",
            ),
        ],
        ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
    )
    def test_wrong(self, lab: Patient, words: tuple[str, ...], said: str) -> None:
        done = lab("vm", "up", "--name", f"{PREFIX}a", *words)
        assert done.status == 2, done.text
        assert said in done.text


def wait(made: guest.Guest) -> None:
    """Wait for a guest, and remove it."""
    began = time.monotonic()
    try:
        made.wait()
    finally:
        made.remove()
        assert time.monotonic() - began < guest.LIMIT
