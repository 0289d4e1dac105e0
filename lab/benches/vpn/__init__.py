# SPDX-License-Identifier: MIT
"""VPNs side by side: throughput, transfers, latency, handshakes and instructions a packet, by ciphersuite.

settings     what `lab matrix` can be asked for
bench        look it up, and open what a run needs; `cells` are what is compared
sample       a sample is measured: proved, loaded, proved again, and its CPU time read
tunnel       a tunnel: two ends, their loads, the handshake, the questions put to the ends
proof        whether the data path is what it claims to be
cpu_ledger   from two snapshots to seconds, switches and cost
requirements what a kernel lacks for a data path
measures/    what can be measured, a file each
sandbox      `lab up`: a tunnel to play with; `doctor` says what a machine can run
views/       tables, pictures, and the thesis beside a run
"""
