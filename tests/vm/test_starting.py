"""A guest that cannot start: why, in a line, with the last of its console; and nothing of it stays."""

from __future__ import annotations

import io
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.command import wait_for

from lab import disks, engines, guest
from lab.catalog import ROOT
from lab.engine import Choice, Engine
from lab.errors import LabError

from .conftest import PREFIX
from .guests import Patient, left, run

pytestmark = [pytest.mark.docker, pytest.mark.vm, pytest.mark.timeout(600)]

CHOICE = Choice(name="vm", kernel="stable", memory=1024)


@pytest.fixture
def volume(host: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A volume for disks that has none; whoever made a disk there has left no guest."""
    name = f"{PREFIX}{os.getpid()}-disks"
    for module in (disks, guest):
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
        monkeypatch.setattr(disks, "ROOM", 10**18)
        with pytest.raises(
            LabError, match=r"the guest's disk: only \d+ MB are free for a disk; it takes 1000000000000"
        ):
            disks.ready(host, print)
        assert stored(host, volume) == []

    def test_none(self, host: Engine, volume: str) -> None:
        with pytest.raises(LabError, match=r"the guest did not start: it ended\n(?s:.*)/disks/none.disk.*No such file"):
            wait(guest.start(host, f"{PREFIX}a", CHOICE, "/disks/none.disk"))

    def test_not_readable(self, host: Engine, volume: str) -> None:
        # Nor is /dev/kvm tried.
        script = "truncate --size 1M /disks/empty.disk; echo no >/disks/kvm-$(</proc/sys/kernel/random/boot_id)-stable"
        run(host, script, volumes={volume: {"bind": "/disks", "mode": "rw"}})
        with pytest.raises(
            LabError, match=r"the guest did not start: no disk for images at /dev/vdb\n(?s:.*)guest: error"
        ):
            wait(guest.start(host, f"{PREFIX}a", CHOICE, "/disks/empty.disk"))

    def test_half_a_disk_is_none(self, host: Engine, volume: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The guest that fills it hangs: what it has written is worth nothing."""
        run(host, "touch /disks/killed.part", volumes={volume: {"bind": "/disks", "mode": "rw"}})
        monkeypatch.setattr(guest, "LIMIT", 1.0)
        with pytest.raises(LabError, match="the guest's engine did not answer within 1 s:"):
            disks.ready(host, print)
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
        monkeypatch.setattr(disks, "_fill", fill)
        other = threading.Thread(target=lambda: paths.append(disks.ready(host, print)))
        paths.append(disks.ready(host, print))
        other.join(60)
        assert made == paths[:1]
        assert paths == made * 2


class TestBoot:
    def test_it_hangs(self, lab: Patient, host: Engine) -> None:
        done = lab("vm", "up", "--name", f"{PREFIX}a", "--clock", "instructions", LAB_VM_LIMIT="4")
        assert done.status == 1
        assert "lab: the guest's engine did not answer within 4 s:\n" in done.text
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

    @pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM], ids=lambda which: which.name)
    def test_stopped_meanwhile(self, lab: Patient, host: Engine, which: signal.Signals) -> None:
        running = lab.start("vm", "up", "--name", f"{PREFIX}a")
        wait_for(lambda: guest.found(host, f"{PREFIX}a"), "the guest")
        running.interrupt(which)
        done = lab.ended(running)
        assert done.status == 1
        assert f"lab: stopped by {which.name}" in done.text
        assert not list(left(host, PREFIX))

    def test_killed_meanwhile(self, lab: Patient, host: Engine) -> None:
        """Nobody has let the guest live yet: it ends, and is there to be read, taken down or replaced."""
        name = f"{PREFIX}a"
        running = lab.start("vm", "up", "--name", name)
        wait_for(lambda: name in guest.found(host) and guest.found(host)[name].accelerator, "the guest")
        os.killpg(running.pid, signal.SIGKILL)
        running.end()
        wait_for(lambda: not guest.found(host)[name].alive, "the end of its container", limit=20)
        lab.ok("vm", "down", "--name", name)
        assert not list(left(host, PREFIX))


def test_its_clock_runs_too_fast(host: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that takes its processor's counter for a slower one: its seconds are short, no measure would hold."""
    words = f"FROM {guest.IMAGE}\nUSER 0\nRUN sed -i 's/tsc=reliable/& tsc_early_khz=250000/' /usr/local/bin/guest\n"
    image = str(host.client.images.build(fileobj=io.BytesIO(words.encode()), rm=True)[0].id)
    said: list[str] = []
    try:
        monkeypatch.setattr(guest, "IMAGE", image)
        monkeypatch.setattr(engines, "STARTS", 2)
        with pytest.raises(guest.FastClock, match=r"the guest's clock runs \d+\.\d+ times as fast as this machine's"):
            engines.up(host, f"{PREFIX}a", CHOICE, said.append)
        assert [line.rpartition(": ")[2] for line in said] == ["it is started again"]
        assert not list(left(host, PREFIX))
    finally:
        host.client.images.remove(image, force=True)


class TestOptions:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--kernel", "newest"), "--kernel: 'backports' or 'stable' is wanted, got 'newest'"),
            (("--memory", "10"), "--memory: at least 1024 is wanted, got 10"),
            (("--processors", "0"), "--processors: at least 1 is wanted, got 0"),
            (("--clock", "sun"), "--clock: 'wall' or 'instructions' is wanted, got 'sun'"),
            (("--clock", "instructions", "--processors", "2"), "the clock `instructions` has one processor"),
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
