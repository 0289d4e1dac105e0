# SPDX-License-Identifier: MIT
"""System calls by name, counted in each process namespace by a raw tracepoint, which needs no tracefs.

The kernel adds up by itself: no event is passed to user space, and nothing is stopped as by strace.
"""

import re
import signal
import subprocess
import sys
from pathlib import Path

NUMBERS = Path(f"/usr/include/{sys.implementation._multiarch}/asm/unistd_64.h")

PROGRAM = """
BEGIN { printf("ready\\n"); }
rawtracepoint:sys_enter {
    $ns = curtask->nsproxy->pid_ns_for_children->ns.inum;
    if (%s) { @[$ns, arg1] = count(); }
}
"""


class Counting:
    """A tracer that runs from its making to `end`."""

    def __init__(self, spaces):
        """Arm the tracepoint for the process namespaces `spaces`; raises ChildProcessError with the tracer's words."""
        condition = " || ".join(f"$ns == {int(space)}" for space in spaces)
        argv = ["bpftrace", "-B", "line", "-e", PROGRAM % condition]
        # Its complaints come among its lines: the last one is the reason when it ends before it is ready.
        self.tracer = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = ""
        for line in self.tracer.stdout:
            if line == "ready\n":
                return
            said = line.strip() or said
        raise ChildProcessError(f"{said} (exit {self.tracer.wait()})")

    def end(self):
        """Disarm it; returns the calls by name, by namespace."""
        self.tracer.send_signal(signal.SIGINT)
        text, _ = self.tracer.communicate()
        if self.tracer.returncode:
            raise ChildProcessError(f"the tracer exited with {self.tracer.returncode}: {text[-200:]}")
        names = {int(number): name for name, number in re.findall(r"#define __NR_(\w+) (\d+)", NUMBERS.read_text())}
        counts = {}
        for space, number, count in re.findall(r"^@\[(\d+), (\d+)\]: (\d+)$", text, re.MULTILINE):
            counts.setdefault(space, {})[names.get(int(number), f"syscall-{number}")] = int(count)
        return counts
