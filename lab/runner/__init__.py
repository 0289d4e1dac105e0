# SPDX-License-Identifier: MIT
"""Carries out a plan of any bench: shares it among engines, and keeps every sample."""
