# SPDX-License-Identifier: MIT
"""What this bench has to say about runs of others: how fast the ciphers are alone, on the same machine."""

from lab.benches.crypto.encryption_share import beside as offer

__all__ = ["offer"]
