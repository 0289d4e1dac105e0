# SPDX-License-Identifier: MIT
"""The counters of the containers of a tunnel.

Read from the host's /proc (this container shares its process namespace) and control groups of version 1 or 2:

    cpu                 seconds the container's processes have run, exited children included
    user, system        the kernel's split of it, in seconds (sampled by its tick)
    voluntary, involuntary   context switches of the tasks that live now
    interfaces          bytes and packets received and sent by each interface of its network namespace
    pids                its processes

and of the machine: the seconds that each kernel thread alive has run, by its number (those under a millisecond left
out).
"""

import os
from pathlib import Path

PROC = Path("/proc")
CGROUP = Path("/host/cgroup")
HZ = os.sysconf("SC_CLK_TCK")


def read(path):
    """The text of `path`, empty when its process has ended."""
    try:
        return path.read_text()
    except OSError:
        return ""


def cpu(cgroup_lines):
    """Seconds of CPU, user and system of the control group a process belongs to."""
    for line in cgroup_lines.splitlines():
        _, controllers, path = line.split(":", 2)
        names = controllers.split(",")
        if "cpuacct" in names:
            group = next(CGROUP / name / path[1:] for name in ("cpuacct", "cpu,cpuacct") if (CGROUP / name).is_dir())
            user, system = (int(row.split()[1]) / HZ for row in read(group / "cpuacct.stat").splitlines()[:2])
            return {"cpu": int(read(group / "cpuacct.usage")) / 1e9, "user": user, "system": system}
        if controllers == "" and (CGROUP / path[1:] / "cpu.stat").exists():
            stat = dict(row.split() for row in read(CGROUP / path[1:] / "cpu.stat").splitlines())
            keys = {"cpu": "usage_usec", "user": "user_usec", "system": "system_usec"}
            return {key: int(stat[name]) / 1e6 for key, name in keys.items()}
    raise LookupError(f"no CPU accounting found among the control groups:\n{cgroup_lines}")


def switches(process):
    """Voluntary and involuntary context switches of every task of a process."""
    totals = {"voluntary": 0, "involuntary": 0}
    for task in process.glob("task/*/status"):
        for line in read(task).splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                totals["voluntary"] += int(line.split()[1])
            elif line.startswith("nonvoluntary_ctxt_switches"):
                totals["involuntary"] += int(line.split()[1])
    return totals


def interfaces(process):
    """Counters of each interface that a process sees: received and sent, bytes and packets."""
    table = {}
    for line in read(process / "net/dev").splitlines()[2:]:
        name, _, counters = line.partition(":")
        fields = [int(field) for field in counters.split()]
        keys = ("rx_bytes", "rx_packets", "tx_bytes", "tx_packets")
        table[name.strip()] = dict(zip(keys, (fields[place] for place in (0, 1, 8, 9)), strict=True))
    return table


def owned(containers):
    """Every process of the machine, its control groups, and which of the containers it belongs to, or None."""
    for process in PROC.glob("[0-9]*"):
        cgroup = read(process / "cgroup")
        yield process, cgroup, next((container for container in containers if container in cgroup), None)


def first_of(containers):
    """A process of each container; raises LookupError for a container without one."""
    found = {owner: process for process, _, owner in owned(containers) if owner}
    for container in containers:
        if container not in found:
            raise LookupError(f"no process is left in the container {container}: it has stopped")
    return found


def take(containers):
    """The counters of now; raises LookupError for a container without a process, or without CPU accounting."""
    members = {container: [] for container in containers}
    kernel_threads = {}
    for process, cgroup, owner in owned(containers):
        if owner:
            members[owner].append((process, cgroup))
        elif read(process / "stat").rpartition(")")[2].split()[1:2] == ["2"]:
            nanoseconds = int((read(process / "schedstat").split() or ["0"])[0])
            if nanoseconds >= 1e6:
                kernel_threads[process.name] = nanoseconds / 1e9
    ends = {}
    for container, processes in members.items():
        if not processes:
            raise LookupError(f"no process is left in the container {container}: it has stopped")
        totals = [switches(process) for process, _ in processes]
        ends[container] = {
            **cpu(processes[0][1]),
            "voluntary": sum(total["voluntary"] for total in totals),
            "involuntary": sum(total["involuntary"] for total in totals),
            "interfaces": interfaces(processes[0][0]),
            "pids": sorted(int(process.name) for process, _ in processes),
        }
    return {"kernel_threads": kernel_threads, "ends": ends}
