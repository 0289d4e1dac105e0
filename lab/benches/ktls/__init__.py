# SPDX-License-Identifier: MIT
"""TLS and DTLS records made in user space and in the kernel, and what each step saves.

settings        what `lab ktls` can be asked for
bench           look it up, open what a run needs, and measure a cell
cells           which scenarios, protocols and paths there are (cells.yaml), and the command for each
ends            where records are sent: two containers on a wire, the module loaded by a third (topology.yaml)
output          what the program answers, the proof that it ran what was asked for, and the figures in it
perf            perf's samples, by the categories of symbols.yaml; `cipher_symbols` finds ciphers in stripped libraries
views/          tables C.1 to C.10 beside the thesis's, ladders from the library to the kernel, profiles, pictures
"""
