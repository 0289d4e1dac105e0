# SPDX-License-Identifier: MIT
"""Where containers run: the Docker engine of this machine, or one in a guest with a kernel of its own."""
