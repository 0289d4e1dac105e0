# SPDX-License-Identifier: MIT
"""The ciphers alone: what the libraries under the VPNs reach, on the machine itself and in a container.

settings      what `lab crypto` can be asked for
bench         look it up, open what a run needs, and time a cell
libraries     which libraries there are, how one is asked for a suite, and what it answers
places        where a library is timed: in a container, or on the machine itself
encryption_share  how much of a VPN's throughput is encryption; `offer` has it for reports of other benches
views/        tables, the picture, and the thesis beside a run
"""
