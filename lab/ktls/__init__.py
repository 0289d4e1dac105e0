"""AF_KTLS against libraries: TLS and DTLS records made in user space and in the kernel, and what each step saves.

paths     which scenarios, protocols and paths there are (paths.yaml), and the bench's command for each
ends      where the bench runs: two containers on a wire, the module loaded by a third (topology.yaml)
answers   what the bench answers, the proof that it ran what was asked for, and the figures in it
bench     settings, plan, and every sample onto the disk
frame     the figures of a run, by what was sent, how, and in which records
beside    tables C.1 to C.10 beside the thesis's, whose `figures` are in thesis.yaml
factors   the factorial view: library, kernel when sending, kernel both ways, no copies
profile   perf's samples, by the categories of symbols.yaml; `code` finds ciphers in stripped libraries
shares    the tables of profiles
draw      figures 5.1 to 5.8, and the costs
show      all of it in the terminal, in files, and on one page
"""
