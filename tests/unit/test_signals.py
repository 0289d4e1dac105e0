# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.core import signals
from lab.core.errors import LabError
from lab.runner import lock as lock_of

HOLDER = """
import sys
from pathlib import Path
from lab.runner import lock as lock_of
lock_of.LOCK = Path(sys.argv[1])
with lock_of.alone() as say:
    say("run other")
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "lock"
    monkeypatch.setattr(lock_of, "LOCK", path)
    return path


@pytest.fixture(autouse=True)
def without_nohup() -> Iterator[None]:
    """These tests may themselves run under nohup, which has SIGHUP ignored."""
    former = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, former)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_stops(number: signal.Signals) -> None:
    with pytest.raises(signals.Stopped, match=number.name), signals.interruptible():
        os.kill(os.getpid(), number)


def test_what_nohup_has_ignored_stays_ignored() -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.interruptible():
            os.kill(os.getpid(), signal.SIGHUP)
            with signals.undisturbed():
                os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            with pytest.raises(signals.Stopped, match="SIGTERM"):
                os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGHUP, former)


def test_later_signals_do_not_disturb_the_cleaning_up() -> None:
    cleaned = []

    @contextmanager
    def slow_to_clean_up() -> Iterator[None]:
        try:
            yield
        finally:
            for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
                os.kill(os.getpid(), number)
                cleaned.append(number)

    with pytest.raises(signals.Stopped, match="SIGTERM"), signals.interruptible(), slow_to_clean_up():
        os.kill(os.getpid(), signal.SIGTERM)
    assert len(cleaned) == 4


@pytest.mark.parametrize("stopped", [False, True])
def test_afterwards_signals_do_what_they_did(stopped: bool) -> None:
    former = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        with signals.interruptible():
            assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] != former
            if stopped:
                os.kill(os.getpid(), signal.SIGTERM)
    except signals.Stopped:
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == former


def test_one_measures_at_a_time(lock: Path) -> None:
    with lock_of.alone() as say:
        say("run r1")
        said = f"another lab is measuring on this machine: run r1, process {os.getpid()}"
        with pytest.raises(LabError, match=f"^{said}$") as caught, lock_of.alone():
            pytest.fail("both measure")
        assert "wait for it, or stop it" in caught.value.hint
        assert lock.read_text(encoding="utf-8") == f"run r1, process {os.getpid()}\n"
    with lock_of.alone():
        assert "run that is being prepared" in lock.read_text(encoding="utf-8")


def test_those_that_share_measure_beside_each_other_and_nobody_else_does(lock: Path) -> None:
    with lock_of.alone("instructions") as say, lock_of.alone("instructions"):
        say("run r1")
        with pytest.raises(LabError, match="another lab is measuring"), lock_of.alone():
            pytest.fail("one that must be alone is not")
    with lock_of.alone(), pytest.raises(LabError, match="another lab is measuring"), lock_of.alone("instructions"):
        pytest.fail("one that must be alone is not")


def test_a_killed_lab_holds_nothing(lock: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LabError, match=f"run other, process {other.pid}$"), lock_of.alone():
            pytest.fail("both measure")
        assert lock.stat().st_mode & 0o777 == 0o666, "another user could not say what is measured"
        other.kill()
        other.wait()
        with lock_of.alone() as say:
            say("run r1")
            assert f"run r1, process {os.getpid()}\n" == lock.read_text(encoding="utf-8")


def test_all_users_share_one_lock() -> None:
    assert lock_of.LOCK.parent == Path("/run/lock")


def test_no_link_is_followed_to_the_lock(lock: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    lock.symlink_to(tmp_path / "precious")
    with pytest.raises(LabError, match="cannot be opened"), lock_of.alone():
        pytest.fail("a link was followed")
    assert (tmp_path / "precious").read_text() == "kept"


NOBODY = 65534
root = pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A lock in a folder as /run/lock is: all may write to it, and nobody removes another's file."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o1777)
        path = Path(folder) / "lock"
        monkeypatch.setattr(lock_of, "LOCK", path)
        yield path


def by_another(lock: Path) -> str:
    """What a user without rights says who measures."""
    become = f"import os; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\nlock_of.LOCK"
    script = HOLDER.replace("lock_of.LOCK", become)
    done = subprocess.run([sys.executable, "-c", script, lock], capture_output=True, text=True, input="", check=False)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


@root
@pytest.mark.parametrize("mode", [None, 0o644, 0o666])
def test_after_a_run_by_root_another_user_measures(shared: Path, mode: int | None) -> None:
    """0644: by a lab that made it so, and wrote to it."""
    if mode is None:
        with lock_of.alone() as say:
            say("run r1")
            assert f"run r1, process {os.getpid()}" in by_another(shared)
    else:
        shared.write_text("run r1, process 1\n")
        shared.chmod(mode)
    assert by_another(shared) == "held"
    with lock_of.alone():  # and root again, after a run by another
        assert "a run that is being prepared" in by_another(shared)


@root
def test_after_a_run_of_another_user_root_measures(shared: Path) -> None:
    assert by_another(shared) == "held"
    assert shared.stat().st_uid == NOBODY
    with lock_of.alone():
        assert f"process {os.getpid()}" in by_another(shared)
    assert by_another(shared) == "held"


def fifo(lock: Path) -> None:
    os.mkfifo(lock, 0o666)


def second_name(lock: Path) -> None:
    lock.with_name("precious").write_text("kept")
    lock.hardlink_to(lock.with_name("precious"))


def folder(lock: Path) -> None:
    lock.mkdir()


@pytest.mark.parametrize("trap", [fifo, second_name, folder])
def test_what_is_no_lock_is_refused(lock: Path, trap: Callable[[Path], None]) -> None:
    trap(lock)
    why = "(it is not a plain file with one name|Is a directory)"
    said = rf"^the lock {lock} \(of user {os.getuid()}\) cannot be opened: {why}$"
    with pytest.raises(LabError, match=said) as caught, lock_of.alone():
        pytest.fail("it was taken for the lock")
    assert caught.value.hint == "remove it, or name another file with LAB_LOCK"
    if trap is second_name:
        assert lock.with_name("precious").read_text() == "kept"


@root
def test_one_that_its_owner_keeps_to_himself_is_named(shared: Path) -> None:
    shared.touch(mode=0o600)
    assert "(of user 0) cannot be opened: Permission denied" in by_another(shared)


@pytest.mark.parametrize("text", ["\x1b[31mgotcha\n", "x" * 100_000, "", "two\nlines\n"])
def test_what_anybody_wrote_into_it_is_not_shown(lock: Path, text: str) -> None:
    with lock_of.alone():
        lock.write_text(text)
        with pytest.raises(LabError, match=r"on this machine: not known which$"), lock_of.alone():
            pytest.fail("both measure")


def test_nothing_is_said_of_a_run_that_is_over(lock: Path) -> None:
    with lock_of.alone() as say:
        say("run r1")
    assert not lock.read_text()


def test_a_lock_that_was_removed_is_none(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between opening and holding: whoever comes next would hold another."""
    opened = lock_of._opened
    descriptors = []

    def removed_once() -> int:
        descriptors.append(opened())
        if len(descriptors) == 1:
            lock.unlink()
        return descriptors[-1]

    monkeypatch.setattr(lock_of, "_opened", removed_once)
    with lock_of.alone():
        assert len(descriptors) > 1
        assert "being prepared" in lock.read_text()


def test_a_signal_is_put_off_until_the_work_is_done() -> None:
    done = []

    def sweep() -> None:
        with signals.undisturbed():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("swept")
        done.append("not reached")

    with pytest.raises(signals.Stopped, match="SIGTERM"), signals.interruptible():
        sweep()
    assert done == ["swept"]
