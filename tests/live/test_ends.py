# SPDX-License-Identifier: MIT
"""The two ends and their loads: what is installed and runs, what it may do, and which secrets it has."""

from __future__ import annotations

import re

import pytest

from lab.engines.ownership import NAME

from .conftest import ENDS, LOADS, Lab, said

pytestmark = [pytest.mark.docker]

# Bits of the masks in /proc/<pid>/status, in the order of include/uapi/linux/capability.h.
CAPABILITIES = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
""".split()  # noqa: SIM905
# The program of every process but this command's own: some hide it, and are known by what they were started as.
PROGRAMS = r"""
for process in /proc/[0-9]*; do
    case $(cat "$process/comm") in sh | cat) continue ;; esac
    readlink "$process/exe" || tr '\0' '\n' <"$process/cmdline" | head -n 1
done 2>/dev/null
"""
SECRETS = {"end.key", "end.p12", "p12.password", "password", "psk", "x25519.key"}
PUBLIC = {"ca.crt", "end.crt", "peer.crt", "x25519.pub", "peer-x25519.pub"}


def capabilities(mask: str) -> set[str]:
    bits = int(mask, 16)
    return {CAPABILITIES[bit] if bit < len(CAPABILITIES) else str(bit) for bit in range(64) if bits >> bit & 1}


def may(role: str, live: Lab) -> set[str]:
    """The most that a container may do."""
    if role in ENDS:
        return set(live.vpn.needs(live.variant).capabilities)
    return {"NET_RAW"} if role in LOADS else {"SYS_ADMIN", "NET_RAW"}


def credentials(live: Lab, end: str) -> dict[str, str]:
    """A digest of every credential of an end."""
    lines = said(live.host(end), "sha256sum /run/credentials/*").splitlines()
    return {line.split()[1].rpartition("/")[2]: line.split()[0] for line in lines}


@pytest.mark.parametrize("end", ENDS)
def test_the_packages_of_the_vpn_are_installed(live: Lab, end: str) -> None:
    host = live.host(end)
    missing = [name for name in live.vpn.file.packages if not host.package(name).is_installed]
    assert not missing


@pytest.mark.parametrize("end", ENDS)
def test_an_end_runs_the_daemons_of_its_vpn_and_nothing_else(live: Lab, end: str) -> None:
    host = live.host(end)
    files = set(said(host, PROGRAMS).split()) - {"/usr/sbin/docker-init", "/sbin/docker-init", "/usr/bin/sleep"}
    if live.variant.startswith(("udp-busy", "tcp-busy")) and end == "client":  # it keeps its tunnel from coming to rest
        assert "/usr/bin/ping" in files
        files.remove("/usr/bin/ping")
    # What the image built from source, in a place of its own: no package owns it.
    built = {path for path in files if path.startswith("/opt/")}
    assert bool(built) is (live.vpn.image(live.variant) != live.vpn.name)
    owners = {path: said(host, "dpkg -S %s", path).partition(":")[0] for path in files - built}
    assert set(owners.values()) <= set(live.vpn.file.packages), owners
    if live.vpn.file.variants[live.variant].records == "user" and live.vpn.file.encrypts:
        assert files, "records are processed in user space, but no process is there to do it"


@pytest.mark.parametrize("role", [*ENDS, *LOADS])
def test_every_process_has_no_more_capabilities_than_it_needs(live: Lab, role: str) -> None:
    pattern = "^(CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):"
    found = re.findall(
        r"/proc/(\d+)/status:(\w+):\s+(\w+)",
        str(live.host(role).run("grep -HE %s /proc/[0-9]*/status", pattern).stdout),
    )
    assert len({process for process, _, _ in found}) >= 2
    for process, key, value in found:
        if key.startswith("Cap"):
            assert capabilities(value) <= may(role, live), f"process {process}: {key}"
        else:
            assert value == {"NoNewPrivs": "1", "Seccomp": "2"}[key], f"process {process}: {key}"


def test_the_meter_has_two_capabilities_and_no_network(live: Lab) -> None:
    host = live.host("meter")
    status = dict(re.findall(r"^(\w+):\s+(\w+)", said(host, "cat /proc/self/status"), re.MULTILINE))
    assert capabilities(status["CapEff"]) == capabilities(status["CapBnd"]) == may("meter", live)
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert {line.split(":")[1].strip() for line in said(host, "ip -o link show up").splitlines()} <= {"lo"}
    assert host.run("touch /host/cgroup/mark").rc != 0


@pytest.mark.parametrize("role", [*ENDS, *LOADS, "meter"])
def test_no_container_is_privileged_or_publishes_a_port(live: Lab, role: str) -> None:
    attributes = live.container(role).attrs
    host = attributes["HostConfig"]
    assert not host["Privileged"]
    assert not host["PortBindings"]
    assert not host["PublishAllPorts"]
    assert not any((attributes["NetworkSettings"]["Ports"] or {}).values())
    assert {device["PathOnHost"] for device in host["Devices"] or []} <= set(live.vpn.needs(live.variant).devices)
    assert {"no-new-privileges:true"} <= set(host["SecurityOpt"])
    assert not any("unconfined" in option for option in host["SecurityOpt"])
    binds = [mount["Source"] for mount in attributes["Mounts"] if mount["Type"] == "bind"]
    assert binds == (["/sys/fs/cgroup"] if role == "meter" else [])
    written = [mount["Destination"] for mount in attributes["Mounts"] if mount["RW"]]
    assert written == (["/gate"] if role in ("client-load", "meter") else [])
    assert live.container(role).labels[NAME] == live.name


@pytest.mark.parametrize("end", ENDS)
def test_only_root_of_the_end_reads_its_credentials_and_nobody_changes_them(live: Lab, end: str) -> None:
    host = live.host(end)
    listed = said(host, "cd /run/credentials && stat --format '%n %a %U %G %F' -- *").splitlines()
    files = dict(line.split(" ", 1) for line in listed)
    assert set(files) == SECRETS | PUBLIC
    assert set(files.values()) == {"600 root root regular file"}
    mount = host.mount_point("/run/credentials")
    assert mount.exists
    assert "ro" in mount.options
    assert host.run("touch /run/credentials/end.key").rc != 0


@pytest.mark.parametrize("load", LOADS)
def test_a_load_has_no_credentials(live: Lab, load: str) -> None:
    assert not live.host(load).file("/run/credentials").exists


def test_ends_share_what_they_must_and_nothing_else(live: Lab) -> None:
    server, client = (credentials(live, end) for end in ENDS)
    assert {name for name in server if server[name] == client[name]} == {"ca.crt", "password", "psk"}
    assert server["peer.crt"] == client["end.crt"]
    assert client["peer.crt"] == server["end.crt"]
    assert server["peer-x25519.pub"] == client["x25519.pub"]
    assert client["peer-x25519.pub"] == server["x25519.pub"]


def test_two_labs_have_no_secret_in_common(live: Lab, beside: Lab) -> None:
    here, there = (
        {digest for end in ENDS for digest in credentials(bed, end).values()} for bed in (live, beside)
    )  # fmt: skip
    assert here
    assert not here & there
