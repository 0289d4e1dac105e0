from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import signals
from lab.errors import LabError

HOLDER = """
import sys
from pathlib import Path
from lab import signals
signals.LOCK = Path(sys.argv[1])
with signals.alone() as say:
    say("run other")
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "lock"
    monkeypatch.setattr(signals, "LOCK", path)
    return path


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_stops(number: signal.Signals) -> None:
    with pytest.raises(signals.Stopped, match=number.name), signals.interruptible():
        os.kill(os.getpid(), number)


def test_later_signals_do_not_disturb_the_cleaning_up() -> None:
    cleaned = []

    @contextmanager
    def slow_to_clean_up() -> Iterator[None]:
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
                os.kill(os.getpid(), number)
                cleaned.append(number)

    with pytest.raises(signals.Stopped, match="SIGTERM"), signals.interruptible(), slow_to_clean_up():
        os.kill(os.getpid(), signal.SIGTERM)
    assert len(cleaned) == 3


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
    with signals.alone() as say:
        say("run r1")
        said = f"another lab is measuring on this machine: run r1, process {os.getpid()}"
        with pytest.raises(LabError, match=f"^{said}$") as caught, signals.alone():
            pytest.fail("both measure")
        assert "wait for it, or stop it" in caught.value.hint
        assert lock.read_text(encoding="utf-8") == f"run r1, process {os.getpid()}\n"
    with signals.alone():
        assert "run that is being prepared" in lock.read_text(encoding="utf-8")


def test_those_that_share_measure_beside_each_other_and_nobody_else_does(lock: Path) -> None:
    with signals.alone("instructions") as say, signals.alone("instructions"):
        say("run r1")
        with pytest.raises(LabError, match="another lab is measuring"), signals.alone():
            pytest.fail("one that must be alone is not")
    with signals.alone(), pytest.raises(LabError, match="another lab is measuring"), signals.alone("instructions"):
        pytest.fail("one that must be alone is not")


def test_a_killed_lab_holds_nothing(lock: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LabError, match=f"run other, process {other.pid}$"), signals.alone():
            pytest.fail("both measure")
        other.kill()
        other.wait()
        with signals.alone() as say:
            say("run r1")
            assert f"run r1, process {os.getpid()}\n" == lock.read_text(encoding="utf-8")


def test_all_users_share_one_lock() -> None:
    assert signals.LOCK.parent == Path("/run/lock")


def test_no_link_is_followed_to_the_lock(lock: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    lock.symlink_to(tmp_path / "precious")
    with pytest.raises(LabError, match="cannot be opened"), signals.alone():
        pytest.fail("a link was followed")
    assert (tmp_path / "precious").read_text() == "kept"


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
