# SPDX-License-Identifier: MIT
"""What a run of `lab ktls` shows: pure functions of its figures, that need no engine."""
