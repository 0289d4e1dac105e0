# SPDX-License-Identifier: MIT
"""Which engine may be chosen, and in which words a wrong choice is refused; how long an engine is waited for."""

from __future__ import annotations

import subprocess
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import ValidationError

from lab.benches.vpn.settings import Settings
from lab.cli.options import engine_choice
from lab.core.command import Result
from lab.core.errors import LabError, UsageError
from lab.engines.choice import Choice
from lab.engines.engine import ASKED, GRACE, MARKED, Engine
from lab.runner.settings import faults


def test_without_a_word_it_is_this_machine() -> None:
    assert engine_choice("host") == Choice()
    assert (Choice().name, Choice().clock, Choice().guests) == ("host", "wall", 1)


@pytest.mark.parametrize(
    ("options", "cores"),
    [
        ({"name": "vm"}, 2),
        ({"name": "vm", "clock": "instructions"}, 1),
        ({"name": "vm", "processors": 1}, 1),
        ({"name": "vm", "processors": 4}, 4),
        ({"name": "vm", "clock": "instructions", "processors": 1, "guests": 2}, 1),
    ],
    ids=str,
)
def test_the_processors_of_a_guest(options: dict[str, Any], cores: int) -> None:
    assert engine_choice(**options).cores == cores


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "hots"}, "--engine: 'host', 'vm' or 'cable' is wanted, got 'hots'"),
        ({"name": "vm", "clock": "sundial"}, "--clock: 'wall' or 'instructions' is wanted, got 'sundial'"),
        ({"name": "vm", "kernel": "5.4"}, "--kernel: 'backports' or 'stable' is wanted, got '5.4'"),
        ({"name": "vm", "memory": 512}, "--memory: at least 1024 is wanted, got 512"),
        ({"name": "vm", "processors": 65}, "--processors: at most 64 is wanted, got 65"),
        ({"name": "vm", "guests": 0}, "--guests: at least 1 is wanted, got 0"),
        (
            {"name": "host", "clock": "instructions"},
            "--engine: the clock `instructions` needs --engine vm: only an emulator can count instructions",
        ),
        (
            {"name": "vm", "clock": "instructions", "processors": 2},
            "--engine: the clock `instructions` works with one processor only: leave --processors out",
        ),
        (
            {"name": "vm", "guests": 2},
            "--engine: several guests disturb each other on the wall clock: add --clock instructions",
        ),
        (
            {"name": "host", "guests": 2},
            "--engine: several guests disturb each other on the wall clock: add --clock instructions",
        ),
        (
            {"name": "vn", "clock": "wal"},
            (
                "--engine: 'host', 'vm' or 'cable' is wanted, got 'vn'\n"
                "--clock: 'wall' or 'instructions' is wanted, got 'wal'"
            ),
        ),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_a_choice_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        engine_choice(**options)
    assert caught.value.message == said


def test_the_settings_of_a_run_are_refused_in_the_same_words() -> None:
    """There the choice is one of several settings, and has a name of its own."""
    wrong: dict[str, Any] = {"blocks": 0, "engine": {"name": "host", "clock": "instructions"}}
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(wrong)
    assert faults(caught.value).message.splitlines() == [
        "--blocks: at least 1 is wanted, got 0",
        "--engine: the clock `instructions` needs --engine vm: only an emulator can count instructions",
    ]
    wrong["engine"] = {"name": "vm", "memory": "much"}
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(wrong)
    assert "--memory: a whole number is wanted" in faults(caught.value).message


def test_a_run_of_before_there_were_engines_to_choose_has_the_one_there_was() -> None:
    assert Settings.model_validate({"vpns": ["alpha"]}).engine == Choice()


def test_a_choice_comes_back_from_what_a_run_keeps_of_it() -> None:
    choice = Choice(name="vm", clock="instructions", kernel="stable", guests=2)
    assert Choice.model_validate_json(choice.model_dump_json()) == choice


class Shell:
    """A container that is told commands; `answer` is what Docker makes of them."""

    name = "lab-x-server"

    def __init__(self, *answer: Any, hangs: threading.Event | None = None) -> None:
        self.answer, self.hangs = answer, hangs
        self.told: list[list[str]] = []

    def exec_run(self, argv: list[str], *, demux: bool) -> tuple[Any, Any]:
        self.told.append(argv)
        if self.hangs:
            assert self.hangs.wait(30), "nobody killed its machine"
        return cast(tuple[Any, Any], self.answer)


def engine(**options: Any) -> Engine:
    return Engine(cast(Any, SimpleNamespace()), facts={"NCPU": 2}, **options)


@pytest.mark.parametrize(("patience", "limit"), [(1.0, "5.0"), (10.0, "50.0")])
def test_a_command_may_take_as_long_as_the_engine_is_slow(patience: float, limit: str) -> None:
    shell = Shell(0, (b"out\x04", b"\x04"))
    result = engine(patience=patience).execute(cast(Any, shell), ["true"], timeout=5)
    assert result == Result(0, "out", "")
    assert [told[-4:] for told in shell.told] == [["timeout", "--kill-after=2", limit, "true"]]


@pytest.mark.parametrize(
    ("printed", "read"),
    [
        ((b"", b"\x04"), Result(0, None, "")),
        ((b"12\x04", None), Result(0, "12", None)),
        ((b"12\x04later", b"\x04"), Result(0, "12later", "")),
        ((b"cut off", b"\x04"), Result(0, None, "")),
    ],
)
def test_an_output_without_its_end_was_lost(printed: tuple[Any, Any], read: Result) -> None:
    result = engine().execute(cast(Any, Shell(0, printed)), ["true"])
    assert result == read
    assert result.lost == (None in (read.out, read.err))
    if read.out is None:
        with pytest.raises(LabError, match="the engine lost the output"):
            _ = result.stdout
        assert "lost what it printed" in result.complaint


def test_a_command_that_only_reads_is_run_until_its_output_is_whole() -> None:
    shell = Shell()
    answers = iter([(0, (None, None)), (0, (b"1", b"\x04")), (0, (b"12\x04", b"\x04"))])
    shell.exec_run = lambda argv, *, demux: next(answers)  # type: ignore[method-assign]
    assert engine().ask(cast(Any, shell), ["cat"]).stdout == "12"
    assert not list(answers)


def test_reading_is_given_up_in_the_end() -> None:
    shell = Shell(0, (None, None))
    assert engine().ask(cast(Any, shell), ["cat"]).lost
    assert len(shell.told) == ASKED


def test_the_marks_end_both_outputs_and_keep_the_status() -> None:
    """MARKED is run by a real shell: what the command prints is whole, and its status is its own."""
    ran = subprocess.run([*MARKED, "sh", "-c", "echo out; echo err >&2; exit 7"], capture_output=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (7, b"out\n\x04", b"err\n\x04")


def test_a_container_that_stops_under_a_command() -> None:
    with pytest.raises(LabError, match="lab-x-server stopped while it ran iperf3"):
        engine().execute(cast(Any, Shell(None, (b"", b""))), ["iperf3"])


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> list[threading.Timer]:
    """Every timer that is made; each goes off at once, if it is still wanted."""
    made: list[threading.Timer] = []
    timer = threading.Timer

    def soon(seconds: float, function: Any) -> threading.Timer:
        made.append(timer(0, function))
        made[-1].name = f"{seconds:g} s"
        return made[-1]

    monkeypatch.setattr("lab.engines.engine.threading.Timer", soon)
    return made


def test_a_machine_that_answers_nothing_is_killed_when_its_own_limit_is_long_over(
    timers: list[threading.Timer],
) -> None:
    killed = threading.Event()
    hanging = Shell(137, (b"", b""), hangs=killed)
    assert engine(patience=10.0, kill=killed.set).execute(cast(Any, hanging), ["true"], timeout=5).status == 137
    assert [timer.name for timer in timers] == [f"{GRACE + 50:g} s"]  # 5 s ten times over, and more


def test_a_machine_that_answers_is_left_alone() -> None:
    killed = threading.Event()
    engine(kill=killed.set).execute(cast(Any, Shell(0, (b"", b""))), ["true"], timeout=5)
    assert not killed.is_set()
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer) and thread.is_alive()
                and not thread.finished.is_set()]  # fmt: skip


def test_nothing_is_killed_where_there_is_no_machine_of_its_own(timers: list[threading.Timer]) -> None:
    assert engine().execute(cast(Any, Shell(0, (b"", b""))), ["true"], timeout=5).status == 0
    assert len(timers) == 1
