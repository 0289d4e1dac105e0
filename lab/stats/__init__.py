# SPDX-License-Identifier: MIT
"""The statistics of samples: pure functions on data frames."""
