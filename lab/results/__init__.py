# SPDX-License-Identifier: MIT
"""Run folders on the disk: their samples, and the schema of both."""
