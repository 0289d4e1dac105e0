# SPDX-License-Identifier: MIT
"""A cluster: the workers of a Dask scheduler take the samples of a run. Each has Docker and the lab."""
