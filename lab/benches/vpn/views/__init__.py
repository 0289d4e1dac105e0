# SPDX-License-Identifier: MIT
"""The views of a run of `lab matrix`: pure functions of its figures; they need no engine."""
