# SPDX-License-Identifier: MIT
"""What is on the disk: a folder for each run, its samples, and what may stand in them."""
