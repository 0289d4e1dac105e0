# SPDX-License-Identifier: MIT
"""What everything else stands on: errors, documents, signals, files, the terminal."""
