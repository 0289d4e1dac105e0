# SPDX-License-Identifier: MIT
"""A topology of containers on an engine: wire, secrets and meter."""
