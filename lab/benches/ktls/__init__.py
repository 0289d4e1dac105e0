# SPDX-License-Identifier: MIT
"""TLS and DTLS records made in user space and in the kernel, and what each step saves.

settings        the options of `lab ktls`
bench           check the settings, open what a run needs, and measure a cell
cells           the scenarios, protocols and paths (cells.yaml), and the command for each
ends            the two endpoints: containers on a wire; a third container loads the module (topology.yaml)
output          the program's output: the proof that it ran what was requested, and the figures
perf            perf's samples, by the categories of symbols.yaml; `cipher_symbols` finds ciphers in stripped libraries
views/          tables C.1 to C.10 beside the thesis, ladders from the library to the kernel, profiles, pictures
"""
