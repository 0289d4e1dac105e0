# SPDX-License-Identifier: MIT
"""What this bench adds to runs of others: the speed of the ciphers alone on the same machine."""

from lab.benches.crypto.encryption_share import beside as offer

__all__ = ["offer"]
