# SPDX-License-Identifier: MIT
"""The counters of the containers of a tunnel, and of single processes that hold a network.

Read from the host's /proc (this container shares its process namespace) and control groups of version 1 or 2:

    cpu                 seconds the container's processes have run, exited children included
    user, system        the kernel's split of it, in seconds (sampled by its tick)
    voluntary, involuntary   context switches of the tasks that live now
    interfaces          bytes and packets received and sent by each interface of its network namespace
    memory              bytes of its processes' own memory (anonymous, each page once): not of files and programs, which
                        do not grow with what runs; missing where the machine does not account for memory
    pids                its processes

of a process, told by its number, the interfaces of its network alone;

and of the machine: the seconds that each kernel thread alive has run, by its number (those under a millisecond left
out), and `available`, the bytes of memory that could still be had (proc_meminfo(5)).
"""

import os
import re
from pathlib import Path

PROC = Path("/proc")
CGROUP = Path("/host/cgroup")
HZ = os.sysconf("SC_CLK_TCK")
SHORTEST = 12
"""The fewest digits of a container's name: a process has fewer (2^22, PID_MAX_LIMIT)."""


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


def memory(cgroup_lines):
    """The bytes of the processes' own memory in a control group, as {"memory": bytes}; empty where nobody counts."""
    for line in cgroup_lines.splitlines():
        _, controllers, path = line.split(":", 2)
        names = {"memory": ("memory", "total_rss"), "": (".", "anon")}
        if controllers in names:
            folder, key = names[controllers]
            stat = dict(row.split() for row in read(CGROUP / folder / path[1:] / "memory.stat").splitlines())
            if key in stat:
                return {"memory": int(stat[key])}
    return {}


def available():
    """The bytes of the machine's memory that could still be had."""
    return 1024 * int(re.search(r"^MemAvailable: +(\d+) kB$", read(PROC / "meminfo"), re.MULTILINE)[1])


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


def started(process):
    """When a process was started, in ticks since the machine was; of one that has ended, never."""
    fields = read(process / "stat").rpartition(")")[2].split()
    return int(fields[19]) if fields else float("inf")


def owned(containers):
    """Every process of the machine, its control groups, and which of the containers it belongs to, or None."""
    for process in PROC.glob("[0-9]*"):
        cgroup = read(process / "cgroup")
        yield process, cgroup, next((container for container in containers if container in cgroup), None)


def numbers(container):
    """The numbers of a container's processes on this machine, by their numbers in the container."""
    found = {}
    for process, _, owner in owned([container]):
        if owner and (inner := re.search(r"^NSpid:.*\t(\d+)$", read(process / "status"), re.MULTILINE)):
            found[inner[1]] = process.name
    return found


def split(words):
    """Those of `words` that are containers, and those that are processes."""
    processes = [word for word in words if word.isdecimal() and len(word) < SHORTEST]
    return [word for word in words if word not in processes], processes


def first_of(words):
    """A process of each container or process; raises LookupError for a container without one."""
    containers, processes = split(words)
    found = {owner: process for process, _, owner in owned(containers) if owner}
    found |= {number: PROC / number for number in processes}
    for container in containers:
        if container not in found:
            raise LookupError(f"no process is left in the container {container}: it has stopped")
    return found


def take(words):
    """The counters of now; raises LookupError for a container without a process, or without CPU accounting."""
    containers, holders = split(words)
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
            **memory(processes[0][1]),
            "voluntary": sum(total["voluntary"] for total in totals),
            "involuntary": sum(total["involuntary"] for total in totals),
            # The container's own network is that of its first process: clients of many have others.
            "interfaces": interfaces(min((process for process, _ in processes), key=started)),
            "pids": sorted(int(process.name) for process, _ in processes),
        }
    ends |= {number: {"interfaces": interfaces(PROC / number)} for number in holders}
    return {"kernel_threads": kernel_threads, "available": available(), "ends": ends}
