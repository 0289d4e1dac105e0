# SPDX-License-Identifier: MIT
"""Stopped at any moment: nothing is left behind, nothing measured is lost, and the run can go on."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from lab.engines.engine import SOCKET
from lab.engines.ownership import NAME, OWNER

from .command import LAB, Lab, Running, left_behind, owned_by, samples, top, wait_for

pytestmark = pytest.mark.docker

LONG = ("matrix", "--vpns", "plain", "--measures", "throughput", "--no-report", "--blocks", "2", "--duration")


def held(lab: Lab, running: Running) -> list[str]:
    """Everything in Docker that a command made."""
    return list(left_behind(lab.engine, owned_by(running)))


class Way:
    """A socket beside the engine's that passes everything on, until it is closed: every connection is cut then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.open: list[socket.socket] = []
        self.door = socket.socket(socket.AF_UNIX)
        self.door.bind(str(path))
        self.door.listen(64)
        threading.Thread(target=self._let_in, daemon=True).start()

    def _let_in(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self.door.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(str(SOCKET))
                self.open += [caller, engine]
                for one, other in ((caller, engine), (engine, caller)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while part := one.recv(65536):
                other.sendall(part)
            other.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Cut every connection, and let nobody in any more."""
        self.path.unlink(missing_ok=True)
        for each in [self.door, *self.open]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def __enter__(self) -> Way:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


MOMENTS: dict[str, Callable[[Lab, Running], object]] = {
    "wire": lambda lab, running: wait_for(lambda: "network" in str(held(lab, running)), "the wire"),
    "containers": lambda lab, running: lab.until_container(running, "server"),
    "load": lambda lab, running: lab.until_container(running, "client-load", "iperf3 --client"),
    "between": lambda lab, running: running.until(r"1/2 block 1 plain .*Mbit/s"),
}


@pytest.mark.parametrize(
    ("which", "moment", "kept"),
    [
        (signal.SIGINT, "wire", 0),
        (signal.SIGTERM, "containers", 0),
        (signal.SIGINT, "load", 0),
        (signal.SIGTERM, "load", 0),
        (signal.SIGHUP, "load", 0),
        (signal.SIGINT, "between", 1),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_a_run_is_stopped(lab: Lab, which: signal.Signals, moment: str, kept: int) -> None:
    # These tests may themselves run under nohup, which has the signal ignored in every process from there on.
    running = lab.start(*LONG, "1" if moment == "between" else "20", wrap=("env", "--default-signal"))
    MOMENTS[moment](lab, running)
    running.interrupt(which)
    done = running.end()
    assert done.status == 1, done.text
    assert "Traceback" not in done.text
    folder = lab.run()
    assert f"stopped by {which.name}; {kept} samples are kept in {folder}" in done.text
    assert f"`lab matrix --resume {folder.name}` resumes the run" in done.text
    assert len(samples(folder)) == kept
    assert not held(lab, running)
    if kept:
        lab.ok("matrix", "--no-report", "--resume", folder.name)
        assert [sample["block"] for sample in samples(folder)] == [0, 1]


def test_a_run_is_stopped_while_many_tunnels_come_up(lab: Lab) -> None:
    words = ("matrix", "--vpns", "plain", "--measures", "setup", "--tunnels", "50", "--no-report", "--blocks", "1")
    running = lab.start(*words, wrap=("env", "--default-signal"))
    lab.until_container(running, "client", "clients-up")
    running.interrupt(signal.SIGINT)
    done = running.end()
    assert done.status == 1, done.text
    assert "Traceback" not in done.text
    assert not samples(lab.run())
    assert not held(lab, running)


def test_the_terminal_goes(lab: Lab) -> None:
    """As where the connection of an ssh drops: nobody reads any more what the command says."""
    ours, theirs = pty.openpty()
    # A session of its own, and that terminal its own (TIOCSCTTY): when it goes, SIGHUP comes.
    script = "import fcntl, os, sys, termios; fcntl.ioctl(3, termios.TIOCSCTTY); os.execv(sys.argv[1], sys.argv[1:])"
    environment = {**lab.environment, "LAB_RESULTS": str(lab.results)}
    argv = [sys.executable, "-c", script, str(LAB), *LONG, "20"]
    shell = ["sh", "-c", 'exec "$@" 3<&0', "sh", *argv]
    process = subprocess.Popen(
        shell, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)

    def held() -> list[str]:
        everything = left_behind(lab.engine, lambda labels: labels[OWNER].startswith(f"{process.pid}:"))
        return list(everything)

    try:
        wait_for(lambda: any("client-load" in each for each in held()), "the load's container")
        os.close(ours)
        assert process.wait(60) == 1
        assert not held()
    finally:
        process.kill()
        process.wait()


def test_nohup_goes_on_without_its_terminal(lab: Lab) -> None:
    running = lab.start(*LONG, "1", wrap=("nohup",))
    lab.until_container(running, "client-load")
    running.interrupt(signal.SIGHUP)
    assert running.end().status == 0, running.text
    assert [sample["outcome"] for sample in samples(lab.run())] == ["ok", "ok"]


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda which: which.name)
def test_a_lab_is_stopped_while_it_comes_up(toy: Lab, which: signal.Signals) -> None:
    toy.ok("build", "toy")
    running = toy.start("up", "toy", "--variant", "hangs", "--name", "e2e-stopped")
    server = "lab-e2e-stopped-server"

    def coming_up() -> bool:
        assert running.process.poll() is None, running.text
        found = toy.engine.client.containers.list(filters={"name": server}, ignore_removed=True)
        return any("bash /usr/local/bin/up" in row[-1] for each in found for row in top(each))

    wait_for(coming_up, "the server to hang")
    running.interrupt(which)
    done = running.end()
    assert done.status != 0
    assert "Traceback" not in done.text
    assert not list(left_behind(toy.engine, lambda labels: labels[NAME] == "e2e-stopped"))


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda which: which.name)
@pytest.mark.parametrize("words", [("doctor",), (*LONG, "1")], ids=["doctor", "matrix"])
def test_stopped_while_the_kernel_is_asked(toy: Lab, root: Path, which: signal.Signals, words: tuple[str, ...]) -> None:
    """The containers in which features are probed are the lab's too: each goes, at the latest with the next sweep."""
    path = root / "images" / "toy" / "vpn.yaml"
    probe = "  kernel: [{feature: Patience, config: CONFIG_PATIENCE, probe: [sleep, '4242']}]\n"
    path.write_text(path.read_text().replace("packages:", f"{probe}packages:"))
    toy.ok("build", "toy")
    running = toy.start(*(word.replace("plain", "toy") for word in words))

    def probing() -> list[str]:
        everything = toy.engine.client.containers.list(all=True, ignore_removed=True)
        return [str(each.name) for each in everything if "4242" in each.attrs["Config"]["Cmd"]]

    wait_for(lambda: probing() or running.process.poll() is not None, "the probe")
    assert probing(), running.text
    running.interrupt(which)
    done = running.end()
    try:
        assert done.status != 0
        assert "Traceback" not in done.text
        if which is signal.SIGKILL:
            toy.ok("down", "--all")
        assert not probing()
    finally:
        for name in probing():
            toy.engine.client.containers.get(name).remove(force=True)


def test_a_lab_that_measures_is_not_taken_down(lab: Lab) -> None:
    running = lab.start("matrix", "--vpns", "plain", "--measures", "handshake", "--blocks", "100")
    container = lab.until_container(running, "meter")
    done = lab("down", "--name", container.labels[NAME])
    assert done.status == 1
    assert f"process {running.pid} holds it" in done.text
    running.until(r"1/100 block 1 ")  # nothing of it was taken away
    running.interrupt(signal.SIGINT)
    assert running.end().status == 1


def test_killed_outright_then_resumed(lab: Lab) -> None:
    running = lab.start("matrix", "--vpns", "plain", "--measures", "throughput,handshake", "--blocks", "2",
                        "--duration", "2", "--no-report")  # fmt: skip
    running.until(r"2/4 block")
    lab.until_container(running, "client-load")
    os.killpg(running.pid, signal.SIGKILL)
    running.end()
    folder = lab.run()
    kept = samples(folder)
    assert len(kept) >= 2
    assert held(lab, running), "there was nothing to sweep"

    lab.ok("matrix", "--no-report", "--resume", folder.name)
    assert not held(lab, running)
    after = samples(folder)
    assert after[: len(kept)] == kept
    keys = [(sample["block"], sample["measure"]) for sample in after]
    assert sorted(keys) == [(0, "handshake"), (0, "throughput"), (1, "handshake"), (1, "throughput")]
    assert {sample["outcome"] for sample in after} == {"ok"}

    size = (folder / "samples.jsonl").stat().st_size
    lab.ok("matrix", "--no-report", "--resume", folder.name)  # nothing is left to do
    assert (folder / "samples.jsonl").stat().st_size == size


def goes_on(run: Running) -> None:
    """Stop a run that another command found under way: that has not touched it."""
    assert run.process.poll() is None, run.text
    run.interrupt(signal.SIGINT)
    done = run.end()
    assert done.status == 1
    assert "stopped by SIGINT; 0 samples are kept" in done.text


def test_two_runs_at_once(lab: Lab) -> None:
    first = lab.start(*LONG, "30", wrap=("env", "--default-signal"))
    lab.until_container(first, "client-load", "iperf3 --client")
    second = lab(*LONG, "2")
    assert second.status == 1
    assert f"another lab is measuring on this machine: run {lab.run().name}, process {first.pid}" in second.text
    goes_on(first)


def test_two_cannot_go_on_with_one_run_at_once(lab: Lab, tmp_path: Path) -> None:
    """Not even where the locks of their machines are not the same."""
    first = lab.start(*LONG, "30", wrap=("env", "--default-signal"))
    lab.until_container(first, "client-load", "iperf3 --client")
    folder = lab.run()
    second = lab("matrix", "--resume", folder.name, LAB_LOCK=str(tmp_path / "another"))
    assert second.status == 1, second.text
    assert f"run {folder.name} is being written by process {first.pid}" in second.text
    goes_on(first)


@pytest.mark.parametrize("end", ["server", "client", "client-load"])
def test_an_end_is_killed_in_mid_sample_and_its_sample_taken_again(lab: Lab, end: str) -> None:
    running = lab.start(*LONG, "2")
    lab.until_container(running, "client-load", "iperf3 --client")
    lab.containers(running)[end].kill()
    done = running.end()
    assert done.status == 1, done.text
    folder = lab.run()
    first, second = samples(folder)
    assert first["outcome"] == "failed"
    assert first["readings"] == []
    assert f"failed: {first['reason']}" in done.text
    assert first["reason"].startswith(f"the {end} stopped (exit 137)")
    assert second["outcome"] == "ok"

    again = lab.ok("matrix", "--resume", folder.name)
    third = samples(folder)[2]
    assert samples(folder)[:2] == [first, second]
    assert (third["block"], third["attempt"], third["outcome"]) == (first["block"], 2, "ok")
    assert "1 sample was taken more than once, up to 2 times" in again.text
    rows = (folder / "results.csv").read_text()
    assert "failed" not in rows
    size = (folder / "samples.jsonl").stat().st_size
    lab.ok("matrix", "--no-report", "--resume", folder.name)  # nothing is left to do
    assert (folder / "samples.jsonl").stat().st_size == size


@pytest.mark.parametrize("how", ["remove", "pause"])
def test_a_meter_that_dies_or_hangs_costs_one_sample_and_is_named(lab: Lab, how: str) -> None:
    running = lab.start(*LONG, "2")
    lab.until_container(running, "client-load", "iperf3 --client")
    meter = lab.containers(running)["meter"]
    meter.remove(force=True) if how == "remove" else meter.pause()
    done = running.end()
    assert done.status == 1, done.text
    first, second = samples(lab.run())
    said = {"remove": "was removed", "pause": "is paused"}[how]
    assert first["outcome"] == "failed"
    assert first["reason"].startswith(f"the meter {said}")
    assert (second["outcome"], second["meter"]) == ("ok", f"started anew before this sample: the meter {said}")
    assert f"meter started anew before this sample: the meter {said}" in done.text


def test_an_engine_that_goes_away_is_no_samples_fault(lab: Lab, tmp_path: Path) -> None:
    """The client's way to it is cut in the midst of a load; the engine itself goes on, and the way is open again."""
    with Way(tmp_path / "docker.sock") as way:
        running = lab.start(*LONG, "2", DOCKER_HOST=f"unix://{way.path}")
        lab.until_container(running, "client-load", "iperf3 --client")
        way.close()
        done = running.end()
    assert done.status == 1, done.text
    assert "Traceback" not in done.text
    folder = lab.run()
    assert not samples(folder)
    assert "the host engine no longer answers" in done.text
    assert f"0 samples are kept in {folder}; `lab matrix --resume {folder.name}` resumes the run" in done.text
    lab.ok("matrix", "--no-report", "--resume", folder.name)  # which sweeps what was left behind, too
    assert [sample["outcome"] for sample in samples(folder)] == ["ok", "ok"]
    assert not held(lab, running)
