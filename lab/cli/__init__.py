# SPDX-License-Identifier: MIT
"""Commands: options in, exit code out. What they need is loaded when they are called."""
