# SPDX-License-Identifier: MIT
"""What a run of `lab matrix` shows: pure functions of its figures, that need no engine."""
