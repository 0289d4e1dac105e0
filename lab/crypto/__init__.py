"""Raw cipher speed: what the libraries under the VPNs reach alone, on the machine itself and in a container.

libraries  which libraries there are, how one is asked for a suite, and what it answers
places     where a bench runs: the same programs, in a container or outside of one
bench      settings, plan, and every sample onto the disk
frame      from samples to speeds; the share of it that a VPN reaches
show       tables and the picture; `beside` the thesis, whose `figures` are in thesis.yaml
"""
