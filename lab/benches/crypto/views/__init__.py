# SPDX-License-Identifier: MIT
"""What a run of `lab crypto` shows: pure functions of its figures, that need no engine."""
