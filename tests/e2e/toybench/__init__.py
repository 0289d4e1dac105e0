# SPDX-License-Identifier: MIT
"""A bench for tests: how long a checksum takes, in a container that is there for it alone."""
