# SPDX-License-Identifier: MIT
"""The kernel module in guests of both kernels: its own programs, each with no capability but those that it needs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

import pytest
from docker.models.containers import Container
from e2e.command import wait_for

from lab.core.command import Result
from lab.engines import ownership
from lab.engines.choice import Choice, Kernel
from lab.engines.engine import Engine
from lab.engines.opening import opened

pytestmark = [pytest.mark.docker, pytest.mark.vm, pytest.mark.timeout(1800)]

IMAGE = "lab/kmod:latest"
TESTS = "/usr/local/lib/af_ktls/tests"
SUITES = ("aes-128-gcm", "aes-256-gcm", "chacha20-poly1305")
PASSED = re.compile(r"^(.*): (\d+) checks, 0 failures$", re.MULTILINE)
COUNTS = re.compile(r"(\w+)=(\d+)")
# What a kernel says that is not well. Of the module it says only the two lines that any module from outside comes with.
# The emulated machine's clock is a matter of QEMU's.
EXPECTED = re.compile(
    r"af_ktls: (loading out-of-tree module|module verification failed)|MP-BIOS bug: 8254 timer|kfence: initialized"
)
UNWELL = re.compile(
    r"warning:|\bbug:|\boops\b|call trace|kfence: |ubsan|leak|rcu.*stall|still has objects|af_ktls|hung task", re.I
)
# Drivers that complete later, whatever the kernel has of them: those of Linux 6 are cryptd's, of 7 only pcrypt is left.
LATER = ",".join(
    f"{how}({what})"
    for what in ("gcm_base(ctr(aes-generic),ghash-generic)", "generic-gcm-aesni-avx", "generic-gcm-aesni")
    for how in ("cryptd", "pcrypt")
)


# All that any of the programs needs; each is left what it asks for.
CAPABILITIES = (
    "NET_ADMIN", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYSLOG", "SYS_ADMIN", "SYS_MODULE", "SYS_RESOURCE",
)  # fmt: skip
# A network of its own; and in it a shell that may do no more than the capabilities named.
LIMITED = """
ip link set lo up
capabilities=$1
shift
exec setpriv --bounding-set "$capabilities" bash -c "$@"
"""


@dataclass
class Module:
    """A guest whose kernel has the module loaded, and a container that its programs run in: a new one takes seconds."""

    engine: Engine
    container: Container

    def run(self, script: str, *capabilities: str, timeout: float = 60) -> Result:
        """Run a script of bash beside the module's programs, with these capabilities alone."""
        bounded = ",".join(["-all", *(f"+{name.lower()}" for name in capabilities)])
        argv = ["unshare", "--net", "bash", "-c", LIMITED, "limited", bounded, f"cd {TESTS}; {script}"]
        return self.engine.execute(self.container, argv, timeout=timeout)

    def said(self, script: str, *capabilities: str, timeout: float = 60) -> str:
        """What a script says, which must succeed."""
        result = self.run(script, *capabilities, timeout=timeout)
        assert result.status == 0, result.stdout + result.stderr
        return result.stdout

    def passes(self, script: str, *capabilities: str, programs: int = 1, timeout: float = 60) -> str:
        """Run so many of the module's programs; every one of their checks must hold."""
        said = self.said(script, *capabilities, timeout=timeout)
        assert len(PASSED.findall(said)) == programs, said
        return said

    def load(self, *parameters: str) -> None:
        """Load it for everybody: the programs run with no capability but those that they need."""
        words = " ".join(f"'{word}'" for word in ("allow=all", *parameters))
        self.said(f"ktls-load {words}", "SYS_MODULE")

    def unload(self) -> None:
        """Remove it, once the last of its sockets is freed: that is a grace period after it was closed."""
        wait_for(lambda: self.users == 0, "the end of its sockets", 60)
        self.said("rmmod af_ktls", "SYS_MODULE")

    @property
    def users(self) -> int:
        """Sockets there are, as the kernel counts them."""
        return int(self.said("cat /sys/module/af_ktls/refcnt"))


@contextmanager
def beside(engine: Engine) -> Iterator[Module]:
    """The module's programs, in a container of a guest."""
    name = f"kmod-{os.getpid()}"
    container = engine.client.containers.run(
        IMAGE, ["sleep", "infinity"], detach=True, init=True, network_mode="none", cap_drop=["ALL"],
        cap_add=list(CAPABILITIES), devices=["/dev/net/tun"],
        labels=ownership.labels(name), name=ownership.called(name, "programs"),
    )  # fmt: skip
    yield Module(engine, container)
    container.remove(force=True)


@pytest.fixture(scope="module", params=["stable", "backports"])
def module(request: pytest.FixtureRequest) -> Iterator[Module]:
    kernel: Kernel = request.param
    with opened(Choice(name="vm", kernel=kernel, processors=2), print) as engine, beside(engine) as loaded:
        loaded.load()
        yield loaded


class TestLoading:
    def test_it_is_there(self, module: Module) -> None:
        assert re.search(r"^KTLS\s", module.said("cat /proc/net/protocols"), re.MULTILINE)
        assert module.said("ktls-load allow=all; cat /sys/module/af_ktls/parameters/family").strip() == "12"

    def test_another_parameter_is_not_taken_for_this_one(self, module: Module) -> None:
        result = module.run("ktls-load family=13")
        assert result.status == 1
        assert "af_ktls is loaded with family=12" in result.stderr

    def test_nobody_else_may_load(self, module: Module) -> None:
        assert module.run("rmmod af_ktls").status != 0

    def test_nobody_s_number_loads_it(self, module: Module) -> None:
        assert module.said("modinfo -F alias /lib/af_ktls/$(uname -r)/af_ktls.ko").strip() == ""


SOCKET = "perl -e 'socket S, 12, 2, 0 or die \"$!\\n\"'"
AS_NOBODY = "setpriv --reuid 65534 --regid 65534 --clear-groups"


class TestWhoMayMakeSockets:
    @pytest.fixture(scope="class")
    def bare(self, module: Module) -> Iterator[Module]:
        """A kernel without the module: each test loads it, and removes it again."""
        module.unload()
        yield module
        module.load()

    @pytest.mark.parametrize(
        ("parameter", "how", "capabilities", "may"),
        [
            ("", "", ["NET_ADMIN"], True),
            ("", "", [], False),
            # In a user name space of one's own one has every capability.
            ("", "unshare --user --map-root-user", ["SETFCAP", "SYS_ADMIN"], False),
            ("allow=4711", "setpriv --groups 4711", ["SETGID"], True),
            ("allow=4711", "setpriv --groups 4712", ["SETGID"], False),
            ("allow=all", AS_NOBODY, ["SETUID", "SETGID"], True),
        ],
    )
    def test_who(self, bare: Module, parameter: str, how: str, capabilities: list[str], may: bool) -> None:
        script = f"""
        ktls-load {parameter} || exit 3
        {how} {SOCKET}
        status=$?
        until rmmod af_ktls 2>/dev/null; do :; done
        exit $status"""
        result = bare.run(script, "SYS_MODULE", *capabilities)
        assert (result.status == 0) is may, result.stderr
        assert may or result.stderr == "Operation not permitted\n"

    def test_nonsense_is_refused(self, bare: Module) -> None:
        assert bare.run("ktls-load allow=everybody", "SYS_MODULE").status != 0


# Who captures every record needs room for them; who has thousands of sockets, descriptors.
PROGRAMS: list[tuple[str, list[str]]] = [
    ("errors", []),
    ("hostile", ["NET_ADMIN"]),
    ("refused", []),
    ("held", []),
    ("altered", []),
    ("charged /sys/fs/cgroup/memory.stat", []),
    ("closes", []),
    ("reconnect", []),
    ("traffic", []),
    ("tunnel", ["NET_ADMIN", "SYS_ADMIN"]),
    ("runs 1 300", ["NET_ADMIN", "NET_RAW"]),
    ("streams", []),
    ("races 5 1", []),
    ("idle 800", ["SYS_RESOURCE"]),
]
PAIRS = list(product(["dtls1.2", "tls1.2", "tls1.3"], ["gnutls", "openssl"]))


class TestSockets:
    @pytest.mark.parametrize(("program", "capabilities"), PROGRAMS)
    def test_alone(self, module: Module, program: str, capabilities: list[str]) -> None:
        module.passes(f"./{program}", *capabilities, timeout=120)
        wait_for(lambda: module.users == 0, "the end of its sockets", 60)

    def test_guarded(self, module: Module) -> None:
        script = """
        ip link add near type veth peer name far
        ip addr add 10.1.1.1/24 dev near
        ip addr add fd09::1/64 dev near nodad
        ip link set far up
        ip link set near up
        ./guarded near 10.1.1.77"""
        module.passes(script, "NET_ADMIN", timeout=60)

    @pytest.mark.parametrize(("protocol", "library"), PAIRS)
    def test_interoperation(self, module: Module, protocol: str, library: str) -> None:
        # Neither end's part hangs on the family: each is had with one.
        loop = f"""
        for suite in {" ".join(SUITES)}; do
            ./interop {protocol} {library} $suite 4 client || exit
            ./interop {protocol} {library} $suite 6 server || exit
        done"""
        module.passes(loop, programs=len(SUITES) * 2, timeout=180)
        wait_for(lambda: module.users == 0, "the end of its sockets", 60)


# netem takes a delayed packet off the sender's account, so its own limit must hold them all.
LATE = "limit 20000 delay"
FAULTS = [
    ("4", "check", ""),
    ("6", "check", ""),
    ("4", "check", "loss 20%"),
    ("6", "check", "loss 30% 50%"),
    ("4", "check", f"{LATE} 20ms 10ms reorder 50% 50%"),
    ("6", "check", f"{LATE} 10ms 10ms duplicate 30%"),
    ("4", "nocheck", "corrupt 40%"),
    ("4", "nocheck", f"{LATE} 10ms 5ms loss 10% duplicate 10% corrupt 10% reorder 20%"),
]
COUNT = 1500


class TestNetwork:
    """Records over a link of their own; the program compares what arrives byte for byte with what was sent."""

    @pytest.mark.parametrize(("family", "check", "netem"), FAULTS)
    def test_faults(self, module: Module, family: str, check: str, netem: str) -> None:
        said = module.said(f"./network {family} {COUNT} {check} {netem}", "NET_ADMIN", "SYS_ADMIN", timeout=60)
        lines = [{name: int(value) for name, value in COUNTS.findall(line)} for line in said.splitlines()]
        sent, got, link = lines[-3:]
        # What was refused for want of room has used no number.
        assert (sent["sent"], sent["errors"], sent["next"]) == (COUNT, 0, COUNT)
        assert (got["wrong"], got["twice"], got["errors"]) == (0, 0, 0)
        assert got["got"] + got["full"] <= COUNT
        if not netem and not link["dropped"]:
            assert (got["got"], got["forged"], got["replayed"], got["old"]) == (COUNT, 0, 0, 0), said
        if "loss" not in netem and "corrupt" not in netem:
            # Every sixteenth is in fragments, which IP gives up when too many others come between.
            known = got["got"] + got["full"] + got["old"] + link["dropped"]
            assert known >= COUNT - COUNT // 16 - 1, said
        assert (got["forged"] > 0) == ("corrupt" in netem), said
        assert ("duplicate" in netem) <= (got["replayed"] > 0), said
        assert ("reorder" in netem) <= (got["late"] > 0), said


IN_USE = 'until [ "$(cat /sys/module/af_ktls/refcnt)" != 0 ]; do :; done'


class TestInUse:
    def test_it_cannot_be_removed(self, module: Module) -> None:
        # Between two rounds of `races` nobody may have a socket: one is held all the while.
        script = """
        coproc perl -e '$| = 1; socket S, 12, 2, 0 or die $!; print "held\\n"; sleep 90'
        read -r <&"${COPROC[0]}" || exit 4
        ./races 5 3 & racing=$!
        rmmod af_ktls && exit 3
        kill "$COPROC_PID"
        wait $racing
        """
        result = module.run(script, "SYS_MODULE", timeout=90)
        assert result.status == 0, result.stdout + result.stderr
        assert "in use" in result.stderr

    def test_a_process_and_its_network_namespace_die(self, module: Module) -> None:
        script = f"""
        unshare --net bash -c 'ip link set lo up; exec ./races 60 5' & {IN_USE}
        kill -KILL %1; wait %1; true"""
        module.said(script, "NET_ADMIN", "SYS_ADMIN", timeout=60)
        wait_for(lambda: module.users == 0, "the end of its sockets", 60)


class TestLater:
    """A driver that is done later, and in another order than it was asked."""

    @pytest.fixture
    def later(self, module: Module) -> Iterator[Module]:
        module.unload()
        module.said("modprobe -a cryptd pcrypt || true", "SYS_MODULE")
        module.load(f"driver={LATER}")
        yield module
        module.unload()
        module.load()

    def test_datagrams(self, later: Module) -> None:
        said = later.passes("./interop dtls1.2 openssl aes-128-gcm 4 client")
        assert re.search(r"^(cryptd|pcrypt)\(.*; interop", said, re.MULTILINE), said
        later.passes("./hostile && ./queued && ./traffic 25 && ./races 5 7", "NET_ADMIN", programs=4, timeout=200)


class TestTheEnd:
    """The last of a kernel: nothing of the module is left, and the kernel has had no complaint."""

    def test_it_goes_as_it_came(self, module: Module) -> None:
        ciphers = "grep -c '^refcnt *: [2-9]' /proc/crypto || true"
        module.unload()
        assert "KTLS" not in module.said("cat /proc/net/protocols")
        without = module.said(ciphers)
        module.load()
        module.passes("./races 5 9", timeout=90)
        module.unload()
        assert module.said(ciphers) == without
        assert not re.search(r"^KTLS", module.said("cat /proc/slabinfo", "SYS_ADMIN"), re.MULTILINE)

    def test_the_log_is_clean(self, module: Module) -> None:
        lines = module.said("dmesg", "SYSLOG").splitlines()
        assert sum("af_ktls" in line for line in lines) >= 1
        assert not [line for line in lines if UNWELL.search(line) and not EXPECTED.search(line)]
