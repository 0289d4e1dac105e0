# SPDX-License-Identifier: MIT
"""The base of all other packages: errors, documents, signals, files, the terminal."""
