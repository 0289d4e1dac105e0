# SPDX-License-Identifier: MIT
"""A cluster: the workers of a Dask scheduler take the samples of a run. Each has Docker and the lab."""

TWICE = 2
"""So many units are taken by a second worker, too, unless another number is asked for."""
LIMIT = 1800.0
"""Seconds that one sample may take, with its guest and its tunnel; about ten times what the longest take."""
