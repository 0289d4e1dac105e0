# SPDX-License-Identifier: MIT
"""A topology of containers on an engine: its wire, its secrets, its meter."""
