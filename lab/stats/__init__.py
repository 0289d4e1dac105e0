# SPDX-License-Identifier: MIT
"""From samples to figures that can be believed: pure functions on data frames."""
