# SPDX-License-Identifier: MIT
"""What `lab up` brings up, examined from inside with testinfra."""
