# SPDX-License-Identifier: MIT
"""VPNs compared: throughput, transfers, latency, handshakes and instructions per packet, by ciphersuite.

settings     the options of `lab matrix`
bench        check the settings and open what a run needs; `cells` builds the plan
sample       measure one sample: prove the data path, run the load, prove again, read the CPU time
tunnel       one tunnel: two endpoints, their load containers, the handshake, the queries to the endpoints
around       what is read around a load, on one machine or on two
questions    what both ends are asked by a VPN's proof
proof        checks that the data path is what it claims to be
cpu_ledger   from two snapshots to seconds, switches and cost
requirements what a kernel lacks for a data path
measures/    what can be measured, one file each
sandbox      `lab up`: a tunnel to try things in; `doctor` reports what a machine can run
contract/    `lab check`: what the folder of a VPN must hold; `capture` keeps what its ends answer
views/       tables, pictures, and the comparison with the thesis
"""
