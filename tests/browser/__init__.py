# SPDX-License-Identifier: MIT
"""The `lab` command from end to end: what it says, what it leaves on the disk, and that it leaves nothing else."""
