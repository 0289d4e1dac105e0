# SPDX-License-Identifier: MIT
"""Compares Linux VPNs, ciphersuite by ciphersuite, and says where the CPU time goes."""

__version__ = "0.1.0"
