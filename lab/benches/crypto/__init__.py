# SPDX-License-Identifier: MIT
"""The ciphers alone: the speed of the libraries under the VPNs, on the host and in a container.

settings      the options of `lab crypto`
bench         check the settings, open what a run needs, and time a cell
libraries     the libraries, the command for each suite, and the parser of its output
places        where a library is timed: in a container, or on the host
encryption_share  how much of a VPN's throughput is encryption; `offer` gives it to reports of other benches
views/        tables, the picture, and the comparison with the thesis
"""
