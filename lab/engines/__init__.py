# SPDX-License-Identifier: MIT
"""The Docker engines that run containers: this machine's, or one in a guest with its own kernel."""
