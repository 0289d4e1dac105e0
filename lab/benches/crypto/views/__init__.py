# SPDX-License-Identifier: MIT
"""The views of a run of `lab crypto`: pure functions of its figures; they need no engine."""
