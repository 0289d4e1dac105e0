# SPDX-License-Identifier: MIT
"""The wire at both ends, watched while a load runs: what arrives there and a filter does not explain.

A packet socket in the network namespace of each end sees the IP packets that arrive at eth0. What one end sends the
other receives, so that is the whole of the wire. Packets that the filter explains are dropped by the kernel before
anything is copied: a load that keeps to its data path pays for the filter and for nothing else. The others are counted
as they come, by their whole length, by a thread that otherwise sleeps.
"""

import array
import contextlib
import os
import selectors
import socket
import struct
import subprocess
import threading

WIRE = "eth0"
PROTOCOLS = (0x0800, 0x86DD)
"""IPv4 and IPv6 (linux/if_ether.h). A socket bound to one of them sees what arrives, and nothing of what is sent."""
SO_ATTACH_FILTER = 26
SOL_PACKET, PACKET_STATISTICS = 263, 6
WHOLE = 262144
"""What a filter returns for a packet that is taken: all of it."""
OWN_BUSINESS = "icmp6 or (ip6 multicast)"
"""Neighbour discovery and multicast reports belong to the wire itself."""


def unexplained(explained):
    """A socket filter for what the pcap filter `explained` does not match; raises ValueError with tcpdump's words."""
    text = f"not ({explained}) and not ({OWN_BUSINESS})"
    argv = ["tcpdump", "-y", "EN10MB", "-s", str(WHOLE), "-ddd", text]
    compiled = subprocess.run(argv, capture_output=True, text=True, check=False)
    if compiled.returncode:
        raise ValueError(compiled.stderr.strip())
    rows = [[int(word) for word in line.split()] for line in compiled.stdout.splitlines()[1:]]
    return array.array("B", b"".join(struct.pack("HBBI", *row) for row in rows))


@contextlib.contextmanager
def inside(process):
    """In the network namespace of a process."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        there = os.open(process / "ns/net", os.O_RDONLY)
        try:
            os.setns(there, os.CLONE_NEWNET)
        finally:
            os.close(there)
        yield
    finally:
        os.setns(own, os.CLONE_NEWNET)
        os.close(own)


def tap(instructions, protocol):
    """A socket that takes what `instructions` take, of what arrives at the wire of this namespace."""
    tapped = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    # struct sock_fprog (linux/filter.h): how many instructions of 8 bytes, and where they are.
    program = struct.pack("@HP", len(instructions) // 8, instructions.buffer_info()[0])
    # Before it is bound: a packet that the filter explains is never taken.
    tapped.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
    tapped.bind((WIRE, protocol))
    return tapped


class Watch:
    """Counts from its making to `end`: by container the packets and bytes that nothing explains, and those lost."""

    def __init__(self, processes, explained):
        """Watch the wire of each of `processes`, by container; `explained` is a pcap filter."""
        instructions = unexplained(explained)
        self.counts = {container: {"packets": 0, "bytes": 0, "lost": 0} for container in processes}
        self.taps = selectors.DefaultSelector()
        self.over, self.stop = os.pipe()
        self.taps.register(self.over, selectors.EVENT_READ)
        try:
            for container, process in processes.items():
                with inside(process):
                    for protocol in PROTOCOLS:
                        self.taps.register(tap(instructions, protocol), selectors.EVENT_READ, container)
        except OSError:
            self.close()
            raise
        self.thread = threading.Thread(target=self.count, daemon=True)
        self.thread.start()

    def count(self):
        """Count what comes, until it is over."""
        while True:
            for key, _ in self.taps.select():
                if key.data is None:
                    return
                self.take(key)

    def take(self, key):
        """Count what has come to a tap; its length is told although nothing is read."""
        with contextlib.suppress(OSError):  # there is nothing more, or the end has died and its interface with it
            while True:
                length = key.fileobj.recv_into(bytearray(1), 1, socket.MSG_TRUNC)
                self.counts[key.data]["packets"] += 1
                self.counts[key.data]["bytes"] += length

    def end(self):
        """The counts; what there was no room for is `lost`, and of unknown length."""
        os.write(self.stop, b"x")
        self.thread.join()
        for key in list(self.taps.get_map().values()):
            if key.data is not None:
                self.take(key)
                # struct tpacket_stats (linux/if_packet.h): taken and dropped.
                statistics = key.fileobj.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
                self.counts[key.data]["lost"] += struct.unpack("II", statistics)[1]
        self.close()
        return self.counts

    def close(self):
        """Let go of the namespaces: a socket would keep an end's alive."""
        for key in list(self.taps.get_map().values()):
            if key.data is not None:
                key.fileobj.close()
        self.taps.close()
        os.close(self.over)
        os.close(self.stop)
