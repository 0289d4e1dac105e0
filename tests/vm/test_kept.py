# SPDX-License-Identifier: MIT
"""A guest that is kept up: what it is, who can reach it, and the lab inside it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import stat
import subprocess
from pathlib import Path

import pytest
from e2e.command import LAB, samples, wait_for

from lab.core.errors import LabError
from lab.engines import guest, opening
from lab.engines import guest_disks as disks_of
from lab.engines.engine import Engine

from .conftest import Kept
from .guests import Patient, disks, inside, left, run, shell, throughput, until_process, within

pytestmark = [pytest.mark.docker, pytest.mark.vm, pytest.mark.timeout(1200)]

LINE = r"guest: kernel backports, wall clock, (kvm|tcg|tcg, since /dev/kvm does not boot this kernel); \d+ s\n"


class TestWhatItIs:
    def test_as_asked(self, kept: Kept) -> None:
        facts = kept.engine.facts
        assert facts["KernelVersion"].startswith("7.")
        assert facts["NCPU"] == 2
        assert 2700 < facts["MemTotal"] / 2**20 < 3072
        assert facts["CgroupVersion"] == "2"
        assert shell(kept.guest, "uname -r") == facts["KernelVersion"]

    def test_the_accelerator_is_said_in_one_line(self, host: Engine, kept: Kept) -> None:
        (line,) = (line for line in kept.text.splitlines() if line.startswith("guest: kernel"))
        found = re.fullmatch(LINE, line + "\n")
        assert found, line
        tried = "guest: /dev/kvm is there but does not boot this kernel" in kept.guest.console(400)
        assert ("since /dev/kvm" in line) == tried
        assert tried <= guest.DEVICE.exists()
        accelerator = found[1].partition(",")[0]
        told = dict(kept.engine.facts["guest"])
        assert told.pop("qemu").startswith("QEMU emulator version ")
        assert told.pop("image") == host.image_id(guest.IMAGE)
        assert told == {"accelerator": accelerator, "kernel": "backports", "processors": 2}
        (process,) = (" ".join(row) for row in kept.guest.container.top()["Processes"] if "-accel" in str(row))
        assert f"-accel {accelerator}" in process

    def test_status(self, lab: Patient, kept: Kept) -> None:
        (row,) = (row for row in lab.ok("vm", "status", "--json").json() if row["guest"] == "vm")
        assert row == {"guest": "vm", "state": "running", "clock": "wall", "kernel": "backports", "processors": 2,
                       "memory": 3072}  # fmt: skip

    def test_logs(self, lab: Patient, kept: Kept) -> None:
        said = lab.ok("vm", "logs").text
        assert f"guest: engine ready, kernel {kept.engine.facts['KernelVersion']}" in said

    def test_a_shell_as_root(self, environment: dict[str, str], kept: Kept) -> None:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [LAB, "vm", "shell"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)
        text = b""

        def said(words: bytes) -> bool:
            nonlocal text
            if select.select([ours], [], [], 0)[0]:
                text += os.read(ours, 65536)
            return words in text

        try:
            wait_for(lambda: said(b"Enter shows the prompt"), "the hint")
            os.write(ours, b"\n")
            wait_for(lambda: said(b"root@"), "the prompt")
            os.write(ours, b"echo is-$(id -u)-$(uname -r)\n")
            wait_for(lambda: said(f"is-0-{kept.engine.facts['KernelVersion']}".encode()), "the answer")
            os.write(ours, b"\x0f")
            wait_for(lambda: process.poll() is not None, "its end")
            assert process.returncode == 0
        finally:
            process.kill()
            process.wait()
            os.close(ours)


class TestConfined:
    def test_the_container(self, kept: Kept) -> None:
        container = kept.guest.container
        settings = container.attrs["HostConfig"]
        assert not settings["Privileged"]
        assert settings["NetworkMode"] == "none"
        assert settings["CapDrop"] == ["ALL"]
        assert not settings["CapAdd"]
        assert not settings["PortBindings"]
        assert not settings["PublishAllPorts"]
        assert settings["SecurityOpt"] == ["no-new-privileges:true"]
        assert {each["PathOnHost"] for each in settings["Devices"] or []} <= {str(guest.DEVICE)}
        assert {each["Destination"] for each in container.attrs["Mounts"]} == {"/run/guest", "/disks"}

    def test_its_processes(self, kept: Kept) -> None:
        script = "grep -hE '^(CapEff|CapBnd|NoNewPrivs|Uid)' /proc/[0-9]*/status | sort -u"
        said = within(kept.guest.container, "sh", "-c", script)
        zero = "0000000000000000"
        user = "\t".join([str(os.getuid())] * 4)
        assert said.splitlines() == [
            f"CapBnd:\t{zero}",
            f"CapEff:\t{zero}",
            "NoNewPrivs:\t1",
            f"Uid:\t{user}",
        ]

    def test_its_sockets(self, kept: Kept) -> None:
        found = kept.guest.directory.stat()
        assert stat.S_IMODE(found.st_mode) == 0o700
        assert found.st_uid == os.getuid()
        assert {path.name for path in kept.guest.directory.iterdir()} == {"docker.sock", "shell.sock"}


class TestNotOpen:
    """The API of its engine is a socket of the user's, and nothing else."""

    def test_on_the_machine(self, kept: Kept) -> None:
        pid = kept.guest.container.attrs["State"]["Pid"]
        assert Path(f"/proc/{pid}/ns/net").stat().st_ino != Path("/proc/self/ns/net").stat().st_ino
        said = within(kept.guest.container, "sh", "-c", "cat /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6")
        rows = [line.split() for line in said.splitlines() if ":" in line.split()[0]]
        listening = [row[1] for row in rows if row[3] in ("0A", "07")]
        assert listening == ["0100007F:0947"], "QEMU's own way in, on the loopback of a container without a network"

    def test_to_containers_in_the_guest(self, lab: Patient, kept: Kept) -> None:
        told = lab.ok("up", "plain", "--engine", "vm", "--name", "reach").text
        try:
            assert f"docker --host {kept.engine.address} exec -it lab-reach-client-load ping" in told
            assert [row["lab"] for row in lab.ok("status", "--engine", "vm", "--json").json()] == ["reach"]
            assert "reach" not in [row["lab"] for row in lab.ok("status", "--json").json()]
            client = inside(kept.engine, "client")
            assert client
            wire = client.attrs["NetworkSettings"]["Networks"]["lab-reach-wire"]["IPAddress"]
            server, gateway = (f"{wire.rpartition('.')[0]}.{last}" for last in (2, 1))
            reached = """
            ip route add 10.0.2.0/24 via $1 || exit
            shift
            for target; do timeout 15 bash -c "exec 3<>/dev/tcp/${target/:/\\/}" && echo "$target"; done
            """
            tried = [f"{server}:5201", f"{gateway}:2375", "10.0.2.15:2375", "10.0.2.2:2375"]
            # One that may set its routes, as the VPNs' ends may: the network's own lead nowhere.
            able = {"network_mode": "lab-reach-wire", "cap_add": ["NET_ADMIN"]}
            result = run(kept.engine, reached, gateway, *tried, **able)
            assert result.stdout.split() == tried[:1], result.stderr
            everywhere = run(kept.engine, reached.replace("ip route", ": "), "", *tried[2:], network_mode="bridge")
            assert not everywhere.stdout, everywhere.stderr
        finally:
            lab.ok("down", "--engine", "vm", "--name", "reach")
        assert lab.ok("status", "--engine", "vm", "--json").json() == []
        assert not kept.engine.client.containers.list(all=True)


class TestAgain:
    def test_what_is_up_stays_up(self, lab: Patient, kept: Kept) -> None:
        done = lab.ok("vm", "up")
        assert "guest 'vm' is up\n" in done.text
        assert "copying" not in done.text
        kept.engine.client.ping()

    def test_another_of_the_name_is_refused(self, lab: Patient, kept: Kept) -> None:
        done = lab("vm", "up", "--memory", "2048", "--kernel", "stable")
        assert done.status == 1
        assert "the guest 'vm' is up with kernel backports, memory 3072\n" in done.text
        assert "`lab vm down --name vm` stops it" in done.text
        assert {path.name for path in kept.guest.directory.iterdir()} == {"docker.sock", "shell.sock"}
        assert kept.guest.connect().facts["KernelVersion"].startswith("7.")

    def test_images_have_changed_since(self, kept: Kept, host: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is not used as if it had them, and says how to get one that has."""
        monkeypatch.setattr(disks_of, "path", lambda host: "/disks/another.disk")
        with pytest.raises(LabError, match="the guest 'vm' is up with older images") as caught:
            opening.kept(host, "vm", kept.guest.choice, print)
        assert caught.value.hint == "`lab vm down --name vm`, then try again"

    def test_it_is_no_lab(self, lab: Patient, kept: Kept) -> None:
        """Or `lab down --all` would take it down, with everything in it."""
        assert "vm-vm" not in [row["lab"] for row in lab.ok("status", "--json").json()]

    def test_down_of_another(self, lab: Patient, kept: Kept) -> None:
        done = lab("vm", "down", "--name", "nobody")
        assert done.status == 2
        assert "no guest named 'nobody' is up" in done.text
        assert "vm" in done.text.partition("guests:")[2]


class TestItsClock:
    """A run in the kept guest; its clock is what the tests change."""

    def test_a_jump_into_the_future_makes_certificates_stale(self, lab: Patient, kept: Kept) -> None:
        shell(kept.guest, "date -s '+40 days'")
        try:
            done = lab("matrix", "--engine", "vm", "--vpns", "plain,openvpn", "--variants", "udp", "--ciphers",
                       "aes-128-gcm", "--measures", "handshake", "--blocks", "1", "--no-report")  # fmt: skip
        finally:
            shell(kept.guest, "date -s @$(cat /sys/class/rtc/rtc0/since_epoch)")
        assert done.status == 1, done.text
        assert "guest 'vm' is up" in done.text
        taken = {sample["vpn"]: sample for sample in samples(lab.run())}
        assert {vpn: sample["outcome"] for vpn, sample in taken.items()} == {"plain": "ok", "openvpn": "failed"}
        assert "certificate has expired" in taken["openvpn"]["reason"]
        assert "certificate has expired" in taken["openvpn"]["logs"]["client"]
        assert not kept.engine.client.containers.list(all=True)

    def test_a_jump_during_a_load_does_not_show(self, lab: Patient, kept: Kept) -> None:
        running = lab.start("matrix", "--engine", "vm", "--vpns", "plain", "--measures", "throughput", "--blocks", "2",
                            "--duration", "2", "--no-report")  # fmt: skip
        until_process(kept.engine, running, "client-load", "iperf3 --client")
        shell(kept.guest, "date -s '+1 hour'")
        done = lab.ended(running)
        shell(kept.guest, "date -s @$(cat /sys/class/rtc/rtc0/since_epoch)")
        assert done.status == 0, done.text
        one, other = (throughput(sample) for sample in samples(lab.run()))
        assert other / 4 < one < other * 4
        meta = json.loads((lab.run() / "meta.json").read_text())
        where = {key: meta["engine"][key] for key in ("name", "clock", "guest")}
        assert where == {"name": "vm", "clock": "wall", "guest": kept.engine.facts["guest"]}
        assert kept.engine.facts["KernelVersion"] in meta["machine"]["kernel"]
        assert {(sample["engine"], sample["clock"]) for sample in samples(lab.run())} == {("vm", "wall")}
        assert disks(lab.engine) == kept.disks


class TestDown:
    """The last of them: a guest that nobody needs any more takes time from those of other tests."""

    def test_nothing_of_it_is_left(self, lab: Patient, kept: Kept, host: Engine) -> None:
        assert f"guest {guest.NAME!r} is down" in lab.ok("vm", "down").text
        assert not list(left(host, guest.NAME))
